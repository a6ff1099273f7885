//! What is seen of a seat from outside, while its pipeline runs: who sits there, since which swap, on which probation.

use super::component::StageComponent;
use super::counters::StageCounters;
use super::kind::ComponentLabel;
use std::sync::Arc;
use tokio::sync::watch;

/// A probation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Batches that the new version decided.
    pub done: u32,
    /// Batches after which it has passed.
    pub wanted: u32,
    /// Calls that the old version would have answered otherwise.
    pub different: u64,
    /// How it ended.
    pub end: Option<TrialEnd>,
}

/// How a probation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialEnd {
    /// The new version stays.
    Passed,
    /// The old version decides again.
    RolledBack {
        /// Why, in a sentence.
        reason: String,
        /// The evidence, where it failed.
        evidence: Option<String>,
    },
}

/// Who sits there.
#[derive(Debug, Clone)]
pub struct Seated {
    /// The component that decides.
    pub component: Arc<StageComponent>,
    /// What happened in its calls.
    pub counters: Arc<StageCounters>,
    /// The version that would take over.
    pub previous: Option<ComponentLabel>,
    /// Its probation, while it is on one.
    pub trial: Option<Trial>,
    /// The version before took over by itself, after the probation: why, and the evidence.
    pub fell_back: Option<(String, String)>,
    /// It failed, and the pipeline is to be stopped for that.
    pub stop: Option<String>,
}

/// A seat's outside.
#[derive(Debug)]
pub struct Face(watch::Sender<Seated>);

impl Face {
    pub(super) fn new(seated: Seated) -> Self {
        Self(watch::Sender::new(seated))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Seated)) {
        self.0.send_modify(change);
    }

    /// Now.
    pub fn seated(&self) -> Seated {
        self.0.borrow().clone()
    }

    /// Changes.
    pub fn changes(&self) -> watch::Receiver<Seated> {
        self.0.subscribe()
    }
}
