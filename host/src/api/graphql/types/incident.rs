//! Problems, each from its beginning to its end.

use async_graphql::{ID, SimpleObject};

use super::event::Severity;
use super::status::HealthCause;
use crate::api::graphql::scalars::{BigInt, DateTime, seconds};
use crate::control::registry::IncidentRow;

/// A problem of a pipeline. At most one of a cause is open; what flaps is one, until it has been away for 10 s.
#[derive(Debug, Clone, SimpleObject)]
pub struct Incident {
    /// Its id; it rises with time.
    pub id: ID,
    /// The pipeline.
    pub pipeline_id: ID,
    /// The part that the problem comes from.
    pub cause: HealthCause,
    /// How much it mattered at its worst: ERROR while it kept the pipeline off air.
    pub severity: Severity,
    /// When it was first seen.
    pub opened_at: DateTime,
    /// When it was last heard of.
    pub updated_at: DateTime,
    /// When it was gone; null while it is open.
    pub resolved_at: Option<DateTime>,
    /// How long it lasted, or has lasted when it was last heard of, in seconds.
    pub duration_seconds: f64,
    /// How many events it stands for: lost connections, late replies, and the like.
    pub count: BigInt,
    /// What the problem is, in a sentence.
    pub message: String,
    /// What to do about it, in a sentence.
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
