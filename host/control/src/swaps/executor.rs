//! The task of one swap: checked, rehearsed, cut over, on probation, over. Each step is stored before the next begins.
//!
//! In: a [`SwapJob`] and the row that says so. Out: the row, step by step, in the registry and to whoever listens. It runs to the swap's
//! end, or dies with the process; what the next process makes of the row is in [`crate::registry`].

mod air;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::air::Before;
use super::job::SwapJob;
use super::{StageSwaps, set_version, told};
use crate::limits::STAGE_STRETCH_LOOK;
use crate::registry::{NextStart, SwapRow, SwapState, SwapStep, SwapStepTaken};
use outboard_base::unix_time::now_ms;
use outboard_pipeline::Watch;
use outboard_pipeline::event::{EventKind, Severity};
use outboard_pipeline::load::stage_settings;
use outboard_pipeline::settings::{Stage, key};
use outboard_stage::limits::BATCH_SECONDS_DEFAULT;
use outboard_stage::rehearsal::Rehearsal;
use outboard_stage::slot_status::{ProbationEnd, ProbationStatus};
use outboard_stage::swap::{NewVersion, StageSlots};

/// Why a swap went no further.
struct Ended {
    state: SwapState,
    reason: Option<String>,
    evidence: Option<String>,
}

/// A swap that is being carried out.
struct Executor {
    service: StageSwaps,
    job: SwapJob,
    row: SwapRow,
    /// Why it starts from nothing though that was not asked for.
    anew: Option<&'static str>,
}

/// Runs to the swap's end.
pub(super) async fn carry_out(service: StageSwaps, job: SwapJob, row: SwapRow) {
    let mut executor = Executor { service, job, row, anew: None };
    let ended = executor.steps().await;
    executor.end(ended).await;
}

impl Executor {
    async fn steps(&mut self) -> Ended {
        let description = self.job.component.description();
        let what = format!("{} {}, {} bytes", description.name, description.version, self.job.component.size());
        self.step(SwapStep::Checked, Duration::ZERO, Some(what)).await;
        let Some((run, swaps)) = self.job.handle.swaps() else {
            return self.end_without_a_run().await;
        };
        let mut wanted = NewVersion {
            component: self.job.component.clone(),
            settings: self.opening_settings(),
            fresh: self.row.swap.fresh,
            probation: self.row.swap.probation_wanted,
        };
        let Some(watch) = self.job.handle.watch() else {
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
        if let Some(reason) = self.service.under_way.called_off(self.row.id) {
            return Ended::refused(reason, None);
        }
        if self.job.handle.swaps().is_none_or(|(number, _)| number != run) {
            return Ended::refused("the pipeline was restarted in the meantime".to_owned(), None);
        }
        let mut cut = swaps.cut_over(self.job.kind, &wanted).await;
        if let Err(error) = &cut
            && error.is_unreadable_state()
            && self.starts_fresh(&mut wanted)
        {
            cut = swaps.cut_over(self.job.kind, &wanted).await;
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
        let mut decides = self.row.clone();
        decides.swap.state = SwapState::Probation;
        decides.swap.steps.push(taken(SwapStep::CutOver, cut.took, self.anew.map(str::to_owned)));
        if let Err(reason) = self.settle(decides).await {
            swaps.roll_back(self.job.kind, reason.clone()).await;
            return Ended { state: SwapState::RolledBack, reason: Some(reason), evidence: None };
        }
        let id = self.job.handle.id().clone();
        let what = told::cut_over(&self.row.swap, self.anew);
        self.service.tell_stage(&id, EventKind::StageSwapped, Severity::Info, what).await;
        self.probation(run, cut.probation, &swaps, (&watch, before)).await
    }

    /// Gives the version the recorded inputs, and looks at what it would do to the air. `Err`: the swap goes no further.
    async fn rehearse(&mut self, swaps: &StageSlots, wanted: &mut NewVersion, watch: &Watch) -> Result<(), Ended> {
        let began = Instant::now();
        let mut rehearsed = swaps.rehearse(self.job.kind, wanted).await;
        if let Err(unfit) = &rehearsed
            && unfit.error.is_unreadable_state()
            && self.starts_fresh(wanted)
        {
            rehearsed = swaps.rehearse(self.job.kind, wanted).await;
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
        let terms = self.job.terms;
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
        if !self.job.terms.fresh_if_needed || wanted.fresh {
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
        let handle = self.job.handle.clone();
        let (mut runs, mut stats) = (handle.runs(), watch.changes());
        // A gap that was asked for is no reason to go back.
        let asked_for = self.row.swap.rehearsal.as_ref().is_some_and(Rehearsal::would_go_off_air);
        loop {
            if trial.borrow().end.is_none() {
                let harm = || before.harm(self.job.kind, watch).filter(|_| !asked_for);
                if let Some(reason) = self.service.under_way.called_off(self.row.id).or_else(harm) {
                    swaps.roll_back(self.job.kind, reason).await;
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

    /// Nothing runs that could be swapped: the next start takes the version.
    async fn end_without_a_run(&mut self) -> Ended {
        let ended = Ended::done(Some("the pipeline is not running; its next start uses this version".to_owned()));
        let mut done = self.row.clone();
        (done.swap.state, done.swap.reason, done.swap.ended_ms) = (ended.state, ended.reason.clone(), Some(now_ms()));
        match self.settle(done).await {
            Ok(()) => ended,
            Err(reason) => Ended::refused(reason, None),
        }
    }

    /// Stores the end, and with it the settings where the old version took over from one that was cut over.
    async fn end(&mut self, ended: Ended) {
        let Ended { state, reason, evidence } = ended;
        (self.row.swap.state, self.row.swap.evidence, self.row.swap.next_start) = (state, evidence, None);
        (self.row.swap.reason, self.row.swap.ended_ms) = (reason.clone(), Some(now_ms()));
        let (id, reason) = (self.job.handle.id().clone(), reason.unwrap_or_default());
        let swap = self.row.swap.clone();
        let what = |verb: &str| format!("{}: {} {verb}: {reason}", swap.kind, told::subject(&swap));
        let event = match state {
            SwapState::Refused => {
                self.row.swap.steps.push(taken(SwapStep::Refused, Duration::ZERO, None));
                self.store().await;
                Some((EventKind::StageFailed, what("was refused")))
            }
            SwapState::RolledBack => {
                self.row.swap.steps.push(taken(SwapStep::RolledBack, Duration::ZERO, None));
                match self.row.swap.was_cut_over() {
                    true => self.restore().await,
                    false => self.store().await,
                }
                Some((EventKind::StageRolledBack, what("was rolled back")))
            }
            _ => {
                self.store().await;
                None
            }
        };
        // Before anybody is told of the end: whoever waits for it may ask for the next swap at once.
        self.service.under_way.end(&(id.clone(), self.job.kind), self.row.id);
        self.service.under_way.tell(&self.row);
        if let Some((kind, what)) = event {
            self.service.tell_stage(&id, kind, Severity::Warning, what).await;
        }
    }

    /// The settings that the stage is opened with.
    fn opening_settings(&self) -> String {
        let SwapJob { handle, kind, new, .. } = &self.job;
        let batch_seconds = handle.settings().batch_seconds.unwrap_or(BATCH_SECONDS_DEFAULT);
        stage_settings(key(*kind), new.component.is_some(), new.settings.clone(), batch_seconds)
    }

    /// The settings say what decides from now on, and the swap's row that it does.
    async fn settle(&mut self, mut row: SwapRow) -> Result<(), String> {
        let is_change = row.swap.next_start.take().is_some();
        let note = self.job.note_of(&row);
        let stored = self.service.settle(&self.job, &row, taken_over(&self.job), &note).await;
        let revision = stored.map_err(|error| error.to_string())?;
        self.row = row;
        self.service.under_way.tell(&self.row);
        if is_change {
            let what = format!("revision {revision} by {}", self.job.actor.name);
            self.service.tell_stage(self.job.handle.id(), EventKind::Updated, Severity::Info, what).await;
        }
        Ok(())
    }

    /// The settings say again what they said before, and the swap's row that the old version decides.
    async fn restore(&mut self) {
        let old = self.job.old.clone();
        let change = move |stage: &mut Stage| {
            (stage.component, stage.settings, stage.previous) = (old.component, old.settings, old.previous);
        };
        let note = format!("swap {} was rolled back", self.row.id);
        if let Err(error) = self.service.settle(&self.job, &self.row, change, &note).await {
            tracing::error!(%error, "failed to store in the settings that the previous version is in use again");
        }
    }

    async fn enter(&mut self, state: SwapState) {
        self.row.swap.state = state;
        self.save().await;
    }

    async fn step(&mut self, step: SwapStep, took: Duration, detail: Option<String>) {
        self.row.swap.steps.push(taken(step, took, detail));
        self.save().await;
    }

    async fn save(&self) {
        self.store().await;
        self.service.under_way.tell(&self.row);
    }

    async fn store(&self) {
        if let Err(error) = self.service.registry.save_swap(&self.row).await {
            tracing::error!(swap = self.row.id, %error, "failed to store a step of a swap");
        }
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

/// A step that was just taken.
fn taken(step: SwapStep, took: Duration, detail: Option<String>) -> SwapStepTaken {
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    SwapStepTaken { step, at_ms: now_ms(), took_us, detail }
}

/// What the settings of the stage become once the new version decides.
pub(super) fn taken_over(job: &SwapJob) -> impl FnOnce(&mut Stage) + use<> {
    let (component, settings) = (job.new.component.clone(), job.new.settings.clone());
    move |stage| set_version(stage, NextStart { component, settings })
}
