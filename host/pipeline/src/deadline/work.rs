//! How a batch became ready for air, and what follows from it.

use std::time::Duration;

use tokio::time::Instant;

use super::BatchTimes;
use super::length::Newest;

/// What came of the wait for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// No audio was sent to the processor, so no reply is expected.
    NotAsked,
    /// A reply was in hand.
    Answered,
    /// The deadline came first.
    TimedOut,
    /// No reply will come: no connection, an error, an open circuit breaker.
    Absent,
}

/// How a batch became ready for air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// When its wait for the reply began.
    pub arrived: Instant,
    /// When its remuxing began, right after the decision.
    pub began: Instant,
    /// When it was ready.
    pub ready: Instant,
    /// When it is due.
    pub due: Instant,
    /// What came of the wait.
    pub reply: ReplyOutcome,
    /// How long the processor usually takes.
    pub usual_reply: Duration,
    /// The source is a recording, which comes as fast as it is taken.
    pub recording: bool,
}

/// What follows from a batch that is ready for air.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readiness {
    /// Milliseconds between being ready and being due; negative where it was late.
    pub slack_ms: i64,
    /// It is late though its segments came in time.
    pub late_by_us: bool,
    /// From its last segment until it was ready; `None` for one that an earlier run left behind.
    pub took: Option<Duration>,
    /// For the lengths of later batches.
    pub newest: Newest,
    /// The rate that the air clock is to run at.
    pub rate: f64,
}

/// How long a batch takes until it is ready where its reply is waited for; `took`: what this one took.
pub(super) fn usual_work(batch: &BatchTimes, work: &Work, took: Duration) -> Duration {
    match work.reply {
        ReplyOutcome::NotAsked | ReplyOutcome::Answered => took,
        // The processor's usual time in the place of the one that was waited away.
        ReplyOutcome::TimedOut | ReplyOutcome::Absent => work
            .arrived
            .saturating_duration_since(batch.complete)
            .saturating_add(work.usual_reply)
            .saturating_add(work.ready.saturating_duration_since(work.began)),
    }
}
