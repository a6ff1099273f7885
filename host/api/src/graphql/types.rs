//! The types of the schema, by subject. They are converted from the control plane's types and call nothing.

pub mod audit;
pub mod batch;
pub mod destination;
pub mod event;
pub mod incident;
pub mod log;
pub mod pipeline;
pub mod processor;
pub mod server;
pub mod settings;
pub mod stage;
pub mod stage_kind;
pub mod status;
pub mod storage;
pub mod swap;
pub mod tenant;
pub mod token;
pub mod webhook;

use async_graphql::SimpleObject;
use serde::Deserialize;

use super::scalars::BigInt;

/// Number of occurrences for one reason.
#[derive(Debug, Clone, SimpleObject)]
pub struct ReasonCount {
    /// The reason, as a keyword.
    pub reason: String,
    /// Number of occurrences with this reason.
    pub count: BigInt,
}

/// An invalid setting, and why it is invalid.
#[derive(Debug, Clone, SimpleObject, Deserialize)]
pub struct Problem {
    /// Path of the setting, starting at the argument: `input.settings.destinations[0].url`.
    pub path: String,
    /// What is invalid and what is expected. The sentence continues the path.
    pub message: String,
}

impl From<outboard_base::Problem> for Problem {
    fn from(problem: outboard_config::Problem) -> Self {
        Self { path: problem.path, message: problem.message }
    }
}

/// Counts by reason, the largest first.
pub fn by_reason<'a>(counts: impl IntoIterator<Item = (&'a &'static str, &'a u64)>) -> Vec<ReasonCount> {
    let mut counts: Vec<ReasonCount> = counts
        .into_iter()
        .map(|(reason, count)| ReasonCount { reason: (*reason).to_owned(), count: BigInt(*count) })
        .collect();
    counts.sort_by_key(|one| std::cmp::Reverse(one.count));
    counts
}
