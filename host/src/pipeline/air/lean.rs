//! How the air clock leans: from the slack of the last batches to a rate.
//!
//! In: for each batch, how long before its time on air it was ready. Out: the rate to set on the clock. Too little slack
//! makes the clock slower, so that later batches have more time; too much makes it faster, so that the delay does not
//! grow; both by at most 5 %, and not at all near the target. This also follows a source whose clock is off: its drift
//! shows as slack that grows or shrinks.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{AIR_LEAN_MAX, AIR_LEAN_MIN};

/// The scarcest of this many batches decides: one quick batch does not spend what slow ones need.
const BATCHES: usize = 3;
/// An error is worked off in about this time...
const OVER: Duration = Duration::from_secs(60);
/// ...and is none while it is below this part of the target...
const DEAD_BAND: f64 = 0.25;
/// ...or below this.
const DEAD_BAND_MIN: Duration = Duration::from_millis(200);

/// The controller of one programme. Pure: no clock of its own.
#[derive(Debug, Clone)]
pub struct Lean {
    target_ms: f64,
    slack_ms: VecDeque<f64>,
}

impl Lean {
    /// Aims at batches being ready this long before their time on air.
    pub fn new(cushion: Duration) -> Self {
        Self { target_ms: cushion.as_secs_f64() * 1000.0, slack_ms: VecDeque::with_capacity(BATCHES) }
    }

    /// Forgets the slack of batches so far: the cushion was given anew.
    pub fn restart(&mut self) {
        self.slack_ms.clear();
    }

    /// Takes the slack of the newest batch (milliseconds from ready to due, negative when it came too late) and answers
    /// the rate, from [`AIR_LEAN_MIN`] to [`AIR_LEAN_MAX`].
    pub fn observe(&mut self, slack_ms: i64) -> f64 {
        if self.slack_ms.len() == BATCHES {
            self.slack_ms.pop_front();
        }
        self.slack_ms.push_back(slack_ms as f64);
        let scarcest = self.slack_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let error = scarcest - self.target_ms;
        let band = (self.target_ms * DEAD_BAND).max(DEAD_BAND_MIN.as_secs_f64() * 1000.0);
        if error.abs() <= band {
            return 1.0;
        }
        (1.0 + error / (OVER.as_secs_f64() * 1000.0)).clamp(AIR_LEAN_MIN, AIR_LEAN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_near_the_target() {
        let mut lean = Lean::new(Duration::from_secs(3));
        for slack in [3_000, 2_400, 3_600] {
            assert_eq!(lean.observe(slack), 1.0);
        }
        let mut lean = Lean::new(Duration::ZERO);
        assert_eq!(lean.observe(150), 1.0);
    }

    #[test]
    fn slows_down_at_once_and_speeds_up_only_when_all_agree() {
        let mut lean = Lean::new(Duration::from_secs(3));
        assert_eq!(lean.observe(9_000), 1.05);
        let slower = lean.observe(1_000);
        assert!((0.95..1.0).contains(&slower), "{slower}");
        assert!(lean.observe(9_000) < 1.0, "one scarce batch holds");
        assert_eq!(lean.observe(-60_000), 0.95);
        assert_eq!((lean.observe(9_000), lean.observe(9_000), lean.observe(9_000)), (0.95, 0.95, 1.05));
    }

    /// A source that is 0.1 % slow, batches of 10 s: slack settles near the target and stays.
    #[test]
    fn follows_a_source_whose_clock_is_off() {
        for drift in [0.999, 1.001] {
            let mut lean = Lean::new(Duration::from_secs(2));
            let (mut slack, mut rate) = (2_000.0, 1.0);
            for _ in 0..10_000 {
                // A batch of 10 media seconds takes 10 / drift seconds to arrive and 10 / rate seconds on air.
                slack += 10_000.0 / rate - 10_000.0 / drift;
                rate = lean.observe(slack as i64);
            }
            assert!((slack - 2_000.0f64).abs() < 700.0, "{drift}: {slack}");
        }
    }
}
