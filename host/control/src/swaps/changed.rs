//! A change of settings that is of running stages: the swaps that it takes, stored beside it and begun after it.

use std::sync::Arc;

use super::executor;
use super::job::{IfLate, SwapJob, Terms};
use super::{NewSwap, StageSwaps};
use crate::access::Actor;
use crate::error::ControlError;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::{NextStart, SwapRecord, SwapRow, SwapState};
use outboard_base::unix_time::now_ms;
use outboard_pipeline::settings::{PreviousStage, Settings};
use outboard_stage::StageKind;

/// Swaps that a change of settings begins, before anything is stored. Dropping them begins none.
#[derive(Default)]
pub(crate) struct PendingSwaps(Vec<(SwapJob, SwapRecord)>);

impl PendingSwaps {
    /// Settings without what the swaps change once they are cut over.
    pub(crate) fn without(&self, settings: &Settings) -> Settings {
        let mut now = settings.clone();
        for (job, _) in &self.0 {
            let (stage, old) = (now.stages.of_mut(job.kind), job.old.clone());
            (stage.component, stage.settings, stage.previous) = (old.component, old.settings, old.previous);
        }
        now
    }

    /// Whether the change swaps nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows to store with the change.
    pub(crate) fn records(&self) -> Vec<SwapRecord> {
        self.0.iter().map(|(_, record)| record.clone()).collect()
    }
}

impl StageSwaps {
    /// The swaps that lead from what runs to what is wanted; `note`: a person's words for the revisions that they make.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] for a component that cannot be loaded, [`ControlError::Conflict`] where the stage is being swapped.
    pub(crate) async fn prepare_change(
        &self,
        actor: &Actor,
        handle: &Arc<PipelineHandle>,
        (runs, wanted): (&Settings, &Settings),
        note: Option<&str>,
    ) -> Result<PendingSwaps, ControlError> {
        let mut pending = Vec::new();
        for kind in StageKind::ALL {
            let (old, new) = (runs.stages.of(kind).clone(), wanted.stages.of(kind).clone());
            if (&old.component, &old.settings) == (&new.component, &new.settings) {
                continue;
            }
            // The way back to the version before is open whatever that makes of the state.
            let back = old.previous.as_ref() == Some(&PreviousStage::from(&new));
            let terms = Terms { late: IfLate::Stretch, fresh_if_needed: back, ..Terms::of(&NewSwap::default()) };
            let next_start = NextStart { component: new.component.clone(), settings: new.settings.clone() };
            let job = self.prepare(actor, handle, kind, (old, new), terms, note).await?;
            let record = SwapRecord { next_start: Some(next_start), ..self.record(&job, None).await };
            pending.push((job, record));
        }
        Ok(PendingSwaps(pending))
    }

    /// What runs takes the rest of the change; begins the swaps. `rows`: what was stored of [`PendingSwaps::records`].
    pub(crate) async fn begin_change(
        &self,
        handle: &PipelineHandle,
        settings: &Settings,
        pending: PendingSwaps,
        rows: Vec<SwapRow>,
    ) {
        if let Some((_, swaps)) = handle.swaps() {
            for kind in StageKind::ALL {
                swaps.set_on_failure(kind, settings.stages.of(kind).on_failure.unwrap_or_default()).await;
            }
        }
        for ((job, _), row) in pending.0.into_iter().zip(rows) {
            self.begin(job, row);
        }
    }

    /// The pipeline is restarted for the change: ends the swaps at once, with the settings that the restart takes. The caller holds the
    /// lock for changes.
    ///
    /// # Errors
    /// The database cannot be written: a swap that was not ended is as after the end of the server.
    pub(crate) async fn settle_for_restart(
        &self,
        pending: PendingSwaps,
        rows: Vec<SwapRow>,
    ) -> Result<(), ControlError> {
        for ((job, _), mut row) in pending.0.into_iter().zip(rows) {
            row.swap.state = SwapState::Done;
            row.swap.reason = Some("the pipeline is restarted with this version".to_owned());
            (row.swap.ended_ms, row.swap.next_start) = (Some(now_ms()), None);
            self.settle_locked(&job, &row, executor::taken_over(&job), &job.note_of(&row)).await?;
            self.under_way.tell(&row);
        }
        Ok(())
    }
}
