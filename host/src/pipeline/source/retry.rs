//! Whether and when one request is made again. The only layer that retries segments, keys and first playlists.

use std::time::Duration;

use super::config::Budget;
use super::error::{Again, FetchError};
use crate::limits::{REFUSED_TRIES, RETRY_STEP_MAX};

/// A wait before try `failures + 1`: anything between zero and the step, which doubles each time ("full jitter": many
/// sources that failed together do not come back together).
pub(super) fn jittered(step: Duration, limit: Duration, failures: u32) -> Duration {
    let doubled = step.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(limit);
    doubled.mul_f64(rand::random_range(0.0..=1.0))
}

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Retry {
    tries: u32,
    step: Duration,
    failures: u32,
    refusals: u32,
}

impl Retry {
    /// A full budget.
    pub(super) fn new(budget: &Budget, step: Duration) -> Self {
        Self { tries: budget.tries.max(1), step, failures: 0, refusals: 0 }
    }

    /// How long to wait before the next try; `None`: give up.
    pub(super) fn after(&mut self, error: &FetchError) -> Option<Duration> {
        self.failures += 1;
        let mut least = Duration::ZERO;
        let allowed = match error.again() {
            Again::Never => return None,
            Again::Few => {
                // What was listed too early needs a moment, so these few tries are never close together.
                self.refusals += 1;
                least = self.step.saturating_mul(self.refusals);
                self.refusals < REFUSED_TRIES
            }
            Again::Yes => true,
        };
        let wait = || least + jittered(self.step, RETRY_STEP_MAX, self.failures);
        (allowed && self.failures < self.tries).then(wait)
    }

    /// Tries that failed so far.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(error: &FetchError) -> u32 {
        let budget = Budget { first_byte: Duration::ZERO, whole: Duration::ZERO, tries: 6 };
        let mut retry = Retry::new(&budget, Duration::from_millis(1));
        while retry.after(error).is_some() {}
        retry.failures()
    }

    #[test]
    fn faults_use_the_budget_refusals_a_part_of_it() {
        assert_eq!(tries(&FetchError::Status(503)), 6);
        assert_eq!(tries(&FetchError::Status(404)), REFUSED_TRIES);
        assert_eq!(tries(&FetchError::TooLarge { limit: 1 }), 1);
    }

    #[test]
    fn what_is_not_there_yet_gets_a_moment() {
        let step = Duration::from_millis(400);
        let budget = Budget { first_byte: Duration::ZERO, whole: Duration::ZERO, tries: 6 };
        let mut retry = Retry::new(&budget, step);
        assert!(retry.after(&FetchError::Status(404)).is_some_and(|wait| wait >= step));
        assert!(retry.after(&FetchError::Status(404)).is_some_and(|wait| wait >= 2 * step));
        assert_eq!(retry.after(&FetchError::Status(404)), None);
    }

    #[test]
    fn waits_double_up_to_the_limit() {
        let longest = |failures| {
            let draw = |_| jittered(Duration::from_secs(1), Duration::from_secs(8), failures);
            (0..200).map(draw).max().unwrap_or_default().as_secs_f64()
        };
        for (failures, step) in [(1, 1.0), (2, 2.0), (4, 8.0), (40, 8.0)] {
            let seen = longest(failures);
            assert!(seen <= step && seen > step * 0.8, "{seen} after {failures}");
        }
    }
}
