//! What the control plane knows: tenants, tokens, pipelines and their revisions, who did what, what happened, webhooks.
//!
//! In: calls of the control plane, whose rights are checked already. Out: typed rows. Each change is one transaction that
//! also writes its line of the audit log; it survives a power cut when it is answered. A change that was made already
//! is answered like the first time ([`Change::changed`] tells); one that contradicts what is there is a conflict that names what
//! differs. Lists are read page by page and bounded, each with its own constant in [`crate::limits`]. SQLite only: no
//! files, no network, no policy but the quotas that have to hold inside a transaction.

use rusqlite::{Connection, ToSql, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ControlError, sentence};
use super::quota::Reached;
use crate::config::Problem;
use crate::limits::{DIFFERENCES_MAX, KEPT_TEXT_CHARS_MAX, PRUNE_EVERY};
use crate::store::database::{Database, DatabaseError};

mod audit;
mod components;
mod deliveries;
mod event_row;
mod events;
mod incidents;
mod pipelines;
mod removals;
mod revisions;
mod roll_outs;
mod settings_changes;
mod swaps;
mod tenants;
mod tokens;
mod webhooks;

pub use audit::{AuditRow, NewAudit, Outcome};
pub use components::{ComponentRow, ComponentSource, NewComponent};
pub use deliveries::{Busy, DeliveryRow, DeliveryState, Due};
pub use event_row::EventRow;
pub use events::{EventFilter, NewEvent};
pub use incidents::{IncidentRow, IncidentState};
pub use pipelines::{Desired, NewPipeline, Origin, PipelineRow, Wish};
pub use removals::Removal;
pub use revisions::RevisionRow;
pub use roll_outs::{RollOutRecord, RollOutRow, RollOutState};
pub use settings_changes::SettingsChange;
pub use swaps::{NextStart, SwapRecord, SwapRow, SwapState, SwapStep, SwapStepTaken};
pub use tenants::{NewTenant, TenantChange, TenantPatch, TenantRow};
pub use tokens::{NewToken, TokenRow};
pub use webhooks::{NewWebhook, WebhookPatch, WebhookRow};

/// The tables of the control plane. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    database: Database,
}

/// Why something was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// It is not there.
    #[error("{0}")]
    NotFound(String),
    /// What was given is wrong.
    #[error("{}", sentence(.0))]
    Invalid(Vec<Problem>),
    /// A quota or bound is reached.
    #[error("{0}")]
    Limit(String),
    /// The database failed; nothing was changed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What a change left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// The row as it is now.
    pub row: T,
    /// False: it was so already.
    pub changed: bool,
}

/// Selects rows by their owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Rows of every tenant and of the host.
    All,
    /// The host's own, which belong to no tenant.
    Host,
    /// Rows of this tenant only.
    Tenant(String),
}

impl Registry {
    /// Reads and writes the control plane's tables in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// A change that somebody is answered for: it survives a power cut.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        self.database.write_durable_or(work).await
    }

    /// What happened and how deliveries went: it survives the process. A power cut may take the last of it, and a
    /// delivery is made once more.
    async fn note<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        self.database.write_or(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        self.database.read_or(work).await
    }
}

// === impl RegistryError ===

impl From<rusqlite::Error> for RegistryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Reached> for RegistryError {
    fn from(reached: Reached) -> Self {
        Self::Limit(reached.0)
    }
}

impl RegistryError {
    fn invalid(path: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem { path: path.to_owned(), message: message.into() }])
    }
}

impl From<RegistryError> for ControlError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Conflict(text) => Self::Conflict(text),
            RegistryError::NotFound(text) => Self::NotFound(text),
            RegistryError::Invalid(problems) => Self::InvalidInput(problems),
            RegistryError::Limit(text) => Self::LimitExceeded(text),
            RegistryError::Database(error @ DatabaseError::Full(_)) => {
                tracing::error!(%error, "failed to write to the database");
                Self::Unavailable("the server's disk is full; nothing was changed".into())
            }
            RegistryError::Database(DatabaseError::Lost(trouble)) => {
                Self::Unavailable(format!("the server's database file {trouble}; nothing was changed"))
            }
            // What SQLite says is for whoever runs the server.
            RegistryError::Database(error) => {
                tracing::error!(%error, "the database failed");
                Self::Unavailable("the server's database does not answer; nothing was changed".into())
            }
        }
    }
}

// === impl Change ===

impl<T> Change<T> {
    fn new(row: T) -> Self {
        Self { row, changed: true }
    }

    fn none(row: T) -> Self {
        Self { row, changed: false }
    }
}

// === impl Scope ===

impl Scope {
    /// SQL for "these rows", and what stands for `?1` in it.
    fn sql(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::All => ("?1 IS NULL", None),
            Self::Host => ("tenant IS ?1", None),
            Self::Tenant(tenant) => ("tenant IS ?1", Some(tenant)),
        }
    }
}

/// The number of the next row of a bound group, and whether it is time to remove the group's oldest.
fn next_seq(newest: Option<u64>) -> (u64, bool) {
    let seq = newest.map_or(0, |newest| newest + 1);
    (seq, seq.is_multiple_of(PRUNE_EVERY))
}

/// Removes a group's rows but the newest `keep`. `group`: SQL for its rows, with `of` for its parameters.
fn prune(
    transaction: &Transaction<'_>,
    (table, group): (&str, &str),
    of: &[&dyn ToSql],
    keep: u64,
) -> Result<usize, RegistryError> {
    let newest_to_go = format!("SELECT id FROM {table} WHERE {group} ORDER BY id DESC LIMIT 1 OFFSET {keep}");
    let mut statement =
        transaction.prepare_cached(&format!("DELETE FROM {table} WHERE {group} AND id <= ({newest_to_go})"))?;
    Ok(statement.execute(of)?)
}

/// A record as JSON.
fn written(record: &impl Serialize) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

/// Our own JSON, read back.
fn parsed<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, RegistryError> {
    serde_json::from_str(text).map_err(|source| DatabaseError::Unreadable { what, source }.into())
}

/// A text that is kept, cut to what is kept of one.
fn kept(text: &str) -> String {
    text.chars().take(KEPT_TEXT_CHARS_MAX).collect()
}

/// Where two JSON values differ: paths only, for the values may be secrets.
fn differences(one: &Value, other: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", one, other, &mut found);
    found
}

fn compare(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    if one == other || found.len() >= DIFFERENCES_MAX {
        return;
    }
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for n in 0..a.len().max(b.len()) {
                let of = |list: &[Value]| list.get(n).cloned().unwrap_or(Value::Null);
                compare(&format!("{path}[{n}]"), &of(a), &of(b), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// Whether a tenant may get anything new.
fn enabled_tenant(transaction: &Connection, tenant: &str) -> Result<TenantRow, RegistryError> {
    let row = tenants::one(transaction, tenant)?.ok_or_else(|| tenants::absent(tenant))?;
    if row.disabled {
        return Err(RegistryError::Conflict(format!("tenant {tenant} is disabled")));
    }
    Ok(row)
}

fn count(connection: &Connection, query: &str, of: &str) -> Result<u64, RegistryError> {
    Ok(connection.prepare_cached(query)?.query_row(params![of], |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
