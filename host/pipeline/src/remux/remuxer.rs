//! The remux step: waits for each reply until the decision falls, plans and remuxes in time.
//!
//! In: demuxed batches in order. Out: batches in the spool, before they are due. The decision for a batch falls at its
//! deadline, which [`Deadlines`] decides; a reply in hand by then is heard, else the original. The first batch starts the
//! air clock; the first one after media ran out is held in the same way. Every outcome goes to the [`Reporter`].

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument;

use super::assembler::Assembler;
use super::output::kept::Keeper;
use super::planner::Planner;
use super::reply::{Decision, Why};
use super::report::Outcome;
use crate::deadline::{BatchTimes, Deadline, Deadlines, Work, signed_ms};
use crate::demux::Demuxed;
use crate::demux::demuxer::batch_span;
use crate::pace::Pace;
use crate::report::{Reporter, exchange};
use outboard_egress::clock::AirClock;
use outboard_egress::spool::{ReadyBatch, Spool};
use outboard_exchange::Pending;
use outboard_store::journal::JournalError;

/// Waits for replies, remuxes batches in order and puts them into the spool.
pub struct Remuxer {
    /// Until when each reply counts, and all other times.
    pub deadlines: Deadlines,
    /// What of the times is set, and how long batches may be.
    pub pace: Pace,
    /// The clock that the first batch starts.
    pub clock: AirClock,
    /// Decides which audio goes on air.
    pub planner: Planner,
    /// Makes a batch's files.
    pub assembler: Assembler,
    /// Where ready batches go.
    pub spool: Spool,
    /// Writes outputs as files, where they are wanted.
    pub keeper: Keeper,
    /// Tells what came of each batch.
    pub reporter: Reporter,
}

impl Remuxer {
    /// Runs until no batch follows; the spool is finished then.
    ///
    /// # Errors
    /// [`JournalError`]: a step could not be written down, and too many wait for that already.
    pub async fn run(mut self, mut demuxed: mpsc::Receiver<Demuxed>) -> Result<(), JournalError> {
        self.deadlines.go_on_from(self.spool.newest().map(|newest| newest.end_ms));
        while let Some(batch) = demuxed.recv().await {
            self.deadlines.set(self.pace.settings(), self.pace.length());
            let (number, start_ms, times) = (batch.number, batch.placed.start_ms, batch.times());
            self.keep_back(&times).await;
            // One without packets was lost at demux.
            if batch.facts.packets() == 0 || !self.take(batch, &times).await? {
                // The numbers in the spool go on without a hole.
                self.spool.append(ReadyBatch::empty(number, start_ms));
            }
        }
        self.spool.finish();
        self.clock.unbound();
        self.keeper.finish().await;
        Ok(())
    }

    /// Takes a batch through the step. False: it is lost.
    async fn take(&mut self, mut batch: Demuxed, times: &BatchTimes) -> Result<bool, JournalError> {
        let (number, arrived, dir) = (batch.number, Instant::now(), batch.dir.clone());
        let deadline = self.deadlines.of(times, self.due(times), self.clock.status().standing);
        let decision = decide(batch.pending.take(), deadline).await;
        self.time_exchange(times, &decision);
        let reply = decision.reply_outcome();
        let due = self.start_clock(number, times, deadline).await?;
        let began = Instant::now();
        let assembled = self.assemble(&batch, decision, due).instrument(batch_span(number)).await?;
        let took = began.elapsed();
        self.deadlines.remuxed(took);
        self.reporter.remux(number, Outcome::Remuxed { took }).await?;
        let Some(ready) = assembled else { return Ok(false) };
        let work = Work {
            arrived,
            began,
            ready: Instant::now(),
            due,
            reply,
            usual_reply: self.reporter.usual_reply(),
            recording: self.reporter.recording(),
        };
        let readiness = self.deadlines.ready(times, ready.end_ms, &work);
        // First written down: what leaves must be found again after a restart.
        self.reporter.remux(number, Outcome::Ready(&readiness)).await?;
        self.clock.extend(ready.end_ms);
        self.pace.ready(readiness.newest);
        self.spool.append(ready);
        self.keeper.write(number, dir);
        let rate = self.clock.set_rate(readiness.rate);
        self.reporter.remux(number, Outcome::Spooled { slack_ms: readiness.slack_ms, rate }).await?;
        Ok(true)
    }

    /// Plans a batch and makes its files. `None`: it is lost.
    async fn assemble(
        &mut self,
        batch: &Demuxed,
        mut decision: Decision,
        due: Instant,
    ) -> Result<Option<ReadyBatch>, JournalError> {
        let planned = self.planner.plan(batch, &mut decision, signed_ms(Instant::now(), due)).await;
        self.reporter.remux(batch.number, Outcome::Planned { failure: planned.failure.as_deref() }).await?;
        let assembled = self.assembler.assemble(batch, planned.plan, decision, due).await;
        self.reporter.remux(batch.number, Outcome::Assembled { batch, assembled: &assembled }).await?;
        Ok(assembled.remuxed.ok().map(|remuxed| remuxed.ready))
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
        let took = until.saturating_duration_since(batch.sent);
        if decision.returned.is_some() {
            self.deadlines.answered(took);
        }
        let round_trip = decision.returned.as_ref().map(|returned| returned.round_trip);
        self.reporter.exchange(exchange::Outcome::Waited { took, round_trip });
    }

    /// Starts the clock with the first batch, and holds it once more with the first one after media ran out. Answers when
    /// the batch is due.
    async fn start_clock(
        &mut self,
        number: u64,
        batch: &BatchTimes,
        deadline: Deadline,
    ) -> Result<Instant, JournalError> {
        let (now, again) = (Instant::now(), deadline.dry);
        let at = self.deadlines.air_start(batch, again, now);
        let held = if again { self.clock.resume_at(at) } else { self.clock.start(batch.start_ms, at) };
        let due = self.due(batch).unwrap_or(now);
        if held {
            let starts_in = at.saturating_duration_since(now);
            self.reporter.remux(number, Outcome::ClockHeld { starts_in, again }).await?;
        }
        Ok(due)
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

    use super::*;
    use crate::deadline::ReplyOutcome;
    use outboard_exchange::fake::pending;

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
