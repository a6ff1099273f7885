//! The waits between retries. A retry schedule is data ([`Schedule`]); this file computes every wait from it.
//!
//! In: a schedule, the number of failures in a row, a random number. Out: a duration. The caller decides what counts as a failure.
//!
//! The schedules are constants in the `limits` of each part. `limits/retry_test.rs` lists them all and checks their numbers.
//!
//! Not in this file: waits of a fixed length (after a failed accept, for a busy database, a full disk, a log file that cannot be
//! opened), polling intervals (SRS, folders, the queue of webhooks), and waits that others set (`breaker.probe_after`, a processor's
//! `slow-down`). None of them grows with failures. `Retry-After` headers are not read.

use std::time::Duration;

/// A retry schedule: how the waits between attempts grow, and when failures are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Wait after the first failure, before jitter.
    pub first: Duration,
    /// How the later waits grow.
    pub growth: Growth,
    /// Upper bound of every wait, jitter included.
    pub longest: Duration,
    /// Random part of every wait.
    pub jitter: Jitter,
    /// A run of at least this length before a failure was healthy: the failure counts as the first one. `None`: only an explicit reset
    /// forgets failures.
    pub healthy_after: Option<Duration>,
    /// Most attempts, including the first one. `None`: no limit.
    pub attempts: Option<u32>,
}

/// How the waits grow after the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Each wait is twice the one before, up to [`Schedule::longest`].
    Doubling,
    /// The waits in order; the last one repeats.
    Steps(&'static [Duration]),
}

/// The range from which a wait is drawn at random, in percent of the scheduled wait. So clients that failed together do not retry
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter {
    /// Shortest wait, in percent of the scheduled one.
    pub least: u32,
    /// Longest wait, in percent of the scheduled one. [`Schedule::longest`] still applies.
    pub most: u32,
}

impl Jitter {
    /// No jitter: every wait is the scheduled one.
    pub const NONE: Self = Self { least: 100, most: 100 };
    /// Any wait from zero to the scheduled one ("full jitter").
    pub const FULL: Self = Self { least: 0, most: 100 };
}

impl Schedule {
    /// Waits that double from `first` to `longest`, without jitter and without a last attempt.
    pub const fn doubling(first: Duration, longest: Duration) -> Self {
        Self { first, growth: Growth::Doubling, longest, jitter: Jitter::NONE, healthy_after: None, attempts: None }
    }

    /// The listed waits, without jitter, with one attempt more than waits. `longest` limits them if jitter is added.
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

    /// The same wait after each failure.
    pub const fn constant(wait: Duration) -> Self {
        Self::doubling(wait, wait)
    }

    /// Sets the random part of the waits.
    #[must_use]
    pub const fn jitter(self, least: u32, most: u32) -> Self {
        Self { jitter: Jitter { least, most }, ..self }
    }

    /// Sets how long something must run for its next failure to count as a first one.
    #[must_use]
    pub const fn healthy_after(self, life: Duration) -> Self {
        Self { healthy_after: Some(life), ..self }
    }

    /// Wait after `failures` failures in a row; zero failures: no wait. `chance`, from 0 to 1, places the wait in the
    /// range of the jitter; 1 is the longest.
    pub fn wait(&self, failures: u32, chance: f64) -> Duration {
        let scheduled = self.scheduled(failures);
        if self.jitter == Jitter::NONE {
            return scheduled;
        }
        let (least, most) = (f64::from(self.jitter.least), f64::from(self.jitter.most));
        let factor = (least + (most - least) * chance.clamp(0.0, 1.0)) / 100.0;
        // A wait that no duration holds is longer than the longest.
        Duration::try_from_secs_f64(scheduled.as_secs_f64() * factor).unwrap_or(self.longest).min(self.longest)
    }

    /// Wait before the next attempt after `failures` attempts failed; `None`: that was the last attempt.
    pub fn next_attempt(&self, failures: u32, chance: f64) -> Option<Duration> {
        self.attempts.is_none_or(|attempts| failures < attempts).then(|| self.wait(failures, chance))
    }

    /// True if a run of this length was healthy.
    pub fn healthy(&self, life: Duration) -> bool {
        self.healthy_after.is_some_and(|least| life >= least)
    }

    /// The wait before jitter.
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

/// Counts the failures in a row of an operation that is retried by a schedule.
#[derive(Debug, Clone)]
pub struct Backoff {
    schedule: Schedule,
    failures: u32,
}

impl Backoff {
    /// A counter without failures.
    pub const fn new(schedule: Schedule) -> Self {
        Self { schedule, failures: 0 }
    }

    /// Counts a failure. Returns how long to wait before the next attempt.
    pub fn failed(&mut self) -> Duration {
        self.failed_with(rand::random())
    }

    /// Like [`failed`](Self::failed), with the random number as an argument; see [`Schedule::wait`].
    pub fn failed_with(&mut self, chance: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.schedule.wait(self.failures, chance)
    }

    /// Records the end of a run of this length: forgets the failures if it was healthy.
    pub fn lived(&mut self, life: Duration) {
        if self.schedule.healthy(life) {
            self.reset();
        }
    }

    /// Forgets the failures: the next wait is the first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The number of failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
#[path = "backoff_test.rs"]
mod tests;
