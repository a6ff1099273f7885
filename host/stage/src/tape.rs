//! The last calls of a stage: what another version rehearses on, what people download and test their own stage with.
//!
//! Bounded by [`STAGE_TAPE_CALLS`] and [`STAGE_TAPE_BYTES`], oldest out first. Inputs are shared with the calls that they
//! were made for, so that a tape costs no copy of media.

use super::calls::{Kind, Taped};
use super::kind::{ComponentLabel, StageKind};
use crate::limits::{STAGE_TAPE_BYTES, STAGE_TAPE_CALLS};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The version of [`Recording`]'s and of an evidence bundle's form.
pub const RECORDING_FORMAT: u32 = 1;

#[derive(Debug)]
pub(super) struct Tape<K: Kind> {
    /// What the calls make no sense without, if it is older than the oldest of them.
    opening: Option<Taped<K::Input>>,
    calls: VecDeque<Taped<K::Input>>,
    bytes: usize,
}

impl<K: Kind> Default for Tape<K> {
    fn default() -> Self {
        Self { opening: None, calls: VecDeque::new(), bytes: 0 }
    }
}

impl<K: Kind> Tape<K> {
    pub(super) fn record(&mut self, input: Arc<K::Input>, took: Duration) {
        let bytes = K::bytes(&input);
        if bytes > STAGE_TAPE_BYTES {
            return;
        }
        self.bytes += bytes;
        self.calls.push_back(Taped { input, took });
        while self.calls.len() > STAGE_TAPE_CALLS || self.bytes > STAGE_TAPE_BYTES {
            let Some(oldest) = self.calls.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(K::bytes(&oldest.input));
            if K::is_opening(&oldest.input) {
                self.opening = Some(oldest);
            }
        }
    }

    /// Oldest first.
    pub(super) fn calls(&self) -> Vec<Taped<K::Input>> {
        self.opening.iter().chain(&self.calls).cloned().collect()
    }
}

/// The last calls of a stage, as a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// [`RECORDING_FORMAT`].
    pub format: u32,
    /// Whose calls.
    pub kind: StageKind,
    /// The component that they were made to.
    pub component: ComponentLabel,
    /// Its settings; empty: the defaults.
    pub settings: String,
    /// Oldest first.
    pub calls: Vec<RecordedCall>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCall {
    /// The contract's function.
    pub call: String,
    /// What it was given, in the contract's words.
    pub input: Value,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// Calls as they stand in files.
pub(super) fn written<K: Kind>(calls: &[Taped<K::Input>]) -> Vec<RecordedCall> {
    let one = |taped: &Taped<K::Input>| RecordedCall {
        call: K::name(&taped.input).to_owned(),
        input: serde_json::to_value(&*taped.input).unwrap_or_default(),
        took_us: u64::try_from(taped.took.as_micros()).unwrap_or(u64::MAX),
    };
    calls.iter().map(one).collect()
}

/// Calls from a file.
///
/// # Errors
/// The first that is no call of this kind.
pub(super) fn read<K: Kind>(calls: &[RecordedCall]) -> Result<Vec<Arc<K::Input>>, String> {
    let one = |(n, call): (usize, &RecordedCall)| {
        let input = serde_json::from_value(call.input.clone());
        input.map(Arc::new).map_err(|error| format!("calls[{n}].input is no input of a {} stage: {error}", K::KIND))
    };
    calls.iter().enumerate().map(one).collect()
}
