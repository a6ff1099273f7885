//! Roll-outs: the same swap in all pipelines of a tenant, one after the other.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::NewAudit;
use super::{Registry, RegistryError, parsed, prune, written};
use crate::access::{Action, Actor};
use crate::limits::ROLL_OUTS_KEPT;
use crate::words::words;
use outboard_base::unix_time::now_ms;
use outboard_stage::{ComponentLabel, StageKind};

words! {
    /// The progress of a roll-out.
    pub enum RollOutState {
        /// Swaps are in progress.
        Running = "running",
        /// Every pipeline was swapped.
        Done = "done",
        /// A swap failed; the pipelines after it were not changed.
        Stopped = "stopped",
        /// The server ended during the roll-out.
        Interrupted = "interrupted",
    }
}

/// The subject and the progress of a roll-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollOutRecord {
    /// The stage that is swapped in each pipeline.
    pub kind: StageKind,
    /// The component that each pipeline gets.
    pub to: ComponentLabel,
    /// Name of the caller who requested it.
    pub requested_by: String,
    /// The progress of the roll-out.
    pub state: RollOutState,
    /// Why it ended this way.
    pub reason: Option<String>,
    /// Swaps so far, oldest first.
    pub swaps: Vec<u64>,
    /// Streams whose swap has not begun.
    pub waiting: Vec<String>,
    /// When it began, Unix time in milliseconds.
    pub started_ms: u64,
    /// When it ended, Unix time in milliseconds.
    pub ended_ms: Option<u64>,
}

/// A roll-out as it is stored in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct RollOutRow {
    /// Number of the roll-out; later ones have higher numbers.
    pub id: u64,
    /// The tenant whose pipelines are swapped.
    pub tenant: String,
    /// Its progress as it was last stored.
    pub roll_out: RollOutRecord,
}

// === impl Registry ===

impl Registry {
    /// Records a requested roll-out.
    pub async fn create_roll_out(
        &self,
        actor: &Actor,
        tenant: &str,
        roll_out: RollOutRecord,
    ) -> Result<RollOutRow, RegistryError> {
        let (actor, tenant) = (actor.clone(), tenant.to_owned());
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO roll_out (tenant, state, record) VALUES (?, ?, ?)",
                params![tenant, roll_out.state, written(&roll_out)],
            )?;
            let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
            prune(transaction, ("roll_out", "tenant = ?1"), &[&tenant], ROLL_OUTS_KEPT)?;
            NewAudit::new(&actor, Action::RollOutStage, Some(&tenant), format!("tenant {tenant}"))
                .detail(json!({ "kind": roll_out.kind, "to": roll_out.to.digest, "pipelines": roll_out.waiting }))
                .write(transaction)?;
            Ok(RollOutRow { id, tenant, roll_out })
        })
        .await
    }

    /// Stores the progress of a roll-out.
    pub async fn save_roll_out(&self, row: &RollOutRow) -> Result<(), RegistryError> {
        let (id, state, record) = (row.id, row.roll_out.state, written(&row.roll_out));
        self.write(move |transaction| {
            transaction
                .execute("UPDATE roll_out SET state = ?, record = ? WHERE id = ?", params![state, record, id])?;
            Ok(())
        })
        .await
    }

    /// Reads one roll-out; `None`: it does not exist, or was removed as the oldest.
    pub async fn roll_out(&self, id: u64) -> Result<Option<RollOutRow>, RegistryError> {
        self.read(move |connection| one(connection, id)).await
    }

    /// Ends the roll-outs that the previous process did not finish.
    pub async fn interrupt_roll_outs(&self) -> Result<(), RegistryError> {
        self.write(|transaction| {
            let mut statement = transaction.prepare("SELECT id, tenant, record FROM roll_out WHERE state = ?")?;
            let rows = statement.query_map([RollOutState::Running], raw)?;
            for row in rows.collect::<Result<Vec<_>, _>>()? {
                let mut row = read(row)?;
                let reason = "the server ended during the rollout; pipelines already swapped keep the new version, the others are unchanged";
                row.roll_out.state = RollOutState::Interrupted;
                (row.roll_out.reason, row.roll_out.ended_ms) = (Some(reason.to_owned()), Some(now_ms()));
                transaction.execute(
                    "UPDATE roll_out SET state = ?, record = ? WHERE id = ?",
                    params![row.roll_out.state, written(&row.roll_out), row.id],
                )?;
            }
            Ok(())
        })
        .await
    }
}

fn one(connection: &Connection, id: u64) -> Result<Option<RollOutRow>, RegistryError> {
    let mut statement = connection.prepare_cached("SELECT id, tenant, record FROM roll_out WHERE id = ?")?;
    statement.query_row([id], raw).optional()?.map(read).transpose()
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(u64, String, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn read((id, tenant, record): (u64, String, String)) -> Result<RollOutRow, RegistryError> {
    Ok(RollOutRow { id, tenant, roll_out: parsed("roll_out.record", &record)? })
}
