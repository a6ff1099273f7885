//! When a destination is retried. Pure: time and random numbers are arguments.
//!
//! Early in an outage, delays are at most one second, so that a receiver that comes back is used at once; later they
//! grow. "Stream busy" after a lost session is expected for a while and has its own constant delay.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{AIR_BUSY, AIR_BUSY_FOR, AIR_OUTAGE_YOUNG_FOR, AIR_RECONNECT, AIR_RECONNECT_YOUNG};

/// The failures of one destination since it last worked.
#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Option<Instant>,
    opened_at: Option<Instant>,
    lost_at: Option<Instant>,
    failures: u32,
}

impl Outage {
    /// Records that a session was opened.
    pub(super) fn opened(&mut self, now: Instant) {
        self.opened_at = Some(now);
    }

    /// Records that a session was lost or could not be opened; `busy`: the server reported that the stream is in use.
    /// Returns the delay; `chance` in 0..1 spreads the attempts of many destinations.
    pub(super) fn failed(&mut self, busy: bool, now: Instant, chance: f64) -> Duration {
        if let Some(opened) = self.opened_at.take() {
            self.lost_at = Some(now);
            if AIR_RECONNECT.healthy(now.saturating_duration_since(opened)) {
                (self.since, self.failures) = (None, 0);
            }
        }
        let since = *self.since.get_or_insert(now);
        let expected = self.lost_at.is_some_and(|lost| now.saturating_duration_since(lost) < AIR_BUSY_FOR);
        if busy && expected {
            return AIR_BUSY.wait(1, chance);
        }
        let young = now.saturating_duration_since(since) < AIR_OUTAGE_YOUNG_FOR;
        let schedule = if young { AIR_RECONNECT_YOUNG } else { AIR_RECONNECT };
        self.failures = self.failures.saturating_add(1);
        schedule.wait(self.failures, chance)
    }

    /// Number of consecutive failures, without "stream busy" after a loss.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn grows_to_a_second_while_young_and_further_when_old() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        let waits: Vec<_> = (0..6).map(|_| outage.failed(false, start, 1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(outage.failed(false, start, 0.0).as_millis(), 750, "spread downwards only");
        assert_eq!(outage.failed(false, start + 40 * S, 1.0), 12_800 * S / 1000);
        assert_eq!(outage.failed(false, start + 50 * S, 1.0), AIR_RECONNECT.longest);
        assert_eq!(outage.failures(), 9);
        // A session that is lost at once changes nothing; a long one resets the delays.
        outage.opened(start + 60 * S);
        assert_eq!(outage.failed(false, start + 61 * S, 1.0), AIR_RECONNECT.longest);
        outage.opened(start + 80 * S);
        assert_eq!(outage.failed(false, start + 90 * S, 1.0), AIR_RECONNECT.first);
    }

    #[test]
    fn busy_is_expected_after_a_loss_and_then_no_longer() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert_eq!(outage.failed(true, start, 1.0), AIR_RECONNECT.first, "nothing was lost: someone else publishes");
        outage.opened(start);
        assert_eq!(outage.failed(false, start + 10 * S, 1.0), AIR_RECONNECT.first);
        for second in 11..24 {
            assert_eq!(outage.failed(true, start + second * S, 1.0), AIR_BUSY.first);
        }
        assert_eq!(outage.failures(), 1);
        assert_eq!(outage.failed(true, start + 26 * S, 1.0), 2 * AIR_RECONNECT.first);
    }
}
