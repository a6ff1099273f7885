//! What the effect of a settings change can be.

use std::collections::BTreeSet;

/// A part of a pipeline that applies a change on air, without an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The component of a stage or its settings; applied by a swap.
    Stages,
    /// The failure policy and the permission for changes of a stage; applied without a swap.
    StagePolicy,
    /// Destinations: added, removed, renamed, enabled or disabled.
    Destinations,
    /// The processor; fragments in flight are sent again to the new one.
    Processor,
    /// Length of batches, hold and cushion; the air clock adjusts to them.
    Pace,
    /// Retention of batches that went on air.
    Keep,
    /// Requests to other servers, such as SRS's API.
    Beside,
}

/// The effect of a settings change on a running pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeEffect {
    /// Parts that apply the change on air.
    pub live: BTreeSet<Part>,
    /// Settings that only a restart applies, by their path.
    pub restart: BTreeSet<&'static str>,
    /// Whether the stream starts from the beginning after the restart, without sending buffered media.
    pub anew: bool,
}

impl ChangeEffect {
    /// Whether the settings are equal, so that nothing has to be applied.
    pub fn is_nothing(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    /// Whether the whole change is applied on air.
    pub fn is_live(&self) -> bool {
        self.restart.is_empty()
    }

    pub(super) fn live(&mut self, part: Part, differs: bool) {
        if differs {
            self.live.insert(part);
        }
    }

    pub(super) fn restart(&mut self, path: &'static str, differs: bool) {
        if differs {
            self.restart.insert(path);
        }
    }
}
