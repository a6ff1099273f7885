//! The status of a stage slot while its pipeline runs: the current version, the previous one, and the probation in progress.
//!
//! In: changes by the slot. Out: snapshots and notifications for the API, metrics and the pipeline's supervisor.

use super::component::StageComponent;
use super::counters::StageCounters;
use super::kind::ComponentLabel;
use std::sync::Arc;
use tokio::sync::watch;

/// How far a probation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbationStatus {
    /// Batches that the new version has decided so far.
    pub done: u32,
    /// Batches after which the probation is passed.
    pub wanted: u32,
    /// Calls that the old version answered differently.
    pub different: u64,
    /// How the probation ended; `None` while it lasts.
    pub end: Option<ProbationEnd>,
}

/// How a probation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbationEnd {
    /// The new version stays in use.
    Passed,
    /// The old version is in use again.
    RolledBack {
        /// Why the new version was taken back, in a sentence.
        reason: String,
        /// The id of the evidence, if the new version failed.
        evidence: Option<String>,
    },
}

/// The status of a stage slot.
#[derive(Debug, Clone)]
pub struct SlotStatus {
    /// The component of the current version.
    pub component: Arc<StageComponent>,
    /// Counts of its calls, by outcome.
    pub counters: Arc<StageCounters>,
    /// The version that takes over if the current one fails.
    pub previous: Option<ComponentLabel>,
    /// The current version's probation; `None` when it is over.
    pub probation: Option<ProbationStatus>,
    /// The previous version took over after the probation: the reason, and the id of the evidence.
    pub fell_back: Option<(String, String)>,
    /// Why the pipeline must be stopped: the stage failed and its policy is [`Stop`](super::FailurePolicy::Stop).
    pub stop: Option<String>,
}

/// Publishes a slot's status. Readers get the newest status; intermediate ones may be skipped.
#[derive(Debug)]
pub struct SlotStatusFeed(watch::Sender<SlotStatus>);

impl SlotStatusFeed {
    pub(super) fn new(status: SlotStatus) -> Self {
        Self(watch::Sender::new(status))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut SlotStatus)) {
        self.0.send_modify(change);
    }

    /// A copy of the current status.
    pub fn current(&self) -> SlotStatus {
        self.0.borrow().clone()
    }

    /// A receiver that is notified of each change; it ends when the slot is dropped.
    pub fn subscribe(&self) -> watch::Receiver<SlotStatus> {
        self.0.subscribe()
    }
}
