//! The wait before a reconnect: doubles from [`RECONNECT_MIN`] to [`RECONNECT_MAX`], half of it by chance, so that many
//! hosts do not come back at the same instant. Pure: chance comes in with the call.

use std::time::Duration;

use crate::limits::{RECONNECT_HEALTHY_AFTER, RECONNECT_MAX, RECONNECT_MIN};

/// Counts attempts.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// A connection ended that had lived so long.
    pub fn lived(&mut self, life: Duration) {
        if life >= RECONNECT_HEALTHY_AFTER {
            self.attempts = 0;
        }
    }

    /// The next wait; `chance` lies from 0 to 1.
    pub fn next(&mut self, chance: f64) -> Duration {
        let doubled = RECONNECT_MIN.saturating_mul(1 << self.attempts.min(16)).min(RECONNECT_MAX);
        self.attempts = self.attempts.saturating_add(1);
        doubled.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_for_ever() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..200).map(|_| backoff.next(1.0)).collect();
        assert_eq!(waits[..4], [1, 2, 4, 8].map(|n| RECONNECT_MIN * n));
        assert!(waits[8..].iter().all(|&wait| wait == RECONNECT_MAX));
        assert_eq!(backoff.next(0.0), RECONNECT_MAX / 2);
    }

    #[test]
    fn only_a_healthy_life_starts_again() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.next(1.0);
        }
        backoff.lived(RECONNECT_HEALTHY_AFTER - Duration::from_millis(1));
        assert_eq!(backoff.next(1.0), RECONNECT_MIN * 32);
        backoff.lived(RECONNECT_HEALTHY_AFTER);
        assert_eq!(backoff.next(1.0), RECONNECT_MIN);
    }
}
