//! Swaps of stages: who requested what, each step with its time, and the result. Limited per pipeline.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::audit::NewAudit;
use super::{Registry, RegistryError, next_seq, parsed, prune, written};
use crate::access::{Action, Actor};
use crate::id::PipelineId;
use crate::limits::SWAPS_KEPT;
use crate::words::words;
use outboard_stage::rehearsal::Rehearsal;
use outboard_stage::{ComponentLabel, StageKind};
use outboard_store::page::{Listed, Page};

words! {
    /// The progress of a swap.
    pub enum SwapState {
        /// The component is being checked and compiled.
        Checking = "checking",
        /// It is being tested on the last recorded inputs.
        Rehearsing = "rehearsing",
        /// It is being opened with the running version's state.
        CuttingOver = "cutting-over",
        /// It decides, with the previous version running beside it.
        Probation = "probation",
        /// The probation has passed; the new version stays.
        Done = "done",
        /// It was only rehearsed, as requested; nothing changed.
        Rehearsed = "rehearsed",
        /// The component was refused; nothing changed.
        Refused = "refused",
        /// The previous version decides again.
        RolledBack = "rolled-back",
        /// The server or the pipeline ended during the swap; `reason` says which version stays.
        Interrupted = "interrupted",
    }
}

words! {
    /// A completed step of a swap.
    pub enum SwapStep {
        /// It is a component of this kind, and compiled.
        Checked = "checked",
        /// It accepted the last recorded inputs.
        Rehearsed = "rehearsed",
        /// The air clock ran slower until the longer batches of the new version were in time.
        Stretched = "stretched",
        /// It decides from here on.
        CutOver = "cut-over",
        /// It decided one more batch of its probation.
        Batch = "batch",
        /// The probation has ended.
        Passed = "passed",
        /// The component was refused.
        Refused = "refused",
        /// The previous version took over again.
        RolledBack = "rolled-back",
    }
}

/// A completed step and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwapStepTaken {
    /// The step that was completed.
    pub step: SwapStep,
    /// When it was done, Unix time in milliseconds.
    pub at_ms: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Further information, in a sentence.
    pub detail: Option<String>,
}

/// A version of a stage as settings name it. Its own settings are in no debug print: they may hold secrets.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NextStart {
    /// `sha256:…` of the component; `None`: the bundled one.
    pub component: Option<String>,
    /// Its own settings; `None`: its defaults.
    pub settings: Option<serde_json::Value>,
}

/// What a swap is about, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwapRecord {
    /// The stage that is swapped.
    pub kind: StageKind,
    /// The component that ran before the swap.
    pub from: ComponentLabel,
    /// The component that runs after the swap.
    pub to: ComponentLabel,
    /// Whether its settings differ from those of the previous version.
    pub settings_changed: bool,
    /// Whether it starts without the previous version's state.
    pub fresh: bool,
    /// Whether it is executed even if its batches are late.
    #[serde(default)]
    pub force: bool,
    /// Whether it ends after the rehearsal.
    #[serde(default)]
    pub rehearse_only: bool,
    /// Name of the caller who requested it.
    pub requested_by: String,
    /// The roll-out that it is part of.
    pub roll_out: Option<u64>,
    /// The progress of the swap.
    pub state: SwapState,
    /// Why it ended this way.
    pub reason: Option<String>,
    /// When it began, Unix time in milliseconds.
    pub started_ms: u64,
    /// When it ended, Unix time in milliseconds.
    pub ended_ms: Option<u64>,
    /// Completed steps, oldest first.
    pub steps: Vec<SwapStepTaken>,
    /// The result of the rehearsal.
    pub rehearsal: Option<Rehearsal>,
    /// Batches of the probation that it has decided.
    pub probation_done: u32,
    /// Batches that it must decide.
    pub probation_wanted: u32,
    /// Calls that the previous version would have answered differently.
    pub different: u64,
    /// Id of the evidence of its failure.
    pub evidence: Option<String>,
    /// What the pipeline starts with where the server ends before the cut-over: a change of settings that was acknowledged is not lost
    /// with the process. `None`: the version that runs, as of a swap that was asked for as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_start: Option<NextStart>,
}

/// A swap as it is stored in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct SwapRow {
    /// Number of the swap; later ones have higher numbers.
    pub id: u64,
    /// The pipeline whose stage is swapped.
    pub pipeline: PipelineId,
    /// Its progress as it was last stored.
    pub swap: SwapRecord,
}

const SWAP: &str = "SELECT id, tenant, stream, record FROM swap";

// === impl NextStart ===

impl fmt::Debug for NextStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextStart").field("component", &self.component).finish_non_exhaustive()
    }
}

// === impl SwapRecord ===

impl SwapRecord {
    /// Whether the swap has ended.
    pub fn is_over(&self) -> bool {
        use SwapState::{Done, Interrupted, Refused, Rehearsed, RolledBack};
        matches!(self.state, Done | Rehearsed | Refused | RolledBack | Interrupted)
    }

    /// Whether the new version was on air.
    pub fn was_cut_over(&self) -> bool {
        self.steps.iter().any(|taken| taken.step == SwapStep::CutOver)
    }
}

// === impl Registry ===

impl Registry {
    /// Stores the wish for a swap; nothing else changes.
    pub async fn create_swap(
        &self,
        actor: &Actor,
        pipeline: &PipelineId,
        swap: SwapRecord,
    ) -> Result<SwapRow, RegistryError> {
        let (actor, pipeline) = (actor.clone(), pipeline.clone());
        self.write(move |transaction| add(transaction, &actor, &pipeline, swap)).await
    }

    /// Stores how far a swap is. Where settings follow from that: [`Registry::settle_swap`].
    pub async fn save_swap(&self, row: &SwapRow) -> Result<(), RegistryError> {
        let row = row.clone();
        self.write(move |transaction| save(transaction, &row)).await
    }

    /// Reads one swap; `None`: it does not exist, or was removed as the oldest.
    pub async fn swap(&self, id: u64) -> Result<Option<SwapRow>, RegistryError> {
        self.read(move |connection| one(connection, id)).await
    }

    /// A pipeline's swaps, keyed by id.
    pub async fn swaps(&self, pipeline: &PipelineId, page: Page) -> Result<Listed<SwapRow>, RegistryError> {
        let pipeline = pipeline.clone();
        self.read(move |connection| {
            let (than, order) = page.words();
            let mut statement = connection.prepare_cached(&format!(
                "{SWAP} WHERE tenant = ?1 AND stream = ?2 AND id {than} ?3 ORDER BY id {order} LIMIT ?4"
            ))?;
            let of = params![pipeline.tenant, pipeline.stream, page.key(), page.limit()];
            let rows = statement.query_map(of, raw)?;
            Ok(page.cut(rows.map(|row| read(row?)).collect::<Result<_, RegistryError>>()?))
        })
        .await
    }
}

/// Adds a swap, its line of the audit log, and removes the pipeline's oldest where it is time.
pub(super) fn add(
    transaction: &Transaction<'_>,
    actor: &Actor,
    pipeline: &PipelineId,
    swap: SwapRecord,
) -> Result<SwapRow, RegistryError> {
    let newest = transaction
        .prepare_cached("SELECT seq FROM swap WHERE tenant = ? AND stream = ? ORDER BY id DESC LIMIT 1")?
        .query_row(params![pipeline.tenant, pipeline.stream], |row| row.get(0))
        .optional()?;
    let (seq, is_time) = next_seq(newest);
    transaction.execute(
        "INSERT INTO swap (tenant, stream, seq, state, record) VALUES (?, ?, ?, ?, ?)",
        params![pipeline.tenant, pipeline.stream, seq, swap.state, written(&swap)],
    )?;
    let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
    if is_time {
        let group = "tenant = ?1 AND stream = ?2";
        prune(transaction, ("swap", group), &[&pipeline.tenant, &pipeline.stream], SWAPS_KEPT)?;
    }
    let detail = serde_json::json!({
        "kind": swap.kind,
        "to": swap.to.digest,
        "fresh": swap.fresh,
        "force": swap.force,
        "rehearseOnly": swap.rehearse_only,
    });
    NewAudit::new(actor, Action::SwapStage, Some(&pipeline.tenant), format!("pipeline {pipeline}"))
        .detail(detail)
        .write(transaction)?;
    Ok(SwapRow { id, pipeline: pipeline.clone(), swap })
}

/// Stores a swap as it is now.
pub(super) fn save(transaction: &Transaction<'_>, row: &SwapRow) -> Result<(), RegistryError> {
    transaction.prepare_cached("UPDATE swap SET state = ?, record = ? WHERE id = ?")?.execute(params![
        row.swap.state,
        written(&row.swap),
        row.id
    ])?;
    Ok(())
}

/// Swaps that are not over, oldest first.
pub(super) fn unfinished(transaction: &Transaction<'_>) -> Result<Vec<SwapRow>, RegistryError> {
    use SwapState::{Done, Interrupted, Refused, Rehearsed, RolledBack};
    let mut statement = transaction.prepare(&format!("{SWAP} WHERE state NOT IN (?, ?, ?, ?, ?) ORDER BY id"))?;
    let rows = statement.query_map(params![Done, Rehearsed, Refused, RolledBack, Interrupted], raw)?;
    rows.map(|row| read(row?)).collect()
}

fn one(connection: &Connection, id: u64) -> Result<Option<SwapRow>, RegistryError> {
    let mut statement = connection.prepare_cached(&format!("{SWAP} WHERE id = ?"))?;
    statement.query_row([id], raw).optional()?.map(read).transpose()
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(u64, PipelineId, String)> {
    Ok((row.get(0)?, PipelineId { tenant: row.get(1)?, stream: row.get(2)? }, row.get(3)?))
}

fn read((id, pipeline, record): (u64, PipelineId, String)) -> Result<SwapRow, RegistryError> {
    Ok(SwapRow { id, pipeline, swap: parsed("swap.record", &record)? })
}
