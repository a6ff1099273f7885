//! The types of the audit log.

use async_graphql::{Enum, ID, SimpleObject};
use serde_json::Value;

use crate::graphql::scalars::DateTime;
use outboard_control::registry::{self, AuditRow};

/// The outcome of an audited action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::Outcome")]
pub enum AuditOutcome {
    /// The action changed something.
    Done,
    /// The action changed nothing: the requested state already existed.
    Unchanged,
}

/// A record of the audit log: who did what, to what, and with which outcome.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuditRecord {
    /// ID of the record. IDs increase over time.
    pub id: ID,
    /// Time of the action.
    pub at: DateTime,
    /// The tenant that the action concerns. Null: the whole host.
    pub tenant: Option<ID>,
    /// Name of the caller.
    pub actor: String,
    /// ID of the token that authenticated the caller. Null if no token was used.
    pub token_id: Option<ID>,
    /// Name of the action, such as `pipeline.create`.
    pub action: String,
    /// The object of the action, such as `pipeline acme:tv`.
    pub target: String,
    /// Outcome of the action.
    pub outcome: AuditOutcome,
    /// Details of the action, without secrets. Null if there are none.
    pub detail: Option<Value>,
}

impl From<AuditRow> for AuditRecord {
    fn from(row: AuditRow) -> Self {
        Self {
            id: ID::from(row.id),
            at: DateTime(row.at_ms),
            tenant: row.tenant.map(ID),
            actor: row.actor,
            token_id: row.token.map(ID::from),
            action: row.action,
            target: row.target,
            outcome: row.outcome.into(),
            detail: row.detail,
        }
    }
}
