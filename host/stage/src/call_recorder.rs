//! Keeps the last calls of a stage in memory, for rehearsals of another version, for evidence and for [recordings](super::recording).
//!
//! Bounded by [`STAGE_RECORDED_CALLS`] and [`STAGE_RECORDED_BYTES`]; the oldest calls are dropped first. Inputs are shared with
//! the calls that they were made for, so recording copies no media.

use super::calls::{StageInterface, TimedCall};
use crate::limits::{STAGE_RECORDED_BYTES, STAGE_RECORDED_CALLS};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The last calls of a stage of the kind `K`.
#[derive(Debug)]
pub(super) struct CallRecorder<K: StageInterface> {
    /// The last call that later ones depend on ([`StageInterface::is_opening`]), if it was dropped from `calls`.
    opening: Option<TimedCall<K::Input>>,
    /// The last calls, oldest first.
    calls: VecDeque<TimedCall<K::Input>>,
    /// Size of the inputs of `calls`, in bytes.
    bytes: usize,
}

impl<K: StageInterface> Default for CallRecorder<K> {
    fn default() -> Self {
        Self { opening: None, calls: VecDeque::new(), bytes: 0 }
    }
}

impl<K: StageInterface> CallRecorder<K> {
    /// Records a call. An input larger than [`STAGE_RECORDED_BYTES`] is not recorded.
    pub(super) fn record(&mut self, input: Arc<K::Input>, took: Duration) {
        let bytes = K::bytes(&input);
        if bytes > STAGE_RECORDED_BYTES {
            return;
        }
        self.bytes += bytes;
        self.calls.push_back(TimedCall { input, took });
        while self.calls.len() > STAGE_RECORDED_CALLS || self.bytes > STAGE_RECORDED_BYTES {
            let Some(oldest) = self.calls.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(K::bytes(&oldest.input));
            if K::is_opening(&oldest.input) {
                self.opening = Some(oldest);
            }
        }
    }

    /// The recorded calls, oldest first.
    pub(super) fn calls(&self) -> Vec<TimedCall<K::Input>> {
        self.opening.iter().chain(&self.calls).cloned().collect()
    }
}
