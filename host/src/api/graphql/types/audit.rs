//! Who did what.

use async_graphql::{Enum, ID, SimpleObject};
use serde_json::Value;

use crate::api::graphql::scalars::DateTime;
use crate::control::registry::{self, AuditRow};

/// How something that was asked for ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::Outcome")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was so already.
    Unchanged,
}

/// A line of the audit log.
#[derive(Debug, Clone, SimpleObject)]
pub struct AuditRecord {
    /// Its id; it rises with time.
    pub id: ID,
    /// When.
    pub at: DateTime,
    /// The tenant that it is about; null: the host.
    pub tenant: Option<ID>,
    /// Who did it.
    pub actor: String,
    /// The token that they came with; null without one.
    pub token_id: Option<ID>,
    /// What they did, such as `pipeline.create`.
    pub action: String,
    /// What they did it to.
    pub target: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// More about it, without secrets.
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
