//! The audit log: who did what to what. Written in the transaction of each change; limited per tenant, so that a busy
//! tenant cannot displace another's entries.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::Value;

use super::{Registry, RegistryError, Scope, kept, next_seq, parsed, prune};
use crate::access::{Action, Actor};
use crate::limits::AUDIT_ROWS_KEPT;
use crate::words::words;
use outboard_base::unix_time::now_ms;
use outboard_store::page::{Listed, Page};

words! {
    /// Result of an audited action. Rejected actions are not audited.
    pub enum Outcome {
        /// The action changed something.
        Done = "done",
        /// The requested state already existed.
        Unchanged = "unchanged",
    }
}

/// An entry to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAudit {
    /// The tenant concerned; `None`: the host.
    pub tenant: Option<String>,
    /// The caller, with role and token.
    pub actor: Actor,
    /// The action that the caller was permitted to do.
    pub action: Action,
    /// The object of the action, such as `pipeline acme:tv`.
    pub target: String,
    /// Whether the action changed anything.
    pub outcome: Outcome,
    /// Further facts, such as paths of changed settings; never secrets.
    pub detail: Option<Value>,
}

/// A stored entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    /// Number of the entry; later entries have higher ones.
    pub id: u64,
    /// When it was written, Unix time in milliseconds.
    pub at_ms: u64,
    /// The tenant concerned; `None`: the host.
    pub tenant: Option<String>,
    /// Name of the caller at that time.
    pub actor: String,
    /// Id of the caller's token; `None`: the caller needed no token.
    pub token: Option<u64>,
    /// Name of the action, see [`Action::name`].
    pub action: String,
    /// The object of the action, such as `pipeline acme:tv`.
    pub target: String,
    /// Whether the action changed anything.
    pub outcome: Outcome,
    /// Further facts, such as paths of changed settings; never secrets.
    pub detail: Option<Value>,
}

// === impl NewAudit ===

impl NewAudit {
    /// An entry for an action on a target.
    pub fn new(actor: &Actor, action: Action, tenant: Option<&str>, target: impl Into<String>) -> Self {
        Self {
            tenant: tenant.map(str::to_owned),
            actor: actor.clone(),
            action,
            target: target.into(),
            outcome: Outcome::Done,
            detail: None,
        }
    }

    /// Adds further facts, which must not contain secrets.
    #[must_use]
    pub fn detail(self, detail: Value) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Sets the outcome, if it is not the default.
    #[must_use]
    pub fn outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// Sets the outcome to done or unchanged.
    #[must_use]
    pub(super) fn changed(self, changed: bool) -> Self {
        self.outcome(if changed { Outcome::Done } else { Outcome::Unchanged })
    }

    pub(super) fn write(self, transaction: &Transaction<'_>) -> Result<(), RegistryError> {
        let newest = transaction
            .prepare_cached("SELECT seq FROM audit WHERE tenant IS ? ORDER BY id DESC LIMIT 1")?
            .query_row(params![self.tenant], |row| row.get(0))
            .optional()?;
        let (seq, is_time) = next_seq(newest);
        transaction
            .prepare_cached(
                "INSERT INTO audit (tenant, seq, at_ms, actor, token, action, target, outcome, detail)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                self.tenant,
                seq,
                now_ms(),
                kept(&self.actor.name),
                self.actor.token,
                self.action.name(),
                kept(&self.target),
                self.outcome,
                self.detail.map(|detail| detail.to_string())
            ])?;
        if is_time {
            prune(transaction, ("audit", "tenant IS ?1"), &[&self.tenant], AUDIT_ROWS_KEPT)?;
        }
        Ok(())
    }
}

// === impl Registry ===

impl Registry {
    /// Writes an entry for an action that changes nothing here, such as a dry run or the removal of files.
    pub async fn record(&self, line: NewAudit) -> Result<(), RegistryError> {
        self.write(move |transaction| line.write(transaction)).await
    }

    /// The audit log, keyed by id.
    pub async fn audit(&self, scope: Scope, page: Page) -> Result<Listed<AuditRow>, RegistryError> {
        self.read(move |connection| {
            let ((of, tenant), (than, order)) = (scope.sql(), page.words());
            let mut statement = connection.prepare_cached(&format!(
                "SELECT id, at_ms, tenant, actor, token, action, target, outcome, detail FROM audit
                 WHERE {of} AND id {than} ?2 ORDER BY id {order} LIMIT ?3"
            ))?;
            let rows = statement.query_map(params![tenant, page.key(), page.limit()], raw)?;
            let rows = rows.map(|row| {
                let (row, detail) = row?;
                Ok(AuditRow { detail: detail.map(|text| parsed("audit.detail", &text)).transpose()?, ..row })
            });
            Ok(page.cut(rows.collect::<Result<_, RegistryError>>()?))
        })
        .await
    }
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(AuditRow, Option<String>)> {
    let line = AuditRow {
        id: row.get(0)?,
        at_ms: row.get(1)?,
        tenant: row.get(2)?,
        actor: row.get(3)?,
        token: row.get(4)?,
        action: row.get(5)?,
        target: row.get(6)?,
        outcome: row.get(7)?,
        detail: None,
    };
    Ok((line, row.get(8)?))
}
