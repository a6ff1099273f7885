//! The steps that batches take, told to whoever watches, each once it is in the journal.

use serde::{Deserialize, Serialize};

use super::Step;

/// A batch took a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchProgress {
    /// Its number.
    pub number: u64,
    /// The step, by the journal's name.
    pub step: String,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// From `decided` on: `processed` or `original`.
    pub outcome: Option<String>,
}

impl BatchProgress {
    pub(super) fn new(number: u64, step: Step, at_ms: u64) -> Self {
        Self { number, step: step.name().to_owned(), at_ms, outcome: None }
    }
}
