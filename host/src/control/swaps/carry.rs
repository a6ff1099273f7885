//! Carries one swap out: checked, rehearsed, cut over, on probation, over. Each step is written down before the next.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Control, Order, PreviousStage};
use crate::control::registry::{SwapRow, SwapState, SwapStep, SwapStepTaken};
use crate::control::settings::{Stage, key};
use crate::limits::BATCH_SECONDS_DEFAULT;
use crate::pipeline::event::{EventKind, Severity};
use crate::pipeline::load::stage_settings;
use crate::stage::face::{Trial, TrialEnd};
use crate::stage::swap::{Swaps, Wanted};
use crate::unix_time::now_ms;

/// Why a swap went no further.
struct Ended {
    state: SwapState,
    reason: Option<String>,
    evidence: Option<String>,
}

/// A swap that is being carried out.
struct Carrier {
    control: Control,
    order: Order,
    row: SwapRow,
}

/// Runs to the swap's end.
pub(super) async fn carry(control: Control, order: Order, row: SwapRow) {
    let mut carrier = Carrier { control, order, row };
    let ended = carrier.steps().await;
    carrier.end(ended).await;
}

impl Carrier {
    async fn steps(&mut self) -> Ended {
        let description = self.order.component.description();
        let what = format!("{} {}, {} bytes", description.name, description.version, self.order.component.size());
        self.step(SwapStep::Checked, Duration::ZERO, Some(what)).await;
        let Some((run, swaps)) = self.order.entry.swaps() else {
            return match self.settle_settings().await {
                Ok(()) => Ended::done(Some("the pipeline does not run; its next start takes this version".to_owned())),
                Err(reason) => Ended::refused(reason, None),
            };
        };
        let wanted = Wanted {
            component: self.order.component.clone(),
            settings: self.opening_settings(),
            fresh: self.row.swap.fresh,
            probation: self.row.swap.probation_wanted,
        };
        self.enter(SwapState::Rehearsing).await;
        let began = Instant::now();
        match swaps.rehearse(self.order.kind, &wanted).await {
            Ok(rehearsal) => {
                self.row.swap.rehearsal = Some(rehearsal);
                let detail = match rehearsal.calls {
                    0 => "nothing was recorded yet".to_owned(),
                    calls => format!("{} of {calls} calls answered as by the running version", rehearsal.same),
                };
                self.step(SwapStep::Rehearsed, began.elapsed(), Some(detail)).await;
            }
            Err(unfit) => {
                self.row.swap.rehearsal = Some(unfit.rehearsal);
                return Ended::refused(unfit.error.to_string(), Some(unfit.evidence));
            }
        }
        self.enter(SwapState::CuttingOver).await;
        if self.order.entry.swaps().is_none_or(|(number, _)| number != run) {
            return Ended::refused("the pipeline was restarted in the meantime".to_owned(), None);
        }
        let cut = match swaps.cut_over(self.order.kind, &wanted).await {
            Ok(cut) => cut,
            Err(error) if error.is_unreadable_state() => {
                return Ended::refused(format!("{error}; it can start without one (`fresh: true`)"), None);
            }
            Err(error) => return Ended::refused(error.to_string(), None),
        };
        // What decides is what a restart would take, before anybody is told.
        if let Err(reason) = self.settle_settings().await {
            swaps.roll_back(self.order.kind, reason.clone()).await;
            return Ended { state: SwapState::RolledBack, reason: Some(reason), evidence: None };
        }
        self.row.swap.state = SwapState::Probation;
        self.step(SwapStep::CutOver, cut.took, None).await;
        let swap = &self.row.swap;
        let what = format!(
            "{}: {} {} decides instead of {} {}",
            swap.kind, swap.to.name, swap.to.version, swap.from.name, swap.from.version
        );
        let id = self.order.entry.id().clone();
        self.control.tell_stage(&id, EventKind::StageSwapped, Severity::Info, what).await;
        self.probation(run, cut.trial, &swaps).await
    }

    /// Follows the probation to its end, or to the pipeline's.
    async fn probation(&mut self, run: u64, mut trial: watch::Receiver<Trial>, _alive: &Swaps) -> Ended {
        let entry = self.order.entry.clone();
        let mut runs = entry.runs();
        loop {
            let now = trial.borrow_and_update().clone();
            self.row.swap.different = now.different;
            if now.done > self.row.swap.probation_done {
                self.row.swap.probation_done = now.done;
                self.step(SwapStep::Batch, Duration::ZERO, Some(format!("{} of {}", now.done, now.wanted))).await;
            }
            match now.end {
                Some(TrialEnd::Passed) => {
                    self.step(SwapStep::Passed, Duration::ZERO, None).await;
                    return Ended::done(None);
                }
                Some(TrialEnd::RolledBack { reason, evidence }) => {
                    if let Err(error) = self.restore_settings().await {
                        tracing::error!(error, "the settings do not say that the old version decides again");
                    }
                    return Ended { state: SwapState::RolledBack, reason: Some(reason), evidence };
                }
                None => {}
            }
            tokio::select! {
                _ = trial.changed() => {}
                _ = runs.wait_for(|now| now.swaps.as_ref().is_none_or(|(number, _)| *number != run)) => {
                    if trial.borrow().end.is_some() {
                        continue;
                    }
                    let reason = "the pipeline ended on its probation; the new version stays".to_owned();
                    return Ended { state: SwapState::Interrupted, reason: Some(reason), evidence: None };
                }
            }
        }
    }

    async fn end(&mut self, ended: Ended) {
        let Ended { state, reason, evidence } = ended;
        (self.row.swap.state, self.row.swap.evidence) = (state, evidence);
        (self.row.swap.reason, self.row.swap.ended_ms) = (reason.clone(), Some(now_ms()));
        let (id, reason) = (self.order.entry.id().clone(), reason.unwrap_or_default());
        let swap = self.row.swap.clone();
        let what = |verb: &str| format!("{}: {} {} {verb}: {reason}", swap.kind, swap.to.name, swap.to.version);
        match state {
            SwapState::Refused => {
                if self.order.written
                    && let Err(error) = self.restore_settings().await
                {
                    tracing::error!(error, "the settings do not say that the old version stays");
                }
                self.step(SwapStep::Refused, Duration::ZERO, None).await;
                self.control.tell_stage(&id, EventKind::StageFailed, Severity::Warning, what("was refused")).await;
            }
            SwapState::RolledBack => {
                self.step(SwapStep::RolledBack, Duration::ZERO, None).await;
                let what = what("was rolled back");
                self.control.tell_stage(&id, EventKind::StageRolledBack, Severity::Warning, what).await;
            }
            _ => self.save().await,
        }
        let seat = (id, self.order.kind);
        self.control.0.swaps.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&seat);
        // Once more: whoever waits for the end may ask for the next swap now.
        self.control.tell_swap(&self.row);
    }

    /// The settings that the stage is opened with.
    fn opening_settings(&self) -> String {
        let Order { entry, kind, new, .. } = &self.order;
        let batch_seconds = entry.settings().batch_seconds.unwrap_or(BATCH_SECONDS_DEFAULT);
        stage_settings(key(*kind), new.component.is_some(), new.settings.clone(), batch_seconds)
    }

    /// The settings say what decides from now on.
    async fn settle_settings(&self) -> Result<(), String> {
        let (old, new) = (self.order.old.clone(), self.order.new.clone());
        let change = move |stage: &mut Stage| {
            (stage.component, stage.settings) = (new.component, new.settings);
            stage.previous = Some(PreviousStage::from(&old));
        };
        self.write(change, format!("swap {}", self.row.id)).await
    }

    /// The settings say again what they said before.
    async fn restore_settings(&self) -> Result<(), String> {
        let old = self.order.old.clone();
        let change = move |stage: &mut Stage| {
            (stage.component, stage.settings, stage.previous) = (old.component, old.settings, old.previous);
        };
        self.write(change, format!("swap {} was taken back", self.row.id)).await
    }

    async fn write(&self, change: impl FnOnce(&mut Stage), note: String) -> Result<(), String> {
        let Order { actor, entry, kind, .. } = &self.order;
        self.control.set_stage(actor, entry, *kind, change, note).await.map_err(|error| error.to_string())
    }

    async fn enter(&mut self, state: SwapState) {
        self.row.swap.state = state;
        self.save().await;
    }

    async fn step(&mut self, step: SwapStep, took: Duration, detail: Option<String>) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.row.swap.steps.push(SwapStepTaken { step, at_ms: now_ms(), took_us, detail });
        self.save().await;
    }

    async fn save(&self) {
        if let Err(error) = self.control.0.registry.save_swap(&self.row).await {
            tracing::error!(swap = self.row.id, %error, "a step of a swap is not written down");
        }
        self.control.tell_swap(&self.row);
    }
}

impl Ended {
    fn done(reason: Option<String>) -> Self {
        Self { state: SwapState::Done, reason, evidence: None }
    }

    fn refused(reason: String, evidence: Option<String>) -> Self {
        Self { state: SwapState::Refused, reason: Some(reason), evidence }
    }
}
