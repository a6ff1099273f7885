//! The circuit breaker: stops sending for a while to a processor that only fails.
//!
//! It opens after a number of consecutive retryable failures or timeouts. After a delay, one fragment is sent as a
//! probe: any answer but a retryable failure closes the breaker, and a failure opens it again. Any answer shows that
//! the processor works, so an unusable reply does not count; its batch uses the fallback. Pure: time is an argument of
//! the calls.

use tokio::time::Instant;

use super::config::BreakerConfig;
use super::status::BreakerState;

/// Counts failures and decides which fragments are sent.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

impl Breaker {
    /// A closed breaker without failures.
    pub fn new(config: BreakerConfig) -> Self {
        Self { config, state: State::Closed { failures: 0 } }
    }

    /// The state, as shown in the status.
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing => BreakerState::Probing,
        }
    }

    /// Whether a fragment may be sent. `Some(true)`: as the probe, whose result must be reported.
    pub fn admit(&mut self, now: Instant) -> Option<bool> {
        match self.state {
            State::Closed { .. } => Some(false),
            State::Open { until } if until <= now => {
                self.state = State::Probing;
                Some(true)
            }
            State::Open { .. } | State::Probing => None,
        }
    }

    /// Records that the processor answered, which closes the breaker.
    pub fn success(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// Records a retryable failure, or a fragment without an answer. Returns true if this opened the breaker.
    pub fn failure(&mut self, now: Instant) -> bool {
        let failures = match self.state {
            State::Closed { failures } => failures.saturating_add(1),
            State::Probing => self.config.failures,
            State::Open { .. } => return false,
        };
        if self.config.failures > 0 && failures >= self.config.failures {
            self.state = State::Open { until: now + self.config.probe_after };
            return true;
        }
        self.state = State::Closed { failures };
        false
    }

    /// Records that the probe ended without a result: the next fragment is the probe.
    pub fn inconclusive(&mut self, now: Instant) {
        if self.state == State::Probing {
            self.state = State::Open { until: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn open() -> (Breaker, Instant) {
        let mut breaker = Breaker::new(BreakerConfig { failures: 3, probe_after: Duration::from_secs(30) });
        let now = Instant::now();
        assert!(!breaker.failure(now) && !breaker.failure(now) && breaker.failure(now));
        (breaker, now)
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let (mut breaker, now) = open();
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.admit(now), None);
        assert!(!breaker.failure(now), "is open already");
    }

    #[test]
    fn an_answer_between_failures_starts_the_count_again() {
        let mut breaker = Breaker::new(BreakerConfig { failures: 2, probe_after: Duration::ZERO });
        let now = Instant::now();
        for _ in 0..10 {
            assert!(!breaker.failure(now));
            breaker.success();
        }
        assert_eq!(breaker.admit(now), Some(false));
    }

    #[test]
    fn one_fragment_probes_after_the_wait() {
        let (mut breaker, now) = open();
        let later = now + Duration::from_secs(30);
        assert_eq!(breaker.admit(later), Some(true));
        assert_eq!((breaker.state(), breaker.admit(later)), (BreakerState::Probing, None));
        assert!(breaker.failure(later), "one failure is enough now");
        assert_eq!(breaker.admit(later + Duration::from_secs(29)), None);
        assert_eq!(breaker.admit(later + Duration::from_secs(30)), Some(true));
        breaker.success();
        assert_eq!((breaker.state(), breaker.admit(later)), (BreakerState::Closed, Some(false)));
    }

    #[test]
    fn a_probe_that_tells_nothing_is_followed_by_another() {
        let (mut breaker, now) = open();
        let later = now + Duration::from_secs(30);
        assert_eq!(breaker.admit(later), Some(true));
        breaker.inconclusive(later);
        assert_eq!(breaker.admit(later), Some(true));
        breaker.success();
        breaker.inconclusive(later);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn zero_failures_mean_no_breaker() {
        let mut breaker = Breaker::new(BreakerConfig { failures: 0, probe_after: Duration::ZERO });
        assert!((0..1000).all(|_| !breaker.failure(Instant::now())));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
