//! When to try again. Pure: time and chance are passed in.
//!
//! While an outage is young the waits stay within a second, so that a receiver that comes back is used at once; later
//! they grow. "Stream busy" after a session was lost is expected for a while and waits its own time without growth.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{
    AIR_BUSY_FOR, AIR_BUSY_WAIT, AIR_RECONNECT_EAGER_FOR, AIR_RECONNECT_EAGER_MAX, AIR_RECONNECT_MAX,
    AIR_RECONNECT_MIN, AIR_SESSION_GOOD,
};

/// The attempts of one destination.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    outage_since: Option<Instant>,
    opened_at: Option<Instant>,
    lost_at: Option<Instant>,
    attempt: u32,
}

impl Backoff {
    /// A session came about.
    pub(super) fn opened(&mut self, now: Instant) {
        self.opened_at = Some(now);
    }

    /// A session was lost, or did not come about; `busy`: the server said that the stream is in use. Answers how long to
    /// wait; `chance` in 0..1 spreads the attempts of many.
    pub(super) fn failed(&mut self, busy: bool, now: Instant, chance: f64) -> Duration {
        if let Some(opened) = self.opened_at.take() {
            self.lost_at = Some(now);
            if now.saturating_duration_since(opened) >= AIR_SESSION_GOOD {
                (self.outage_since, self.attempt) = (None, 0);
            }
        }
        let since = *self.outage_since.get_or_insert(now);
        let expected = self.lost_at.is_some_and(|lost| now.saturating_duration_since(lost) < AIR_BUSY_FOR);
        let spread = 0.75 + chance.clamp(0.0, 1.0) / 4.0;
        if busy && expected {
            return AIR_BUSY_WAIT.mul_f64(spread);
        }
        let young = now.saturating_duration_since(since) < AIR_RECONNECT_EAGER_FOR;
        let most = if young { AIR_RECONNECT_EAGER_MAX } else { AIR_RECONNECT_MAX };
        let wait = AIR_RECONNECT_MIN.saturating_mul(1 << self.attempt.min(16)).min(most);
        self.attempt = self.attempt.saturating_add(1);
        wait.mul_f64(spread)
    }

    /// Failures in a row, "stream busy" after a loss not counted.
    pub(super) fn attempt(&self) -> u32 {
        self.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn grows_to_a_second_while_young_and_further_when_old() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let waits: Vec<_> = (0..6).map(|_| backoff.failed(false, start, 1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.failed(false, start, 0.0).as_millis(), 750, "spread downwards only");
        assert_eq!(backoff.failed(false, start + 40 * S, 1.0), 12_800 * S / 1000);
        assert_eq!(backoff.failed(false, start + 50 * S, 1.0), AIR_RECONNECT_MAX);
        assert_eq!(backoff.attempt(), 9);
        // A session that is lost at once changes nothing; a good one starts anew.
        backoff.opened(start + 60 * S);
        assert_eq!(backoff.failed(false, start + 61 * S, 1.0), AIR_RECONNECT_MAX);
        backoff.opened(start + 80 * S);
        assert_eq!(backoff.failed(false, start + 90 * S, 1.0), AIR_RECONNECT_MIN);
    }

    #[test]
    fn busy_is_expected_after_a_loss_and_then_no_longer() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        assert_eq!(backoff.failed(true, start, 1.0), AIR_RECONNECT_MIN, "nothing was lost: someone else publishes");
        backoff.opened(start);
        assert_eq!(backoff.failed(false, start + 10 * S, 1.0), AIR_RECONNECT_MIN);
        for second in 11..24 {
            assert_eq!(backoff.failed(true, start + second * S, 1.0), AIR_BUSY_WAIT);
        }
        assert_eq!(backoff.attempt(), 1);
        assert_eq!(backoff.failed(true, start + 26 * S, 1.0), 2 * AIR_RECONNECT_MIN);
    }
}
