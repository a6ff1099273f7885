//! Problems, each from its beginning to its end.

use async_graphql::{ID, SimpleObject};

use super::event::Severity;
use super::status::HealthCause;
use crate::graphql::scalars::{BigInt, DateTime, seconds};
use outboard_control::registry::IncidentRow;

/// A problem of a pipeline, from start to end. A pipeline has at most one open incident for each cause. A problem that
/// recurs within 10 seconds belongs to the same incident.
#[derive(Debug, Clone, SimpleObject)]
pub struct Incident {
    /// ID of the incident. IDs increase over time.
    pub id: ID,
    /// ID of the pipeline.
    pub pipeline_id: ID,
    /// The component that causes the problem.
    pub cause: HealthCause,
    /// Highest severity of the incident so far. `ERROR` if it took the pipeline off air.
    pub severity: Severity,
    /// Time at which the problem was first detected.
    pub opened_at: DateTime,
    /// Time at which the problem was last detected.
    pub updated_at: DateTime,
    /// Time at which the incident was resolved. Null while it is open.
    pub resolved_at: Option<DateTime>,
    /// Duration of the incident, in seconds: until `resolvedAt` or, while it is open, until `updatedAt`.
    pub duration_seconds: f64,
    /// Number of occurrences in this incident, such as lost connections or late replies.
    pub count: BigInt,
    /// Description of the problem, as a sentence.
    pub message: String,
    /// Recommended action, as a sentence.
    pub advice: String,
}

impl From<IncidentRow> for Incident {
    fn from(row: IncidentRow) -> Self {
        let IncidentRow { id, pipeline, state } = row;
        let until = state.resolved_ms.unwrap_or(state.updated_ms);
        Self {
            id: ID::from(id),
            pipeline_id: ID(pipeline.to_string()),
            cause: state.cause.into(),
            severity: state.severity.into(),
            opened_at: DateTime(state.opened_ms),
            updated_at: DateTime(state.updated_ms),
            resolved_at: state.resolved_ms.map(DateTime),
            duration_seconds: seconds(until.saturating_sub(state.opened_ms)),
            count: BigInt(state.count),
            message: state.message,
            advice: state.cause.advice().to_owned(),
        }
    }
}
