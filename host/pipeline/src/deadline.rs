//! **Where a reply's deadline is decided** ([`Deadlines::of`]); also when air starts, how fast the air clock runs, and how
//! long batches may be. Pure.
//!
//! In: the pace that is set, and the times of each batch as the steps saw them. Out: instants, lengths and rates, which the
//! batch and remux steps carry out. Nothing here reads a clock, waits, locks or logs: each call is told what time it is, so
//! the same calls get the same answers. What always holds of the answers is tested in `deadline/laws.rs`.
//!
//! ```text
//! complete ── sent ──────────── deadline ── margin ── due = on air
//!    └──────────── hold (the first batch, and the first after media ran out) ───────┘
//! ```

use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::arithmetic::signed_ms;
use self::arithmetic::{after, before, scaled};
use self::clock_rate::ClockRateController;
use self::length::Newest;
use self::margin::Margin;
use self::standstill::Standstill;
use self::start::{Answers, Start};
use self::work::usual_work;
pub use self::work::{Readiness, ReplyOutcome, Work};
use crate::limits::{AIR_AHEAD, LATE_BY_US};
use crate::settings::Hold;

mod arithmetic;
// when air starts, and how long the processor takes
mod start;
// whether media ran out, so that air is held again
mod standstill;
// how long before air the decision falls
mod margin;
// how fast the air clock runs
mod clock_rate;
// how long a batch may be
#[cfg(test)]
mod laws;
pub mod length;
// how a batch became ready
mod work;

/// How batches and the air clock are paced. Changes on air.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaceSettings {
    /// Length of a batch.
    pub batch: Duration,
    /// When air starts, and how far batches stay ahead of their time on air.
    pub hold: Hold,
    /// Time in hand for slower replies.
    pub cushion: Duration,
}

/// The times of a batch when it comes to its decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchTimes {
    /// Its start in milliseconds of air time.
    pub start_ms: u64,
    /// Its end in milliseconds of air time.
    pub end_ms: u64,
    /// When its last segment was there.
    pub complete: Instant,
    /// When its audio was handed to the exchange, or would have been.
    pub sent: Instant,
    /// A reply is waited for.
    pub asked: bool,
    /// Media of the next batch that was there when this one was complete: a batch that ends at a discontinuity is complete
    /// when the segment after it is there.
    pub open: Duration,
}

/// Until when the reply to one batch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// A reply that is in hand by then is used; later the decision falls without it.
    pub at: Instant,
    /// Media ran out: everything before this batch is on air, and the clock waits for it. Air is held with it as with the
    /// first batch.
    pub dry: bool,
    /// It leaves the processor less time than its last replies took: a missing reply is no failure of the processor's.
    pub short: bool,
}

/// Decides the times of one pipeline's batches, in order.
#[derive(Debug, Clone)]
pub struct Deadlines {
    settings: PaceSettings,
    /// When this run began.
    started: Instant,
    margin: Margin,
    answers: Answers,
    rate: ClockRateController,
    standstill: Standstill,
    /// End of the newest batch that is ready, in milliseconds of air time.
    end_ms: Option<u64>,
}

impl Deadlines {
    /// For a run that began at `started`.
    pub fn new(settings: PaceSettings, started: Instant) -> Self {
        Self {
            settings,
            started,
            margin: Margin::default(),
            answers: Answers::default(),
            rate: ClockRateController::new(settings.cushion),
            standstill: Standstill::default(),
            end_ms: None,
        }
    }

    /// Batches up to this air time, in milliseconds, are ready from an earlier run.
    pub fn go_on_from(&mut self, end_ms: Option<u64>) {
        self.end_ms = end_ms;
    }

    /// Takes what is set now. `length`: seconds that batches are cut at now.
    pub fn set(&mut self, settings: PaceSettings, length: u32) {
        self.settings = settings;
        self.rate.aim(length::aim(&settings, length));
    }

    /// The air time, in milliseconds, whose instant the clock is to be asked for, to learn when a batch that starts at
    /// `start_ms` is due: the clock does not look past what is ready.
    pub fn known_ms(&self, start_ms: u64) -> u64 {
        start_ms.min(self.end_ms.unwrap_or(start_ms))
    }

    /// When a batch that starts at `start_ms` is due. `known`: when [`Self::known_ms`] of it is.
    pub fn due(&self, start_ms: u64, known: Instant) -> Instant {
        after(known, Duration::from_millis(start_ms.saturating_sub(self.known_ms(start_ms))))
    }

    /// Before this instant a batch is not put together that is due at `due`: a source that delivers faster than real time
    /// must not fill the disk with what is due much later. `None`: at once. `speed`: see [`Newest::longest_in_time`].
    pub fn not_before(&self, due: Instant, speed: f64) -> Option<Instant> {
        let PaceSettings { batch, hold, .. } = self.settings;
        let hold = match hold {
            Hold::After(hold) => hold,
            Hold::Auto => Duration::ZERO,
        };
        let ahead = AIR_AHEAD.max(batch.saturating_mul(3)).max(hold.saturating_add(batch));
        due.checked_sub(scaled(ahead, speed.recip()))
    }

    /// Until when the reply to `batch` counts: its time on air less the time that remuxing takes. `due`: its time on air;
    /// `None` before the clock was started. `standing`: how long the clock has stood still at the end of what is ready.
    ///
    /// A batch that starts the clock, or the first one after media ran out, has until its hold ends at the latest.
    pub fn of(&self, batch: &BatchTimes, due: Option<Instant>, standing: Duration) -> Deadline {
        let dry = self.standstill.is_dry(batch, standing);
        let due = due.filter(|_| !dry).unwrap_or_else(|| self.start(batch, dry).latest(batch.complete));
        let at = before(due, self.margin.get());
        let short = self.answers.need_more_than(at.saturating_duration_since(batch.sent));
        Deadline { at, dry, short }
    }

    /// The processor answered so long after a batch was sent.
    pub fn answered(&mut self, took: Duration) {
        self.answers.observe(took);
    }

    /// When the air clock is to start, or to go on if media ran out (`dry`), with this batch, whose decision fell at `now`.
    /// Of no meaning while the clock runs.
    pub fn air_start(&mut self, batch: &BatchTimes, dry: bool, now: Instant) -> Instant {
        if dry {
            // The cushion is given anew.
            self.rate.restart();
            self.standstill.held();
        }
        self.start(batch, dry).at(batch.complete, now)
    }

    /// Remuxing a batch took so long.
    pub fn remuxed(&mut self, took: Duration) {
        self.margin.observe(took);
    }

    /// A batch is ready, up to `end_ms` of air time.
    pub fn ready(&mut self, batch: &BatchTimes, end_ms: u64, work: &Work) -> Readiness {
        let slack_ms = signed_ms(work.ready, work.due);
        let answered = matches!(work.reply, ReplyOutcome::NotAsked | ReplyOutcome::Answered);
        let in_time = answered && slack_ms >= whole_ms(self.missing(batch));
        let slow = self.standstill.ready(batch, in_time);
        self.end_ms = Some(end_ms);
        // Of an earlier run: it waited for this run, not for its steps.
        let took = (batch.complete >= self.started).then(|| work.ready.saturating_duration_since(batch.complete));
        let newest = Newest {
            end_ms,
            complete: batch.complete,
            work_min: self.margin.get().saturating_add(batch.sent.saturating_duration_since(batch.complete)),
            work: took.filter(|_| !work.recording).map(|took| usual_work(batch, work, took)),
        };
        let rate = match work.recording {
            // How far ahead a recording is says nothing about its clock.
            true => 1.0,
            false => {
                let slack_ms = self.slack_for_rate(batch, work, slack_ms);
                self.rate.observe(slack_ms.saturating_add(whole_ms(self.there(batch))), length_ms(batch))
            }
        };
        Readiness { slack_ms, late_by_us: !slow && -slack_ms >= whole_ms(LATE_BY_US), took, newest, rate }
    }

    /// The slack that the clock's rate follows. Time that was only waited away is slack all the same, or a processor that
    /// is away would slow the clock down for ever.
    fn slack_for_rate(&self, batch: &BatchTimes, work: &Work, slack_ms: i64) -> i64 {
        match self.settings.hold {
            Hold::After(_) => signed_ms(batch.complete, work.due),
            Hold::Auto if self.waited_in_vain(batch, work) => {
                signed_ms(after(work.arrived, work.ready.saturating_duration_since(work.began)), work.due)
            }
            Hold::Auto => slack_ms,
        }
    }

    /// True where no reply came that more time would have brought: nobody was there, or it is so late that the delay has
    /// grown by a whole cushion already.
    fn waited_in_vain(&self, batch: &BatchTimes, work: &Work) -> bool {
        match work.reply {
            ReplyOutcome::TimedOut => {
                let PaceSettings { batch: length, cushion, .. } = self.settings;
                work.due.saturating_duration_since(batch.complete) >= length.saturating_add(cushion)
            }
            ReplyOutcome::Absent => true,
            ReplyOutcome::NotAsked | ReplyOutcome::Answered => false,
        }
    }

    /// When air starts with this batch, or is held again with it (`dry`). A short one, that ended where the source went away,
    /// is held longer by what it lacks: the next batch is as long as others again, and is complete only then.
    fn start(&self, batch: &BatchTimes, dry: bool) -> Start {
        let more = if dry { self.missing(batch) } else { Duration::ZERO };
        Start { settings: self.settings, started: self.started, more }
    }

    /// How much later after this batch the next one is complete than this one goes out, if it is as long as the longest of
    /// the last batches.
    fn missing(&self, batch: &BatchTimes) -> Duration {
        self.shorter_by(batch).saturating_sub(batch.open)
    }

    /// What of the length that a batch lacks was there when it was complete, as the beginning of the next one.
    fn there(&self, batch: &BatchTimes) -> Duration {
        self.shorter_by(batch).min(batch.open)
    }

    fn shorter_by(&self, batch: &BatchTimes) -> Duration {
        Duration::from_millis(self.rate.shorter_by_ms(length_ms(batch)))
    }
}

fn length_ms(batch: &BatchTimes) -> u64 {
    batch.end_ms.saturating_sub(batch.start_ms)
}

fn whole_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
