//! When a delivery that failed is tried again, and when no more.

use std::time::Duration;

use crate::limits::{WEBHOOK_JITTER, WEBHOOK_WAITS};

/// The waits between the attempts of one delivery; there is one attempt more than waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Default for Schedule {
    fn default() -> Self {
        Self(WEBHOOK_WAITS.to_vec())
    }
}

impl Schedule {
    /// One with these waits.
    pub fn new(waits: impl Into<Vec<Duration>>) -> Self {
        Self(waits.into())
    }

    /// The wait after so many attempts in vain; `None`: it is given up. `draw` is random, from 0 to 1: receivers that
    /// failed together are not tried together.
    pub(super) fn wait_after(&self, attempts: u32, draw: f64) -> Option<Duration> {
        let made = usize::try_from(attempts).ok()?.saturating_sub(1);
        let factor = 1.0 + WEBHOOK_JITTER * (2.0 * draw - 1.0);
        self.0.get(made).map(|wait| wait.mul_f64(factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let schedule = Schedule::default();
        let waits: Vec<_> = (1..).map_while(|attempts| schedule.wait_after(attempts, 0.5)).collect();
        assert_eq!(waits, WEBHOOK_WAITS);
        assert!(waits.is_sorted() && waits.len() == 9);
        let all: Duration = waits.iter().sum();
        assert!(all > Duration::from_secs(12 * 3600) && all < Duration::from_secs(24 * 3600), "{all:?}");
        assert_eq!(schedule.wait_after(0, 0.5), schedule.wait_after(1, 0.5));
        assert_eq!(schedule.wait_after(u32::MAX, 0.5), None);
    }

    #[test]
    fn waits_are_spread() {
        let schedule = Schedule::new([Duration::from_secs(100)]);
        assert_eq!(schedule.wait_after(1, 0.0), Some(Duration::from_secs(80)));
        assert_eq!(schedule.wait_after(1, 1.0), Some(Duration::from_secs(120)));
    }
}
