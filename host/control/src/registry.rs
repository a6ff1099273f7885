//! The state of the control plane: tenants, tokens, pipelines and their revisions, the audit log, events, webhooks.
//!
//! In: calls of the control plane, already authorised. Out: typed rows. Each change is one transaction that also writes
//! its audit entry; when the call returns, the change survives a power cut. A repeated change returns the same result
//! as the first time ([`Change::changed`] shows the difference); a change that contradicts the stored state is a
//! conflict that names the differences. Lists are read page by page, and each is limited by its own constant in
//! [`crate::limits`]. SQLite only: no files, no network, and no policy except the quotas that must hold inside a
//! transaction.

use rusqlite::{Connection, ToSql, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ControlError, sentence};
use super::quota::Reached;
use crate::limits::{DIFFERENCES_MAX, KEPT_TEXT_CHARS_MAX, PRUNE_EVERY};
use outboard_base::Problem;
use outboard_store::database::{Database, DatabaseError};

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

/// Why data was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The change contradicts the stored state.
    #[error("{0}")]
    Conflict(String),
    /// The object does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The arguments are invalid.
    #[error("{}", sentence(.0))]
    Invalid(Vec<Problem>),
    /// A quota or limit is reached.
    #[error("{0}")]
    Limit(String),
    /// The database failed; nothing was changed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// The row as it is stored after the change.
    pub row: T,
    /// False if the requested state already existed.
    pub changed: bool,
}

/// Selects rows by their owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Rows of every tenant and of the host.
    All,
    /// The host's own rows, which belong to no tenant.
    Host,
    /// Rows of this tenant only.
    Tenant(String),
}

impl Registry {
    /// Reads and writes the control plane's tables in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Makes a change that is acknowledged to a caller: it survives a power cut.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        self.database.write_durable_or(work).await
    }

    /// Records events and delivery results: they survive the process. A power cut may lose the last of them; a delivery
    /// is then repeated.
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
            // SQLite's message is only for the operator of the server.
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
    /// The SQL condition for these rows, and the value of its `?1`.
    fn sql(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::All => ("?1 IS NULL", None),
            Self::Host => ("tenant IS ?1", None),
            Self::Tenant(tenant) => ("tenant IS ?1", Some(tenant)),
        }
    }
}

/// The number of the next row of a limited group, and whether to remove the group's oldest rows.
fn next_seq(newest: Option<u64>) -> (u64, bool) {
    let seq = newest.map_or(0, |newest| newest + 1);
    (seq, seq.is_multiple_of(PRUNE_EVERY))
}

/// Removes all rows of a group except the newest `keep`. `group`: the SQL condition for its rows, with the parameters
/// `of`.
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

/// Parses JSON that we wrote.
fn parsed<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, RegistryError> {
    serde_json::from_str(text).map_err(|source| DatabaseError::Unreadable { what, source }.into())
}

/// A text, truncated to the length that is stored.
fn kept(text: &str) -> String {
    text.chars().take(KEPT_TEXT_CHARS_MAX).collect()
}

/// Where two JSON values differ: paths only, because the values may be secrets.
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

/// Whether new things may be created for a tenant.
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
