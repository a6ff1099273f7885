//! A change of settings takes its way: planned before anything is stored, stored in one transaction, then taken by what runs.

use std::sync::Arc;

use super::{Apply, Pipelines};
use crate::access::Actor;
use crate::error::ControlError;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::{SettingsChange, SwapRow};
use crate::runner::{DesiredRun, LiveRun, StopMode, Taken};
use crate::settings_rules::kept;
use crate::swaps::PendingSwaps;
use outboard_pipeline::event::EventKind;
use outboard_pipeline::settings::{PipelineConfig, Settings};
use outboard_stage::StageKind;

/// What a change of settings does to a pipeline. Nothing is stored yet, and nothing that runs is touched.
pub(super) struct Planned {
    /// The settings that are stored now.
    now: Settings,
    /// What runs and takes the change on air; `None`: it counts with a start.
    on_air: Option<(LiveRun, PipelineConfig)>,
    /// Stages that take it on air by swaps; the settings follow when these are cut over.
    swaps: PendingSwaps,
    apply: Apply,
}

/// The event that tells of a new revision, given its number.
pub(super) type Telling<'a> = Option<&'a (dyn Fn(u64) -> (EventKind, String) + Sync)>;

impl Pipelines {
    /// Finds out what new settings that were checked would do. What runs takes them on air where it can; else `apply` says whether it is
    /// restarted for them.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] for a component that cannot be loaded.
    pub(super) async fn plan(
        &self,
        actor: &Actor,
        handle: &Arc<PipelineHandle>,
        settings: Settings,
        apply: Apply,
        note: Option<&str>,
    ) -> Result<Planned, ControlError> {
        let wanted = handle.settings();
        // What drains goes on air to its end as it is.
        let changes = apply == Apply::Now && handle.desired_running() && *wanted != settings;
        if let Some(running) = handle.live().filter(|_| changes) {
            // Against what runs: a change that waits for the next start is part of this one. A swap that is under way is not.
            let mut runs = (*running.settings).clone();
            let swapped = |kind: &StageKind| self.0.swaps.under_way(handle.id(), *kind).is_some();
            for kind in StageKind::ALL.into_iter().filter(swapped) {
                runs.stages.of_mut(kind).clone_from(wanted.stages.of(kind));
            }
            if runs.effect_of(&settings).is_live() {
                let storage = self.0.host.storage();
                let config = settings.check(&handle.id().stream, storage).map_err(ControlError::InvalidInput)?;
                let swaps = self.0.swaps.prepare_change(actor, handle, (&runs, &settings), note).await?;
                let now = swaps.without(&settings);
                return Ok(Planned { now, on_air: Some((running, config)), swaps, apply });
            }
        }
        Ok(Planned { now: settings, on_air: None, swaps: PendingSwaps::default(), apply })
    }

    /// Stores a planned change, tells of its revision, and has it taken by what runs. The caller holds the lock for changes.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where the revision is not the expected one. Then nothing changed.
    pub(super) async fn commit(
        &self,
        actor: &Actor,
        handle: &Arc<PipelineHandle>,
        planned: Planned,
        change: SettingsChange,
        tell: Telling<'_>,
    ) -> Result<(), ControlError> {
        let change = SettingsChange { settings: kept(&planned.now)?, swaps: planned.swaps.records(), ..change };
        let (changed, swaps) = self.0.registry.change_settings(actor, handle.id(), change).await?;
        let revision = changed.row.revision;
        if let Some((kind, what)) = tell.filter(|_| changed.changed).map(|tell| tell(revision)) {
            self.tell(handle.id(), kind, what).await;
        }
        if !changed.changed && swaps.is_empty() {
            return Ok(());
        }
        self.take(handle, revision, planned, swaps).await
    }

    /// What runs takes settings that are stored.
    async fn take(
        &self,
        handle: &PipelineHandle,
        revision: u64,
        planned: Planned,
        rows: Vec<SwapRow>,
    ) -> Result<(), ControlError> {
        let Planned { now, on_air, swaps, apply } = planned;
        let (settings, mut taken) = (Arc::new(now), None);
        if let Some((running, config)) = &on_air {
            match running.parts.apply(config) {
                Ok(()) => taken = Some(Taken { run: running.number, revision }),
                Err(error) => {
                    tracing::warn!(pipeline = %handle.id(), %error, "the change cannot be applied on air; restarting the pipeline");
                }
            }
        }
        handle.want(|wanted| {
            wanted.revision = revision;
            wanted.settings = settings.clone();
            match taken {
                Some(_) => wanted.taken = taken,
                None if swaps.is_empty() => restart(wanted, apply),
                // With what the swaps change.
                None => {}
            }
        });
        if taken.is_some() {
            self.0.swaps.begin_change(handle, &settings, swaps, rows).await;
        } else if !swaps.is_empty() {
            let settled = self.0.swaps.settle_for_restart(swaps, rows).await;
            handle.want(|wanted| restart(wanted, apply));
            settled?;
        }
        Ok(())
    }
}

/// What runs is started anew with the settings that are wanted, unless they wait for the next start.
fn restart(wanted: &mut DesiredRun, apply: Apply) {
    // What drains goes on air to its end.
    if apply == Apply::Now && wanted.running {
        // The journal has the place on air: the stream goes on there.
        wanted.mode = StopMode::AtOnce;
        wanted.turn += 1;
    }
}
