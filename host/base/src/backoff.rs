//! How long to wait after a failure. A retry schedule is data ([`Schedule`]); this file computes every delay from it.
//!
//! In: a schedule, the number of consecutive failures, a random number. Out: a duration. The caller decides what counts
//! as a failure and reports it.
//!
//! The schedules are constants beside the other limits of their part, in `limits`. `limits/retry_test.rs` lists all of
//! them and checks their numbers.
//!
//! Not schedules, and therefore not here: delays of a fixed length (a failed accept, a busy database, a full disk, a
//! log file that cannot be opened), polling intervals (SRS, folders, the webhook queue), and delays set by others
//! (`breaker.probe_after`, a processor's `slow-down`). None of them grows with failures. A server's `Retry-After` is
//! ignored.

use std::time::Duration;

/// A retry schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Delay after the first failure, before jitter.
    pub first: Duration,
    /// The delays after the first one.
    pub growth: Growth,
    /// Upper limit of every delay, including jitter.
    pub longest: Duration,
    /// Random part of every delay.
    pub jitter: Jitter,
    /// After a run of at least this duration, a failure counts as the first one. `None`: only an explicit reset clears
    /// the failures.
    pub healthy_after: Option<Duration>,
    /// Maximum number of attempts, including the first. `None`: unlimited.
    pub attempts: Option<u32>,
}

/// How delays grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Each delay is twice the previous one, up to [`Schedule::longest`].
    Doubling,
    /// The delays in order; the last one repeats.
    Steps(&'static [Duration]),
}

/// The range of a random delay, in per cent of the scheduled one. It prevents clients that failed together from
/// retrying together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter {
    /// Shortest delay in per cent.
    pub least: u32,
    /// Longest delay in per cent; [`Schedule::longest`] still applies.
    pub most: u32,
}

impl Jitter {
    /// Every delay is exactly the scheduled one.
    pub const NONE: Self = Self { least: 100, most: 100 };
    /// Any delay from zero to the scheduled one ("full jitter").
    pub const FULL: Self = Self { least: 0, most: 100 };
}

impl Schedule {
    /// Delays that double from `first` to `longest`, without jitter and without end.
    pub const fn doubling(first: Duration, longest: Duration) -> Self {
        Self { first, growth: Growth::Doubling, longest, jitter: Jitter::NONE, healthy_after: None, attempts: None }
    }

    /// Listed delays without jitter; there is one attempt more than delays. `longest` limits them after jitter.
    pub const fn steps(steps: &'static [Duration], longest: Duration) -> Self {
        let first = if steps.is_empty() { Duration::ZERO } else { steps[0] };
        Self {
            first,
            growth: Growth::Steps(steps),
            longest,
            jitter: Jitter::NONE,
            healthy_after: None,
            attempts: Some(steps.len() as u32 + 1),
        }
    }

    /// The same delay after each failure.
    pub const fn constant(wait: Duration) -> Self {
        Self::doubling(wait, wait)
    }

    /// Sets the random part of the delays.
    #[must_use]
    pub const fn jitter(self, least: u32, most: u32) -> Self {
        Self { jitter: Jitter { least, most }, ..self }
    }

    /// Sets the duration of a run after which the next failure counts as the first one.
    #[must_use]
    pub const fn healthy_after(self, life: Duration) -> Self {
        Self { healthy_after: Some(life), ..self }
    }

    /// The delay after `failures` consecutive failures; zero failures: no delay. `chance`, from 0 to 1, selects the
    /// delay in the range of the jitter; 1 is the longest.
    pub fn wait(&self, failures: u32, chance: f64) -> Duration {
        let scheduled = self.scheduled(failures);
        if self.jitter == Jitter::NONE {
            return scheduled;
        }
        let (least, most) = (f64::from(self.jitter.least), f64::from(self.jitter.most));
        let factor = (least + (most - least) * chance.clamp(0.0, 1.0)) / 100.0;
        // A delay that exceeds a duration's range exceeds `longest` too.
        Duration::try_from_secs_f64(scheduled.as_secs_f64() * factor).unwrap_or(self.longest).min(self.longest)
    }

    /// Delay before the next attempt after `failures` failed attempts; `None`: there are no more attempts.
    pub fn next_attempt(&self, failures: u32, chance: f64) -> Option<Duration> {
        self.attempts.is_none_or(|attempts| failures < attempts).then(|| self.wait(failures, chance))
    }

    /// Whether something that failed after this duration was healthy.
    pub fn healthy(&self, life: Duration) -> bool {
        self.healthy_after.is_some_and(|least| life >= least)
    }

    /// The delay before jitter.
    fn scheduled(&self, failures: u32) -> Duration {
        let Some(earlier) = failures.checked_sub(1) else { return Duration::ZERO };
        let wait = match self.growth {
            Growth::Doubling => self.first.saturating_mul(2_u32.saturating_pow(earlier)),
            Growth::Steps(steps) => {
                let listed = usize::try_from(earlier).ok().and_then(|at| steps.get(at)).or(steps.last());
                listed.copied().unwrap_or_default()
            }
        };
        wait.min(self.longest)
    }
}

/// Counts the consecutive failures of something that is retried by a schedule.
#[derive(Debug, Clone)]
pub struct Backoff {
    schedule: Schedule,
    failures: u32,
}

impl Backoff {
    /// No failures.
    pub const fn new(schedule: Schedule) -> Self {
        Self { schedule, failures: 0 }
    }

    /// Counts a failure. Returns the delay before the next attempt.
    pub fn failed(&mut self) -> Duration {
        self.failed_with(rand::random())
    }

    /// [`Self::failed`] with the random number as an argument, see [`Schedule::wait`].
    pub fn failed_with(&mut self, chance: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.schedule.wait(self.failures, chance)
    }

    /// Reports the end of a run of this duration: clears the failures if it was healthy.
    pub fn lived(&mut self, life: Duration) {
        if self.schedule.healthy(life) {
            self.reset();
        }
    }

    /// Clears the failures: the next delay is the first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Number of consecutive failures.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
#[path = "backoff_test.rs"]
mod tests;
