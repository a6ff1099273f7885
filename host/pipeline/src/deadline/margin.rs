//! How long before a batch's time on air the decision has to fall: what remuxing takes here, with room to spare.

use crate::limits::{REMUX_MARGIN_FIRST, REMUX_MARGIN_MAX, REMUX_MARGIN_MIN};
use std::time::Duration;

/// Follows how long remuxing takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margin(Duration);

impl Default for Margin {
    fn default() -> Self {
        Self(REMUX_MARGIN_FIRST)
    }
}

impl Margin {
    /// Takes a measured time: rises at once, falls slowly.
    pub(super) fn observe(&mut self, took: Duration) {
        let wanted = took.saturating_mul(3);
        self.0 = if wanted > self.0 { wanted } else { (self.0 * 7 + wanted) / 8 };
        self.0 = self.0.clamp(REMUX_MARGIN_MIN, REMUX_MARGIN_MAX);
    }

    pub(super) fn get(self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_at_once_falls_slowly_and_stays_within_bounds() {
        let mut margin = Margin::default();
        margin.observe(Duration::from_millis(500));
        assert_eq!(margin.get(), Duration::from_millis(1500));
        margin.observe(Duration::from_millis(10));
        assert!(margin.get() > Duration::from_secs(1));
        (0..100).for_each(|_| margin.observe(Duration::ZERO));
        assert_eq!(margin.get(), REMUX_MARGIN_MIN);
        margin.observe(Duration::from_secs(60));
        assert_eq!(margin.get(), REMUX_MARGIN_MAX);
    }
}
