//! When air starts: with the first batch, and again with the first one after media ran out. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::PaceSettings;
use super::arithmetic::after;
use crate::settings::Hold;

/// What decides when air starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// Hold, cushion and batch length as set.
    pub(super) settings: PaceSettings,
    /// When this run began.
    pub(super) started: Instant,
    /// So much longer than as set.
    pub(super) more: Duration,
}

impl Start {
    /// When a batch goes on air that was complete at this instant, whatever comes. After a restart it may have been
    /// complete long ago: then the processor gets the cushion once more.
    pub(super) fn latest(&self, complete: Instant) -> Instant {
        let PaceSettings { batch, hold, cushion } = self.settings;
        let latest = match hold {
            Hold::After(hold) => after(complete, hold.saturating_add(self.more)),
            Hold::Auto => after(complete, batch.saturating_add(self.more)),
        };
        latest.max(after(self.started, cushion.min(batch)))
    }

    /// When it goes on air if its decision fell at `now`.
    pub(super) fn at(&self, complete: Instant, now: Instant) -> Instant {
        let latest = self.latest(complete);
        match self.settings.hold {
            Hold::After(_) => latest,
            Hold::Auto => after(now, self.settings.cushion.saturating_add(self.more)).min(latest),
        }
        .max(now)
    }
}

/// How long the processor took lately, at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    /// Of the last [`ANSWERS`] replies.
    took: [Duration; ANSWERS],
    next: usize,
}

/// So many replies count.
const ANSWERS: usize = 5;

impl Answers {
    /// A reply came so long after its fragment was handed over.
    pub(super) fn observe(&mut self, took: Duration) {
        if let Some(place) = self.took.get_mut(self.next % ANSWERS) {
            *place = took;
        }
        self.next = self.next.wrapping_add(1);
    }

    /// A fragment that had so much time had less than the processor is known to need: that no reply came says nothing
    /// about it.
    pub(super) fn need_more_than(&self, given: Duration) -> bool {
        self.took.iter().any(|took| *took > given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{AIR_DRY_AFTER, REMUX_MARGIN_FIRST};
    use outboard_egress::clock::media_time::MediaTime;

    const S: Duration = Duration::from_secs(1);

    fn start(hold: Hold) -> Start {
        let settings = PaceSettings { batch: 6 * S, hold, cushion: 5 * S / 2 };
        Start { settings, started: Instant::now(), more: Duration::ZERO }
    }

    #[test]
    fn a_reply_and_the_cushion_or_one_batch_at_the_latest() {
        let start = start(Hold::Auto);
        let complete = start.started + 20 * S;
        assert_eq!(start.at(complete, complete + 3 * S / 2), complete + 4 * S);
        assert_eq!(start.at(complete, complete + 5 * S), complete + 6 * S);
        assert_eq!(start.at(complete, complete + 9 * S), complete + 9 * S, "not in the past");
        assert_eq!(start.latest(start.started - 60 * S), start.started + 5 * S / 2, "complete before this run");
        let set = Start { settings: PaceSettings { hold: Hold::After(4 * S), ..start.settings }, ..start };
        assert_eq!((set.at(complete, complete + S), set.latest(complete)), (complete + 4 * S, complete + 4 * S));
        let longer = Start { more: 2 * S, ..start };
        assert_eq!(
            (longer.at(complete, complete + S), longer.latest(complete)),
            (complete + 11 * S / 2, complete + 8 * S)
        );
        assert_eq!(Start { more: 2 * S, ..set }.at(complete, complete + S), complete + 6 * S);
    }

    /// A source that is away for 30 s, batches of 6 s, a processor that takes 1.5 s: without the second hold every later
    /// batch would be due the moment that it is complete.
    #[test]
    fn after_the_clock_ran_dry_replies_have_their_time_again() {
        let (mut clock, start) = (MediaTime::new(1.0), start(Hold::Auto));
        let (batch, answer) = (6 * S, 3 * S / 2);
        let mut air_ms = 0;
        for number in 0..12u32 {
            let away = if number >= 4 { 30 * S } else { Duration::ZERO };
            let complete = start.started + batch * (number + 1) + away;
            let dry = clock.status(complete).standing >= AIR_DRY_AFTER;
            assert_eq!(dry, number == 4, "batch {number}");
            let due = clock.due(air_ms).filter(|_| !dry).unwrap_or_else(|| start.latest(complete));
            assert!(complete + answer <= due - REMUX_MARGIN_FIRST, "batch {number} misses its reply");
            let now = complete + answer;
            let at = start.at(complete, now);
            let held = if dry { clock.resume_at(at, now) } else { clock.start(air_ms, at) };
            assert_eq!(held, number == 0 || dry);
            air_ms += 6000;
            clock.extend(air_ms, now);
            let due = clock.due(air_ms - 6000).unwrap();
            assert_eq!(due - complete, answer + start.settings.cushion, "batch {number}");
        }
    }

    #[test]
    fn a_fragment_that_had_less_time_than_replies_take_says_nothing() {
        let mut answers = Answers::default();
        assert!(!answers.need_more_than(Duration::ZERO), "nothing is known");
        answers.observe(3 * S / 2);
        answers.observe(S);
        assert!(answers.need_more_than(S) && !answers.need_more_than(2 * S));
        (0..ANSWERS).for_each(|_| answers.observe(S / 2));
        assert!(!answers.need_more_than(S), "it is faster now");
    }
}
