//! What a pipeline is set to changes: at once, or with a swap of a running stage.
//!
//! A swap has one order. First the wish: the swap's row, beside what else was changed, in one transaction. Then, once the new version
//! decides, the settings and the swap's step in one transaction; a version that is taken back leaves them the same way. So the
//! settings name a version that was cut over to, or the row says that none was, whenever the process ends: see
//! [`Registry::interrupt_swaps`].

use rusqlite::Transaction;
use serde_json::{Value, json};

use super::audit::NewAudit;
use super::pipelines::{self, PipelineRow, target, there};
use super::revisions::{self, NewRevision};
use super::swaps::{self, NextStart, SwapRecord, SwapRow, SwapState};
use super::{Change, Registry, RegistryError, differences, kept};
use crate::access::{Action, Actor};
use crate::hidden::Hidden;
use crate::id::PipelineId;
use outboard_base::unix_time::now_ms;
use outboard_stage::StageKind;

/// A change of what a pipeline is set to.
#[derive(Debug, Clone, Default)]
pub struct SettingsChange {
    /// The settings that count from now on, checked; they hold secrets.
    pub settings: Hidden<Value>,
    /// The revision that the caller saw; another one is a conflict, unless nothing changes.
    pub expected: Option<u64>,
    /// A person's words for the revision.
    pub note: Option<String>,
    /// The earlier revision that the caller goes back to.
    pub back_to: Option<u64>,
    /// Swaps that are begun with it; what they change is not in `settings` yet.
    pub swaps: Vec<SwapRecord>,
}

impl Registry {
    /// Changes what a pipeline is set to, and begins swaps, or does nothing at all. [`Change::changed`]: there is a new revision.
    pub async fn change_settings(
        &self,
        actor: &Actor,
        id: &PipelineId,
        change: SettingsChange,
    ) -> Result<(Change<PipelineRow>, Vec<SwapRow>), RegistryError> {
        pipelines::check(&change.settings)?;
        let (id, actor) = (id.clone(), actor.clone());
        self.write(move |transaction| {
            let changed = set(transaction, &actor, &id, &change)?;
            let begin = |swap: SwapRecord| swaps::add(transaction, &actor, &id, swap);
            let begun = change.swaps.into_iter().map(begin).collect::<Result<_, _>>()?;
            Ok((changed, begun))
        })
        .await
    }

    /// Stores new settings as [`Self::change_settings`] does, without beginning swaps.
    pub async fn update_pipeline(
        &self,
        actor: &Actor,
        id: &PipelineId,
        settings: Hidden<Value>,
        expected: Option<u64>,
        note: Option<String>,
    ) -> Result<Change<PipelineRow>, RegistryError> {
        let change = SettingsChange { settings, expected, note, ..SettingsChange::default() };
        Ok(self.change_settings(actor, id, change).await?.0)
    }

    /// Stores how far a swap is together with the settings that follow from it.
    pub async fn settle_swap(
        &self,
        actor: &Actor,
        row: &SwapRow,
        settings: Hidden<Value>,
        note: String,
    ) -> Result<Change<PipelineRow>, RegistryError> {
        pipelines::check(&settings)?;
        let (actor, row) = (actor.clone(), row.clone());
        self.write(move |transaction| {
            swaps::save(transaction, &row)?;
            let change = SettingsChange { settings, note: Some(note), ..SettingsChange::default() };
            set(transaction, &actor, &row.pipeline, &change)
        })
        .await
    }

    /// Ends the swaps that the last process left in the middle, and answers them. One that was not cut over changed nothing; but where it
    /// came from a change of settings ([`SwapRecord::next_start`]), the pipeline starts with what it was changed to: `settle` puts that
    /// into the settings, or answers `None` where they cannot be read.
    pub async fn interrupt_swaps(
        &self,
        settle: impl Fn(&Value, StageKind, NextStart) -> Option<Value> + Send + 'static,
    ) -> Result<Vec<SwapRow>, RegistryError> {
        self.write(move |transaction| {
            let mut interrupted = swaps::unfinished(transaction)?;
            for row in &mut interrupted {
                let next_start = row.swap.next_start.take().filter(|_| !row.swap.was_cut_over());
                let settings = match next_start {
                    Some(next_start) => {
                        let before = there(transaction, &row.pipeline)?.settings;
                        settle(before.get(), row.swap.kind, next_start)
                    }
                    None => None,
                };
                let swap = &mut row.swap;
                let reason = match (swap.was_cut_over(), &settings) {
                    (true, _) => "the server ended during probation; the new version stays",
                    (false, Some(_)) => {
                        "the server ended before the cut-over; the pipeline starts with the new version"
                    }
                    (false, None) => "the server ended before the cut-over; nothing changed",
                };
                (swap.state, swap.reason, swap.ended_ms) =
                    (SwapState::Interrupted, Some(reason.to_owned()), Some(now_ms()));
                swaps::save(transaction, row)?;
                if let Some(settings) = settings {
                    let (settings, note) = (settings.into(), Some(format!("swap {}: {reason}", row.id)));
                    let change = SettingsChange { settings, note, ..SettingsChange::default() };
                    set(transaction, &Actor::local("host"), &row.pipeline, &change)?;
                }
            }
            Ok(interrupted)
        })
        .await
    }
}

/// Makes a revision of the settings where they differ from the newest one, and writes the line of the audit log.
fn set(
    transaction: &Transaction<'_>,
    actor: &Actor,
    id: &PipelineId,
    change: &SettingsChange,
) -> Result<Change<PipelineRow>, RegistryError> {
    let before = there(transaction, id)?;
    let action = if change.back_to.is_some() { Action::RollBackPipeline } else { Action::UpdatePipeline };
    let audit = NewAudit::new(actor, action, Some(&id.tenant), target(id));
    let same = before.settings == change.settings;
    if same && change.swaps.is_empty() {
        audit.changed(false).write(transaction)?;
        return Ok(Change::none(before));
    }
    expect(&before, change.expected)?;
    if same {
        // The swaps have lines of their own.
        return Ok(Change::none(before));
    }
    let changed = differences(before.settings.get(), change.settings.get());
    let note = match change.back_to {
        Some(to) => Some(format!("back to revision {to}")),
        None => change.note.clone(),
    };
    let new = NewRevision { settings: &change.settings, note, by: &kept(&actor.name) };
    let number = revisions::add(transaction, id, &new)?;
    let mut detail = json!({ "revision": number, "changed": changed });
    if let Some(to) = change.back_to {
        detail["to"] = to.into();
    }
    audit.detail(detail).write(transaction)?;
    Ok(Change::new(there(transaction, id)?))
}

/// What is said where the caller saw another revision than is there.
fn expect(row: &PipelineRow, expected: Option<u64>) -> Result<(), RegistryError> {
    match expected {
        Some(expected) if expected != row.revision => Err(RegistryError::Conflict(format!(
            "pipeline {} is at revision {}, not at {expected}: read it again",
            row.id, row.revision
        ))),
        _ => Ok(()),
    }
}
