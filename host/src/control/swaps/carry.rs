//! Carries one swap out: checked, rehearsed, cut over, on probation, over. Each step is written down before the next.

mod air;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::air::Before;
use super::{Control, Order, PreviousStage, told};
use crate::control::registry::{SwapRow, SwapState, SwapStep, SwapStepTaken};
use crate::limits::{BATCH_SECONDS_DEFAULT, STAGE_STRETCH_LOOK};
use crate::pipeline::Watch;
use crate::pipeline::event::{EventKind, Severity};
use crate::pipeline::load::stage_settings;
use crate::settings::{Stage, key};
use crate::stage::rehearsal::Rehearsal;
use crate::stage::slot_status::{ProbationEnd, ProbationStatus};
use crate::stage::swap::{NewVersion, StageSlots};
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
    /// Why it starts from nothing though that was not asked for.
    anew: Option<&'static str>,
}

/// Runs to the swap's end.
pub(super) async fn carry(control: Control, order: Order, row: SwapRow) {
    let mut carrier = Carrier { control, order, row, anew: None };
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
                Ok(()) => Ended::done(Some("the pipeline is not running; its next start uses this version".to_owned())),
                Err(reason) => Ended::refused(reason, None),
            };
        };
        let mut wanted = NewVersion {
            component: self.order.component.clone(),
            settings: self.opening_settings(),
            fresh: self.row.swap.fresh,
            probation: self.row.swap.probation_wanted,
        };
        let Some(watch) = self.order.entry.watch() else {
            return Ended::refused("the pipeline was restarted in the meantime".to_owned(), None);
        };
        self.enter(SwapState::Rehearsing).await;
        if let Err(ended) = self.rehearse(&swaps, &mut wanted, &watch).await {
            return ended;
        }
        self.enter(SwapState::CuttingOver).await;
        if let Err(reason) = self.stretch(&watch, run).await {
            return Ended::refused(reason, None);
        }
        if let Some(reason) = self.control.0.swaps.called_off(self.row.id) {
            return Ended::refused(reason, None);
        }
        if self.order.entry.swaps().is_none_or(|(number, _)| number != run) {
            return Ended::refused("the pipeline was restarted in the meantime".to_owned(), None);
        }
        let mut cut = swaps.cut_over(self.order.kind, &wanted).await;
        if let Err(error) = &cut
            && error.is_unreadable_state()
            && self.starts_fresh(&mut wanted)
        {
            cut = swaps.cut_over(self.order.kind, &wanted).await;
        }
        let cut = match cut {
            Ok(cut) => cut,
            Err(error) if error.is_unreadable_state() => {
                return Ended::refused(format!("{error}; it can start without one (`fresh: true`)"), None);
            }
            Err(error) => return Ended::refused(error.to_string(), None),
        };
        let before = Before::of(&watch);
        // What decides is what a restart would take, before anybody is told.
        if let Err(reason) = self.settle_settings().await {
            swaps.roll_back(self.order.kind, reason.clone()).await;
            return Ended { state: SwapState::RolledBack, reason: Some(reason), evidence: None };
        }
        self.row.swap.state = SwapState::Probation;
        self.step(SwapStep::CutOver, cut.took, self.anew.map(str::to_owned)).await;
        let id = self.order.entry.id().clone();
        let what = told::cut_over(&self.row.swap, self.anew);
        self.control.tell_stage(&id, EventKind::StageSwapped, Severity::Info, what).await;
        self.probation(run, cut.probation, &swaps, (&watch, before)).await
    }

    /// Gives the version the recorded inputs, and looks at what it would do to the air. `Err`: the swap goes no further.
    async fn rehearse(&mut self, swaps: &StageSlots, wanted: &mut NewVersion, watch: &Watch) -> Result<(), Ended> {
        let began = Instant::now();
        let mut rehearsed = swaps.rehearse(self.order.kind, wanted).await;
        if let Err(unfit) = &rehearsed
            && unfit.error.is_unreadable_state()
            && self.starts_fresh(wanted)
        {
            rehearsed = swaps.rehearse(self.order.kind, wanted).await;
        }
        let mut rehearsal = rehearsed.map_err(|unfit| {
            let reason = match unfit.error.is_unreadable_state() {
                true => format!("{}; it can start without one (`fresh: true`)", unfit.error),
                false => unfit.error.to_string(),
            };
            self.row.swap.rehearsal = Some(unfit.rehearsal);
            Ended::refused(reason, Some(unfit.evidence))
        })?;
        air::judge(&mut rehearsal, watch);
        self.row.swap.rehearsal = Some(rehearsal.clone());
        self.step(SwapStep::Rehearsed, began.elapsed(), Some(told::rehearsed(&rehearsal))).await;
        let terms = self.order.terms;
        if terms.rehearse_only {
            let reason = rehearsal.would_go_off_air().then(|| air::sentence(&rehearsal));
            return Err(Ended { state: SwapState::Rehearsed, reason, evidence: None });
        }
        match air::refusal(&rehearsal, terms.late) {
            Some(reason) => Err(Ended::refused(reason, None)),
            None => Ok(()),
        }
    }

    /// Where the version cannot read the running one's state and may do without: it starts from nothing.
    fn starts_fresh(&mut self, wanted: &mut NewVersion) -> bool {
        if !self.order.terms.fresh_if_needed || wanted.fresh {
            return false;
        }
        (wanted.fresh, self.row.swap.fresh) = (true, true);
        self.anew = Some("it starts without state, because it cannot read the state of the previous version");
        true
    }

    /// Follows the probation to its end, or to the pipeline's; takes the version back where it harms the air.
    async fn probation(
        &mut self,
        run: u64,
        mut trial: watch::Receiver<ProbationStatus>,
        swaps: &StageSlots,
        (watch, before): (&Watch, Before),
    ) -> Ended {
        let entry = self.order.entry.clone();
        let (mut runs, mut stats) = (entry.runs(), watch.changes());
        // A gap that was asked for is no reason to go back.
        let asked_for = self.row.swap.rehearsal.as_ref().is_some_and(Rehearsal::would_go_off_air);
        loop {
            if trial.borrow().end.is_none() {
                let harm = || before.harm(self.order.kind, watch).filter(|_| !asked_for);
                if let Some(reason) = self.control.0.swaps.called_off(self.row.id).or_else(harm) {
                    swaps.roll_back(self.order.kind, reason).await;
                }
            }
            let now = trial.borrow_and_update().clone();
            self.row.swap.different = now.different;
            if now.done > self.row.swap.probation_done {
                self.row.swap.probation_done = now.done;
                self.step(SwapStep::Batch, Duration::ZERO, Some(format!("{} of {}", now.done, now.wanted))).await;
            }
            match now.end {
                Some(ProbationEnd::Passed) => {
                    self.step(SwapStep::Passed, Duration::ZERO, None).await;
                    return Ended::done(None);
                }
                Some(ProbationEnd::RolledBack { reason, evidence }) => {
                    if let Err(error) = self.restore_settings().await {
                        tracing::error!(
                            error,
                            "failed to store in the settings that the previous version is in use again"
                        );
                    }
                    return Ended { state: SwapState::RolledBack, reason: Some(reason), evidence };
                }
                None => {}
            }
            tokio::select! {
                _ = trial.changed() => {}
                _ = stats.changed() => {}
                () = tokio::time::sleep(STAGE_STRETCH_LOOK) => {}
                _ = runs.wait_for(|now| now.swaps.as_ref().is_none_or(|(number, _)| *number != run)) => {
                    if trial.borrow().end.is_some() {
                        continue;
                    }
                    let reason = "the pipeline ended during probation; the new version stays".to_owned();
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
        let what = |verb: &str| format!("{}: {} {verb}: {reason}", swap.kind, told::subject(&swap));
        match state {
            SwapState::Refused => {
                if self.order.written
                    && let Err(error) = self.restore_settings().await
                {
                    tracing::error!(error, "failed to store in the settings that the previous version stays in use");
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
        self.control.0.swaps.forget(&seat, self.row.id);
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
        self.write(change, format!("swap {} was rolled back", self.row.id)).await
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
            tracing::error!(swap = self.row.id, %error, "failed to store a step of a swap");
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
