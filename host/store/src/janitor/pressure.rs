//! Follows how close the storage is to one limit; a pure function of observations. Reports each change once, and
//! returns to normal only after a delay.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::STORAGE_CALM_AFTER;

/// The state of one limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Level {
    /// The use is below the limit; no batch is removed for it.
    #[default]
    Fine,
    /// The limit is reached; finished batches are removed.
    Tight,
    /// The limit is exceeded, and no finished batch is left.
    Full,
}

/// The observation of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoundReading {
    /// The limit was exceeded before cleaning.
    pub(super) over: bool,
    /// The limit is exceeded after cleaning.
    pub(super) full: bool,
    /// The use is well below the limit.
    pub(super) calm: bool,
}

/// Holds the level of one limit and updates it with each observation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pressure {
    level: Level,
    calm_since: Option<Instant>,
}

impl Pressure {
    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// Takes an observation; returns the new level if it changed.
    pub(super) fn observe(&mut self, seen: BoundReading, now: Instant) -> Option<Level> {
        self.calm_since = if seen.calm { self.calm_since.or(Some(now)) } else { None };
        let calm_for = self.calm_since.map_or(Duration::ZERO, |since| now.duration_since(since));
        let level = match self.level {
            _ if seen.full => Level::Full,
            Level::Fine if seen.over => Level::Tight,
            // Reopened only with a margin: otherwise the next segment would fill it again.
            Level::Full if seen.calm => Level::Fine,
            Level::Tight if calm_for >= STORAGE_CALM_AFTER => Level::Fine,
            level => level,
        };
        let changed = level != self.level;
        self.level = level;
        changed.then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: BoundReading = BoundReading { over: false, full: false, calm: true };
    const NEAR: BoundReading = BoundReading { over: false, full: false, calm: false };
    const OVER: BoundReading = BoundReading { over: true, full: false, calm: false };
    const FULL: BoundReading = BoundReading { over: true, full: true, calm: false };

    #[test]
    fn each_change_is_told_once_and_being_well_only_after_a_while() {
        let (mut pressure, start) = (Pressure::default(), Instant::now());
        let mut told = Vec::new();
        let seconds = STORAGE_CALM_AFTER.as_secs();
        // Cleaning keeps the use just below the limit: one event, however long that lasts.
        for (at, seen) in [(0, CALM), (1, OVER), (2, CALM), (3, OVER), (4, NEAR), (5, CALM), (6, OVER), (7, CALM)] {
            told.extend(pressure.observe(seen, start + Duration::from_secs(at)).map(|level| (at, level)));
        }
        assert_eq!(told, [(1, Level::Tight)]);
        let mut at = |at: u64, seen| pressure.observe(seen, start + Duration::from_secs(at));
        assert_eq!(at(7 + seconds - 1, CALM), None);
        assert_eq!(at(7 + seconds, CALM), Some(Level::Fine));
    }

    #[test]
    fn what_was_full_opens_at_once_but_not_at_the_very_bound() {
        let (mut pressure, now) = (Pressure::default(), Instant::now());
        assert_eq!(pressure.observe(FULL, now), Some(Level::Full));
        assert_eq!(pressure.observe(NEAR, now), None, "one segment would fill it again");
        assert_eq!(pressure.observe(OVER, now), None);
        assert_eq!(pressure.observe(CALM, now), Some(Level::Fine));
    }
}
