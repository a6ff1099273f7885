//! Roll-outs: the same swap in all pipelines of a tenant, one after the other.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::NewAudit;
use super::{Registry, RegistryError, parsed, prune, written};
use crate::control::access::{Action, Actor};
use crate::control::words::words;
use crate::limits::ROLL_OUTS_KEPT;
use crate::stage::{ComponentLabel, StageKind};
use crate::unix_time::now_ms;

words! {
    /// How far a roll-out is.
    pub enum RollOutState {
        /// Swaps are under way.
        Running = "running",
        /// Every pipeline has it.
        Done = "done",
        /// A swap did not end well; the pipelines after it were left as they are.
        Stopped = "stopped",
        /// The server ended in the middle.
        Interrupted = "interrupted",
    }
}

/// What a roll-out is about, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollOutRecord {
    /// The stage that is swapped in each pipeline.
    pub kind: StageKind,
    /// The version that is wanted.
    pub to: ComponentLabel,
    /// Who asked for it.
    pub requested_by: String,
    /// How far it is.
    pub state: RollOutState,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// Swaps so far, oldest first.
    pub swaps: Vec<u64>,
    /// Streams whose turn is still to come.
    pub waiting: Vec<String>,
    /// Unix time in milliseconds.
    pub started_ms: u64,
    /// Unix time in milliseconds.
    pub ended_ms: Option<u64>,
}

/// A roll-out as it is stored.
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
    /// Writes down that a roll-out was asked for.
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

    /// Writes down how far a roll-out is.
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

    /// Ends the roll-outs that the last process left in the middle.
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
