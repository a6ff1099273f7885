//! Whether and when a request is repeated. The only layer that retries segments, keys and first playlists.

use std::time::Duration;

use super::config::Budget;
use super::error::{Again, FetchError};
use crate::limits::{REFUSED_TRIES, REQUEST_RETRY};
use outboard_base::backoff::Schedule;

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Retry {
    schedule: Schedule,
    failures: u32,
    refusals: u32,
}

impl Retry {
    /// A full budget; `step` is the first delay, without jitter.
    pub(super) fn new(budget: &Budget, step: Duration) -> Self {
        let schedule = Schedule { first: step, attempts: Some(budget.tries.max(1)), ..REQUEST_RETRY };
        Self { schedule, failures: 0, refusals: 0 }
    }

    /// The delay before the next attempt; `None`: give up.
    pub(super) fn after(&mut self, error: &FetchError) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let mut least = Duration::ZERO;
        let allowed = match error.again() {
            Again::Never => return None,
            Again::Few => {
                // A segment that was listed too early needs a moment, so these few attempts are never close together.
                self.refusals += 1;
                least = self.schedule.first.saturating_mul(self.refusals);
                self.refusals < REFUSED_TRIES
            }
            Again::Yes => true,
        };
        let wait = self.schedule.next_attempt(self.failures, rand::random()).filter(|_| allowed)?;
        Some(least.saturating_add(wait))
    }

    /// Number of failed attempts.
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
}
