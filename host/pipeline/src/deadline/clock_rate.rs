//! How fast the air clock runs: from the slack of the last batches to a rate.
//!
//! In: for each batch, how long before its time on air it was ready. Out: the rate to set on the clock. Too little slack
//! makes the clock slower, so that later batches have more time; too much makes it faster, so that the delay does not
//! grow; both by at most 5 %, and not at all near the target. This also follows a source whose clock is off: its drift
//! shows as slack that grows or shrinks.

use std::collections::VecDeque;
use std::time::Duration;

use outboard_egress::limits::{AIR_RATE_MAX, AIR_RATE_MIN};

/// The longest batch of so much media is what the clock has to leave time for.
const LENGTHS_OVER: Duration = Duration::from_secs(600);
/// The scarcest of this many batches decides: one quick batch does not spend what slow ones need.
const BATCHES: usize = 3;
/// Lengths that are kept at most.
const LENGTHS_MAX: usize = 600;
/// The rate is set so that an error is corrected in about this time.
const OVER: Duration = Duration::from_secs(60);
/// Errors up to this fraction of the target are ignored.
const DEAD_BAND: f64 = 0.25;
/// Errors up to this duration are ignored, however small the target is.
const DEAD_BAND_MIN: Duration = Duration::from_millis(200);

/// The controller of one programme. Pure: no clock of its own.
#[derive(Debug, Clone)]
pub(super) struct ClockRateController {
    target_ms: f64,
    slack_ms: VecDeque<f64>,
    /// Lengths of the batches of the last [`LENGTHS_OVER`] of media, in milliseconds.
    lengths_ms: VecDeque<f64>,
}

impl ClockRateController {
    /// Aims at batches being ready this long before their time on air.
    pub(super) fn new(cushion: Duration) -> Self {
        Self {
            target_ms: cushion.as_secs_f64() * 1000.0,
            slack_ms: VecDeque::with_capacity(BATCHES),
            lengths_ms: VecDeque::new(),
        }
    }

    /// Forgets the slack of batches so far: the cushion was given anew.
    pub(super) fn restart(&mut self) {
        self.slack_ms.clear();
    }

    /// Aims at another slack from now on.
    pub(super) fn aim(&mut self, cushion: Duration) {
        self.target_ms = cushion.as_secs_f64() * 1000.0;
    }

    /// Takes the slack of the newest batch (milliseconds from ready to due, negative when it came too late) and its length in
    /// milliseconds, and answers the rate, from [`AIR_RATE_MIN`] to [`AIR_RATE_MAX`].
    ///
    /// A batch that is shorter than others has more slack by just that: it is no reason to go faster, or the next long one
    /// would come too late.
    pub(super) fn observe(&mut self, slack_ms: i64, length_ms: u64) -> f64 {
        let longest = self.longest(length_ms as f64);
        if self.slack_ms.len() == BATCHES {
            self.slack_ms.pop_front();
        }
        self.slack_ms.push_back(slack_ms as f64 - (longest - length_ms as f64));
        let scarcest = self.slack_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let error = scarcest - self.target_ms;
        let band = (self.target_ms * DEAD_BAND).max(DEAD_BAND_MIN.as_secs_f64() * 1000.0);
        if error.abs() <= band {
            return 1.0;
        }
        (1.0 + error / (OVER.as_secs_f64() * 1000.0)).clamp(AIR_RATE_MIN, AIR_RATE_MAX)
    }

    /// How much shorter a batch of this length is than the longest of the last batches, in milliseconds.
    pub(super) fn shorter_by_ms(&self, length_ms: u64) -> u64 {
        let longest = self.lengths_ms.iter().copied().fold(0.0, f64::max);
        (longest as u64).saturating_sub(length_ms)
    }

    /// The longest of the last batches and this one.
    fn longest(&mut self, length_ms: f64) -> f64 {
        let over_ms = LENGTHS_OVER.as_secs_f64() * 1000.0;
        self.lengths_ms.push_back(length_ms);
        while self.lengths_ms.len() > 1
            && (self.lengths_ms.iter().sum::<f64>() > over_ms || self.lengths_ms.len() > LENGTHS_MAX)
        {
            self.lengths_ms.pop_front();
        }
        self.lengths_ms.iter().copied().fold(length_ms, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_near_the_target() {
        let mut control = ClockRateController::new(Duration::from_secs(3));
        for slack in [3_000, 2_400, 3_600] {
            assert_eq!(control.observe(slack, 10_000), 1.0);
        }
        let mut control = ClockRateController::new(Duration::ZERO);
        assert_eq!(control.observe(150, 10_000), 1.0);
    }

    #[test]
    fn slows_down_at_once_and_speeds_up_only_when_all_agree() {
        let mut control = ClockRateController::new(Duration::from_secs(3));
        assert_eq!(control.observe(9_000, 10_000), 1.05);
        let slower = control.observe(1_000, 10_000);
        assert!((0.95..1.0).contains(&slower), "{slower}");
        assert!(control.observe(9_000, 10_000) < 1.0, "one scarce batch holds");
        assert_eq!(control.observe(-60_000, 10_000), 0.95);
        assert_eq!(
            (control.observe(9_000, 10_000), control.observe(9_000, 10_000), control.observe(9_000, 10_000)),
            (0.95, 0.95, 1.05)
        );
    }

    /// A source that is 0.1 % slow, batches of 10 s: slack settles near the target and stays.
    #[test]
    fn follows_a_source_whose_clock_is_off() {
        for drift in [0.999, 1.001] {
            let mut control = ClockRateController::new(Duration::from_secs(2));
            let (mut slack, mut rate) = (2_000.0, 1.0);
            for _ in 0..10_000 {
                // A batch of 10 media seconds takes 10 / drift seconds to arrive and 10 / rate seconds on air.
                slack += 10_000.0 / rate - 10_000.0 / drift;
                rate = control.observe(slack as i64, 10_000);
            }
            assert!((slack - 2_000.0f64).abs() < 700.0, "{drift}: {slack}");
        }
    }

    /// A batch a segment in a break, then batches of 30 s again: the delay must still be there for them.
    #[test]
    fn short_batches_do_not_spend_what_long_ones_need() {
        let mut control = ClockRateController::new(Duration::from_secs(3));
        assert_eq!(control.observe(3_000, 30_000), 1.0);
        for _ in 0..20 {
            assert_eq!(control.observe(27_000, 6_000), 1.0, "24 s shorter, 24 s more slack");
        }
        // Batches that stay short for long do not keep the delay for ever.
        let mut rate = 1.0;
        for _ in 0..100 {
            rate = control.observe(27_000, 6_000);
        }
        assert_eq!(rate, 1.05);
    }
}
