//! exchange -> **remux** -> air: waits for each reply until the decision falls, plans and remuxes in time.
//!
//! In: prepared batches in order. Out: batches in the spool, before they are due. The decision for a batch falls at its
//! time on air minus the time that remuxing takes; a reply in hand by then is heard, else the original. The first batch
//! starts the air clock; the first one after the clock ran dry is held in the same way.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument;

use super::air::clock::AirClock;
use super::air::spool::{ReadyBatch, Spool};
use super::cause::{Cause, Origin};
use super::deadline::{BatchTimes, Deadline, Deadlines, Work, signed_ms};
use super::diary::Diary;
use super::event::{Event, EventKind, Severity};
use super::exchange::Pending;
use super::framer::StateKeeper;
use super::pace::Pace;
use super::prepare::{Prepared, batch_span};
use super::remux::output::Series;
use super::remux::{self, Job, Plan, RemuxError};
use super::status::Status;
use crate::ffmpeg::{Slots, Turn};
use crate::limits::DISK_FULL_TRIES;
use crate::metrics;
use crate::stage::RemuxStage;
use crate::stage::swap::Shared;
use crate::store::journal::{JournalError, OnAir, Step};
use crate::store::room::Room;

mod facts;
mod reply;

use reply::{Decision, Why};

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
    /// How batches and the clock are paced now, and how long batches may be.
    pub pace: Pace,
    /// Until when each reply counts, and all other times.
    pub deadlines: Deadlines,
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
        self.deadlines.go_on_from(self.spool.newest().map(|newest| newest.end_ms));
        while let Some(mut batch) = prepared.recv().await {
            self.deadlines.set(self.pace.settings(), self.pace.length());
            let times = batch.times();
            self.keep_back(&times).await;
            if batch.facts.packets() == 0 {
                // Lost at demux; the numbers in the spool go on without a hole.
                self.spool.append(ReadyBatch::empty(batch.number, batch.placed.start_ms));
                continue;
            }
            let arrived = Instant::now();
            let deadline = self.deadlines.of(&times, self.due(&times), self.clock.status().standing);
            let decision = decide(batch.pending.take(), deadline).await;
            self.time_exchange(&times, &decision);
            let reply = decision.reply_outcome();
            let due = self.start_clock(batch.number, &times, deadline);
            let began = Instant::now();
            let span = batch_span(batch.number);
            let put_together = self.put_together(&batch, decision, due).instrument(span).await?;
            self.deadlines.remuxed(began.elapsed());
            self.status.timings().record_step(metrics::Step::Remux, began.elapsed());
            let Some(ready) = put_together else {
                self.spool.append(ReadyBatch::empty(batch.number, batch.placed.start_ms));
                continue;
            };
            let work = Work {
                arrived,
                began,
                ready: Instant::now(),
                due,
                reply,
                usual_reply: self.status.timings().read().round_trip.mean(),
                recording: self.status.get().recording,
            };
            self.hand_on(batch.number, &times, ready, &work).await?;
        }
        self.spool.finish();
        self.clock.unbound();
        Ok(())
    }

    /// Gives a batch to air and measures it.
    async fn hand_on(
        &mut self,
        number: u64,
        times: &BatchTimes,
        ready: ReadyBatch,
        work: &Work,
    ) -> Result<(), JournalError> {
        let readiness = self.deadlines.ready(times, ready.end_ms, work);
        let slack = readiness.slack_ms;
        self.status.timings().time_left(slack);
        self.status.update(|stats| stats.time_left_ms = Some(slack));
        if let Some(took) = readiness.took {
            self.status.timings().record_step(metrics::Step::Ready, took);
        }
        if slack < 0 {
            self.status.update(|stats| {
                stats.late_batches += 1;
                stats.late_by_us += u64::from(readiness.late_by_us);
            });
            tracing::warn!(batch = number, late_ms = -slack, "batch is ready too late");
        }
        // First written down: what leaves must be found again after a restart.
        self.journal.step(number, Step::Remuxed).await?;
        self.clock.extend(ready.end_ms);
        self.pace.ready(readiness.newest);
        self.spool.append(ready);
        let rate = self.clock.set_rate(readiness.rate);
        tracing::debug!(batch = number, slack_ms = slack, rate, "ready for air");
        Ok(())
    }

    /// A source that delivers faster than real time must not fill the disk with what is due much later.
    async fn keep_back(&self, batch: &BatchTimes) {
        let at = self.due(batch).and_then(|due| self.deadlines.not_before(due, self.clock.speed()));
        if let Some(at) = at {
            tokio::time::sleep_until(at).await;
        }
    }

    /// When the batch is due, once the clock runs.
    fn due(&self, batch: &BatchTimes) -> Option<Instant> {
        let known = self.clock.due(self.deadlines.known_ms(batch.start_ms))?;
        Some(self.deadlines.due(batch.start_ms, known))
    }

    /// Measures the exchange of a batch whose sound was handed to it.
    fn time_exchange(&mut self, batch: &BatchTimes, decision: &Decision) {
        if !batch.asked {
            return;
        }
        let until = decision.returned.as_ref().map_or_else(Instant::now, |returned| returned.answered);
        let (took, timings) = (until.saturating_duration_since(batch.sent), self.status.timings());
        timings.record_step(metrics::Step::Exchange, took);
        if let Some(returned) = &decision.returned {
            timings.round_trip(returned.round_trip);
            self.deadlines.answered(took);
        }
    }

    /// Starts the clock with the first batch, and holds it once more with the first one after it ran dry. Answers when
    /// the batch is due.
    fn start_clock(&mut self, number: u64, batch: &BatchTimes, deadline: Deadline) -> Instant {
        let (now, again) = (Instant::now(), deadline.dry);
        let at = self.deadlines.air_start(batch, again, now);
        let held = if again { self.clock.resume_at(at) } else { self.clock.start(batch.start_ms, at) };
        if held {
            let seconds = at.saturating_duration_since(now).as_secs_f64();
            tracing::info!(batch = number, again, "on air in {seconds:.1} s");
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

/// Waits for the reply until the decision falls. A reply that is in hand by then is used.
async fn decide(pending: Option<Pending>, deadline: Deadline) -> Decision {
    let Some(mut pending) = pending else { return Decision::original(Why::not_sent()) };
    let reply = match tokio::time::timeout_at(deadline.at, &mut pending).await {
        Ok(reply) => reply,
        // A batch that came late has less time than others: no failure of the processor's.
        Err(_) if deadline.short => pending.give_up_early(),
        Err(_) => pending.give_up(),
    };
    Decision::of(reply)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::deadline::ReplyOutcome;
    use super::super::exchange::fake::pending;
    use super::*;

    /// Longer than a slow machine holds a test up.
    const FAR: Duration = Duration::from_secs(600);

    fn deadline(at: Instant, short: bool) -> Deadline {
        Deadline { at, dry: false, short }
    }

    #[tokio::test]
    async fn a_reply_that_comes_before_the_deadline_is_used_at_once() {
        let (processor, pending) = pending();
        let until = Instant::now() + FAR;
        let deciding = tokio::spawn(decide(Some(pending), deadline(until, false)));
        tokio::task::yield_now().await;
        processor.answer();
        assert_eq!(deciding.await.unwrap().reply_outcome(), ReplyOutcome::Answered);
        assert!(Instant::now() < until, "it was waited for the deadline");
    }

    /// A step that was held up must not throw away what came in time.
    #[tokio::test]
    async fn a_reply_that_is_in_hand_is_used_though_the_deadline_is_past() {
        let (processor, pending) = pending();
        processor.answer();
        let past = deadline(Instant::now(), false);
        assert_eq!(decide(Some(pending), past).await.reply_outcome(), ReplyOutcome::Answered);
    }

    #[tokio::test]
    async fn without_a_reply_the_decision_falls_at_the_deadline() {
        for short in [false, true] {
            let (processor, pending) = pending();
            let decision = decide(Some(pending), deadline(Instant::now(), short)).await;
            assert_eq!((decision.reply_outcome(), decision.is_fallback()), (ReplyOutcome::TimedOut, true));
            assert!(processor.given_up());
            assert_eq!(processor.gave_up_early(), short, "whether it is the processor's failure");
        }
        let decision = decide(None, deadline(Instant::now() + FAR, false)).await;
        assert_eq!((decision.reply_outcome(), decision.is_fallback()), (ReplyOutcome::NotAsked, false));
    }
}
