//! exchange -> **remux** -> air: waits for each reply until the decision falls, plans and remuxes in time.
//!
//! In: prepared batches in order. Out: batches in the spool, before they are due. The decision for a batch falls at its
//! time on air minus the time that remuxing takes; a reply in hand by then is heard, else the original. The first batch
//! starts the air clock; the first one after the clock ran dry is held in the same way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument;

use super::air::clock::AirClock;
use super::air::lean::Lean;
use super::air::spool::{ReadyBatch, Spool};
use super::cause::{Cause, Origin};
use super::delay::Newest;
use super::diary::Diary;
use super::event::{Event, EventKind, Severity};
use super::exchange::{Absence, Pending};
use super::framer::StateKeeper;
use super::pace::{self, Pace};
use super::prepare::{Prepared, batch_span};
use super::remux::output::Series;
use super::remux::{self, Job, Plan, RemuxError};
use super::status::Status;
use crate::ffmpeg::{Slots, Turn};
use crate::limits::{AIR_AHEAD, AIR_DRY_AFTER, DISK_FULL_TRIES, LATE_BY_US, SOURCE_UNEVEN};
use crate::metrics;
use crate::settings::Hold;
use crate::stage::RemuxStage;
use crate::stage::swap::Shared;
use crate::store::journal::{JournalError, OnAir, Step};
use crate::store::room::Room;

mod facts;
mod margin;
mod reply;
mod start;

use margin::Margin;
use reply::{Decision, Why};
use start::{Answers, Start};

/// The remux step.
pub struct Decider {
    /// The stage that plans.
    pub stage: Shared<RemuxStage>,
    /// Its state in the journal.
    pub keeper: StateKeeper,
    /// Where steps are written down.
    pub journal: Diary,
    /// Counts.
    pub status: Arc<Status>,
    /// The clock that the first batch starts.
    pub clock: AirClock,
    /// Where ready batches go.
    pub spool: Spool,
    /// When air starts.
    pub hold: Hold,
    /// Time in hand for slower replies.
    pub cushion: Duration,
    /// Length of a batch as set.
    pub batch: Duration,
    /// What the three above are now, and how long batches may be.
    pub pace: Pace,
    /// When this run began.
    pub started: Instant,
    /// End of the newest batch that was put together, in milliseconds of air time.
    pub end_ms: Option<u64>,
    /// When the newest batch was complete.
    pub complete: Option<Instant>,
    /// Where remuxing waits for its turn.
    pub slots: Slots,
    /// Asked where the disk is full.
    pub room: Room,
    /// What is kept of what went on air.
    pub output: Series,
}

impl Decider {
    /// Runs until no batch follows; the spool is finished then.
    pub async fn run(mut self, mut prepared: mpsc::Receiver<Prepared>) -> Result<(), JournalError> {
        let mut lean = Lean::new(self.pace.aim());
        let (mut margin, mut answers) = (Margin::default(), Answers::default());
        self.end_ms = self.spool.newest().map(|newest| newest.end_ms);
        while let Some(mut batch) = prepared.recv().await {
            self.keep_pace(&mut lean);
            self.keep_back(&batch).await;
            if batch.facts.packets() == 0 {
                // Lost at demux; the numbers in the spool go on without a hole.
                self.spool.append(ReadyBatch::empty(batch.number, batch.placed.start_ms));
                continue;
            }
            let pending = batch.pending.take();
            let arrived = Instant::now();
            let sent = pending.is_some().then_some(batch.sent);
            // All that came before is on air, and the clock waits for this one: it is held as the first one was.
            let dry = self.clock.status().standing >= AIR_DRY_AFTER;
            let decision = self.wait(pending, &batch, margin, dry, &answers).await;
            self.time_exchange(sent, &decision, &mut answers);
            let due = self.start_clock(&batch, dry);
            if dry {
                lean.restart();
            }
            let waited_in_vain = self.waited_in_vain(&decision, &batch, due);
            let decided = decision.returned.is_some() || sent.is_none();
            let began = Instant::now();
            let span = batch_span(batch.number);
            let ready = self.put_together(&batch, decision, due).instrument(span).await?;
            margin.observe(began.elapsed());
            self.status.timings().record_step(metrics::Step::Remux, began.elapsed());
            let Some(ready) = ready else {
                self.spool.append(ReadyBatch::empty(batch.number, batch.placed.start_ms));
                continue;
            };
            self.note_room(&batch, decided, arrived, began, ready.end_ms);
            let slack = signed_ms(Instant::now(), due);
            self.status.timings().time_left(slack);
            self.status.update(|stats| stats.time_left_ms = Some(slack));
            // One that an earlier run left waited for this run, not for its steps.
            if batch.complete >= self.started {
                self.status.timings().record_step(metrics::Step::Ready, batch.complete.elapsed());
            }
            let length_ms = batch.placed.end_ms.saturating_sub(batch.placed.start_ms);
            let late = Duration::from_millis(u64::try_from(-slack).unwrap_or_default());
            let by_us = !self.source_was_slow(&batch) && late >= LATE_BY_US;
            if slack < 0 {
                self.status.update(|stats| {
                    stats.late_batches += 1;
                    stats.late_by_us += u64::from(by_us);
                });
                tracing::warn!(batch = batch.number, late_ms = -slack, "batch is ready too late");
            }
            // First written down: what leaves must be found again after a restart.
            self.journal.step(batch.number, Step::Remuxed).await?;
            self.end_ms = Some(ready.end_ms);
            self.clock.extend(ready.end_ms);
            let work = margin.get() + batch.sent.saturating_duration_since(batch.complete);
            self.status.delay().ready(Newest { end_ms: ready.end_ms, complete: batch.complete, work });
            self.spool.append(ready);
            // Time that was only waited away is slack all the same, or a processor that is away would slow the clock
            // down for ever.
            let slack = match self.hold {
                Hold::After(_) => signed_ms(batch.complete, due),
                Hold::Auto if waited_in_vain => signed_ms(arrived + began.elapsed(), due),
                Hold::Auto => slack,
            };
            // A recording comes as fast as we take it: how far ahead it is says nothing about its clock.
            let wanted = if self.status.get().recording { 1.0 } else { lean.observe(slack, length_ms) };
            let rate = self.clock.set_rate(wanted);
            tracing::debug!(batch = batch.number, slack_ms = slack, rate, "ready for air");
        }
        self.spool.finish();
        self.clock.unbound();
        Ok(())
    }

    /// Takes what was changed on air.
    fn keep_pace(&mut self, lean: &mut Lean) {
        let pace::Wanted { batch, hold, cushion } = self.pace.wanted();
        (self.batch, self.hold, self.cushion) = (batch, hold, cushion);
        lean.aim(self.pace.aim());
    }

    /// Notes how long this batch took to be ready, so that later ones may become longer. `in_hand`: its reply was, or none
    /// was asked for; else the processor's usual time is taken for the one that was waited away.
    fn note_room(&self, batch: &Prepared, in_hand: bool, arrived: Instant, began: Instant, end_ms: u64) {
        // One that an earlier run left says nothing, nor does a recording, which comes as fast as we take it.
        if batch.complete < self.started || self.status.get().recording {
            return;
        }
        let work = match in_hand {
            true => batch.complete.elapsed(),
            false => {
                let usual = self.status.timings().read().round_trip.mean();
                arrived.saturating_duration_since(batch.complete) + usual + began.elapsed()
            }
        };
        self.pace.ready(end_ms, batch.complete, work);
    }

    /// A source that delivers faster than real time must not fill the disk with what is due much later.
    async fn keep_back(&mut self, batch: &Prepared) {
        if let Some(due) = self.due(batch) {
            let hold = match self.hold {
                Hold::After(hold) => hold,
                Hold::Auto => Duration::ZERO,
            };
            let ahead = AIR_AHEAD.max(self.batch * 3).max(hold + self.batch).div_f64(self.clock.speed());
            if let Some(at) = due.checked_sub(ahead) {
                tokio::time::sleep_until(at).await;
            }
        }
    }

    /// Its segments took longer to come than they last: it is not late by our doing.
    fn source_was_slow(&mut self, batch: &Prepared) -> bool {
        let before = self.complete.replace(batch.complete);
        let length = Duration::from_millis(batch.placed.end_ms.saturating_sub(batch.placed.start_ms));
        before.is_some_and(|before| batch.complete.saturating_duration_since(before) > length + SOURCE_UNEVEN)
    }

    /// When the batch is due, once the clock runs. The clock does not look past the spool: from its end on, time runs
    /// at the pace of the clock.
    fn due(&self, batch: &Prepared) -> Option<Instant> {
        let end_ms = self.end_ms.unwrap_or(batch.placed.start_ms);
        let due = self.clock.due(batch.placed.start_ms.min(end_ms))?;
        Some(due + Duration::from_millis(batch.placed.start_ms.saturating_sub(end_ms)))
    }

    /// Waits for the reply until the decision falls.
    async fn wait(
        &self,
        pending: Option<Pending>,
        batch: &Prepared,
        margin: Margin,
        dry: bool,
        answers: &Answers,
    ) -> Decision {
        let Some(mut pending) = pending else { return Decision::original(Why::not_sent()) };
        let due = self.due(batch).filter(|_| !dry).unwrap_or_else(|| self.start().latest(batch.complete));
        let deadline = due.checked_sub(margin.get()).unwrap_or(due);
        let reply = match tokio::time::timeout_at(deadline, &mut pending).await {
            Ok(reply) => reply,
            // A batch that came late has less time than others: no failure of the processor's.
            Err(_) if answers.need_more_than(deadline.saturating_duration_since(batch.sent)) => pending.give_up_early(),
            Err(_) => pending.give_up(),
        };
        Decision::of(reply)
    }

    /// Measures the exchange of a batch whose sound was handed to it.
    fn time_exchange(&self, sent: Option<Instant>, decision: &Decision, answers: &mut Answers) {
        let (Some(sent), timings) = (sent, self.status.timings()) else { return };
        let until = decision.returned.as_ref().map_or_else(Instant::now, |returned| returned.answered);
        timings.record_step(metrics::Step::Exchange, until.saturating_duration_since(sent));
        if let Some(returned) = &decision.returned {
            timings.round_trip(returned.round_trip);
            answers.observe(until.saturating_duration_since(sent));
        }
    }

    fn start(&self) -> Start {
        Start { hold: self.hold, cushion: self.cushion, batch: self.batch, started: self.started }
    }

    /// True where no reply came that more time would have brought: nobody was there, or it is so late that the delay has
    /// grown by a whole cushion already.
    fn waited_in_vain(&self, decision: &Decision, batch: &Prepared, due: Instant) -> bool {
        match decision.absence {
            Some(Absence::Late | Absence::Unanswered(_)) => {
                due.saturating_duration_since(batch.complete) >= self.batch + self.cushion
            }
            Some(_) => true,
            None => false,
        }
    }

    /// Starts the clock with the first batch, and holds it once more with the first one after it ran `dry`. Answers when
    /// the batch is due.
    fn start_clock(&self, batch: &Prepared, dry: bool) -> Instant {
        let now = Instant::now();
        let at = self.start().at(batch.complete, now);
        let held = if dry { self.clock.resume_at(at) } else { self.clock.start(batch.placed.start_ms, at) };
        if held {
            let seconds = at.saturating_duration_since(now).as_secs_f64();
            tracing::info!(batch = batch.number, again = dry, "on air in {seconds:.1} s");
        }
        self.due(batch).unwrap_or(now)
    }

    /// Plans and remuxes; falls back to the original where the plan's audio cannot be used. `None`: the batch is lost.
    async fn put_together(
        &mut self,
        batch: &Prepared,
        mut decision: Decision,
        due: Instant,
    ) -> Result<Option<ReadyBatch>, JournalError> {
        let has_audio = batch.facts.audio.is_some();
        let facts = facts::of(batch, &decision, signed_ms(Instant::now(), due));
        let answer = {
            let mut stage = self.stage.lock().await;
            let answer = stage.plan(&facts).await;
            self.keeper.keep(stage.component().digest().to_string(), stage.snapshot()).await;
            answer
        };
        self.status.stage_answered("remux-planning", answer.failure.as_ref().map(ToString::to_string));
        if let Some(failure) = &answer.failure {
            let what = format!("remux-planning stage: {failure}; the host's default plans");
            self.status.tell(Event::new(EventKind::StageFailed, Severity::Warning, what).batch(batch.number));
            decision.blame_stage(failure.to_string());
        }
        let mut plan = facts::to_plan(answer.value);
        decision.planned(&plan);
        let mut remuxed = self.follow(batch, &plan, &decision, due).await;
        if let (Err(error), true) = (&remuxed, plan.uses_processed() || plan.coding != remux::plan::Coding::Copy) {
            tracing::warn!(batch = batch.number, %error, "the plan's audio could not be used");
            decision = Decision::original(Why::unusable(error.to_string()));
            plan = Plan::original(has_audio, "the plan's audio could not be used");
            remuxed = self.remux(batch, &plan, None, due).await;
        } else if let Err(error) = &remuxed {
            // A run of ffmpeg that was killed says nothing about the next one.
            tracing::warn!(batch = batch.number, %error, "remuxing is tried once more");
            remuxed = self.remux(batch, &plan, None, due).await;
        }
        let length_ms = batch.placed.end_ms.saturating_sub(batch.placed.start_ms);
        let air = remuxed.as_ref().ok().map(|remuxed| OnAir::of(&remuxed.ready));
        let detail = decision.detail(&plan, length_ms, air.as_ref());
        self.journal.decided(batch.number, decision.outcome(&plan), detail).await?;
        match remuxed {
            Ok(remuxed) => {
                self.keep_output(batch, &remuxed.ready).await;
                self.count(batch, &decision, &plan, &remuxed);
                Ok(Some(remuxed.ready))
            }
            Err(error) => {
                let what = format!("batch {} is lost: {error}", batch.number);
                let lost = Some(Cause::new(error.origin(), what.clone()));
                let event = Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch.number);
                self.status.tell(event.caused_by(error.origin()));
                self.status.update(|stats| {
                    stats.lost = lost;
                    *stats.failed.entry("remux").or_default() += 1;
                    stats.packets_lost += batch.facts.packets();
                });
                Ok(None)
            }
        }
    }

    /// Does what the plan says; where the disk is full, again until it is due, and some times at least.
    async fn follow(
        &mut self,
        batch: &Prepared,
        plan: &Plan,
        decision: &Decision,
        due: Instant,
    ) -> Result<remux::Remuxed, RemuxError> {
        let (slots, mut tries) = (self.slots.clone(), 0..DISK_FULL_TRIES);
        loop {
            let turn = Turn { slots: &slots, by: Some(due) };
            let remuxed = match reply::prepare(batch, plan, decision, turn).await {
                Ok(processed) => self.remux(batch, plan, processed.as_ref(), due).await,
                Err(error) => Err(error),
            };
            match remuxed {
                Err(error) if error.is_disk_full() && (tries.next().is_some() || Instant::now() < due) => {
                    tracing::warn!(batch = batch.number, %error, "the disk is full; remuxing is tried again");
                    self.room.make().await;
                }
                remuxed => return remuxed,
            }
        }
    }

    async fn remux(
        &mut self,
        batch: &Prepared,
        plan: &Plan,
        processed: Option<&remux::Processed>,
        due: Instant,
    ) -> Result<remux::Remuxed, RemuxError> {
        remux::remux(Job {
            number: batch.number,
            dir: &batch.dir,
            facts: &batch.facts,
            placed: &batch.placed,
            with_audio: plan.audio != remux::plan::Audio::None,
            processed,
            turn: Turn { slots: &self.slots, by: Some(due) },
        })
        .await
    }

    /// Writes what is kept and shown; air does not need it.
    async fn keep_output(&mut self, batch: &Prepared, ready: &ReadyBatch) {
        let mut output = std::mem::take(&mut self.output);
        let (dir, ready, facts) = (batch.dir.clone(), ready.clone(), batch.facts.clone());
        let written = tokio::task::spawn_blocking(move || {
            let written = output.write(&dir, &ready, &facts);
            (output, written)
        });
        let why = match written.await {
            Ok((output, written)) => {
                self.output = output;
                written.err().map(|error| error.to_string())
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            self.room.nudge();
            tracing::warn!(batch = batch.number, why, "on air, but not kept: output.fmp4 cannot be written");
        }
    }

    fn count(&self, batch: &Prepared, decision: &Decision, plan: &Plan, remuxed: &remux::Remuxed) {
        self.status.update(|stats| {
            // A batch that could not be taken apart comes by without packets.
            if batch.facts.packets() > 0 {
                stats.lost = None;
            }
            stats.round_trip_ms = decision.round_trip_ms();
            stats.last_original = None;
            if plan.uses_processed() {
                stats.processed += 1;
            } else {
                stats.last_original = Some(decision.why()).filter(|_| decision.is_fallback());
                *stats.original.entry(decision.why()).or_default() += 1;
            }
            stats.packets_lost += remuxed.lost;
            stats.packets_trimmed += remuxed.trimmed;
        });
        if plan.uses_processed() {
            tracing::info!(
                batch = batch.number,
                round_trip_ms = decision.round_trip_ms(),
                note = plan.note,
                "processed audio"
            );
        } else if decision.as_planned() {
            tracing::info!(
                batch = batch.number,
                round_trip_ms = decision.round_trip_ms(),
                note = plan.note,
                "original audio, as planned"
            );
        } else if decision.is_fallback() {
            let what = format!("batch {}: original audio, {}: {}", batch.number, decision.why(), decision.reason());
            self.status.tell(Event::new(EventKind::Fallback, Severity::Warning, what).batch(batch.number));
        }
        if remuxed.lost > 0 {
            let what = format!("batch {}: remuxing lost {} packets", batch.number, remuxed.lost);
            self.status.tell(Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch.number));
        }
    }
}

/// Milliseconds from one instant to another; negative where it lies before.
fn signed_ms(from: Instant, to: Instant) -> i64 {
    let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match to.checked_duration_since(from) {
        Some(ahead) => ms(ahead),
        None => -ms(from.duration_since(to)),
    }
}
