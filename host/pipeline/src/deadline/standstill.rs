//! Whether media ran out, so that air is held again: replies have their time again with the next batch, instead of minutes
//! later, when the clock, which leans by 5 % at most, has the delay again that an absence of the source cost. Pure.
//!
//! A clock that stands still for [`AIR_DRY_AFTER`] has run dry, whatever the reason. One that stands still for less may have
//! been held up by this host, and a hold would be a gap while the source delivers. After an absence of the source it is held
//! nevertheless: the gap is then part of the absence, and holding makes it as long as that at most.

use std::time::Duration;

use tokio::time::Instant;

use super::{BatchTimes, length_ms};
use crate::limits::{AIR_DRY_AFTER, SOURCE_UNEVEN};
use outboard_egress::limits::AIR_STALL_MIN;

/// Follows when batches came from the source.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standstill {
    /// When the newest batch that is ready was complete.
    complete: Option<Instant>,
    /// The source was away, and replies do not have their time again yet.
    away: bool,
    /// Air is held again with the batch that is under way.
    held: bool,
}

impl Standstill {
    /// Whether air is to be held again with this batch. `standing`: how long the clock has stood still.
    pub(super) fn is_dry(&self, batch: &BatchTimes, standing: Duration) -> bool {
        standing >= AIR_DRY_AFTER || (standing >= AIR_STALL_MIN && (self.away || self.was_away(batch)))
    }

    /// Air is held again with the batch that is under way: the time that the absence cost is given anew.
    pub(super) fn held(&mut self) {
        self.held = true;
    }

    /// A batch is ready. `in_time`: it had time for a reply, and the next one will. Answers whether the source was slow with
    /// it.
    pub(super) fn ready(&mut self, batch: &BatchTimes, in_time: bool) -> bool {
        let slow = self.was_away(batch);
        self.away = (self.away || slow) && !in_time && !self.held;
        self.held = false;
        self.complete = Some(batch.complete);
        slow
    }

    /// Its segments took longer to come than they last.
    fn was_away(&self, batch: &BatchTimes) -> bool {
        let length = Duration::from_millis(length_ms(batch));
        self.complete.is_some_and(|before| {
            batch.complete.saturating_duration_since(before) > length.saturating_add(SOURCE_UNEVEN)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// A batch of 6 s.
    fn batch(complete: Instant) -> BatchTimes {
        BatchTimes { start_ms: 0, end_ms: 6_000, complete, sent: complete, asked: true, open: Duration::ZERO }
    }

    #[test]
    fn a_short_standstill_counts_only_after_an_absence() {
        let (mut standstill, base) = (Standstill::default(), Instant::now());
        assert!(!standstill.ready(&batch(base), true));
        let in_time = batch(base + 6 * S);
        assert!(!standstill.is_dry(&in_time, S - AIR_STALL_MIN), "the host was slow");
        assert!(standstill.is_dry(&in_time, AIR_DRY_AFTER));
        assert!(!standstill.ready(&in_time, true));
        let late = batch(base + 17 * S);
        assert!(standstill.is_dry(&late, S / 10) && !standstill.is_dry(&late, Duration::ZERO));
        // It came before the clock stood still, the next one did not.
        assert!(standstill.ready(&late, false));
        let next = batch(base + 23 * S);
        assert!(standstill.is_dry(&next, S / 10));
        standstill.held();
        assert!(!standstill.ready(&next, false));
        assert!(!standstill.is_dry(&batch(base + 29 * S), S / 10), "the time was given anew");
    }

    #[test]
    fn an_absence_is_over_when_replies_have_their_time_again() {
        let (mut standstill, base) = (Standstill::default(), Instant::now());
        standstill.ready(&batch(base), true);
        assert!(standstill.ready(&batch(base + 9 * S), false));
        standstill.ready(&batch(base + 15 * S), true);
        assert!(!standstill.is_dry(&batch(base + 21 * S), S / 10));
    }
}
