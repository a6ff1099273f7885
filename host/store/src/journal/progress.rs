//! Reports the steps of batches to subscribers, once each step is recorded in the journal.

use serde::{Deserialize, Serialize};

use super::Step;

/// A recorded step of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchProgress {
    /// Number of the batch.
    pub number: u64,
    /// Name of the step in the journal.
    pub step: String,
    /// When the step was recorded, Unix time in milliseconds.
    pub at_ms: u64,
    /// The decision, from `decided` on: `processed` or `original`.
    pub outcome: Option<String>,
}

impl BatchProgress {
    pub(super) fn new(number: u64, step: Step, at_ms: u64) -> Self {
        Self { number, step: step.name().to_owned(), at_ms, outcome: None }
    }
}
