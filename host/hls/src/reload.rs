//! When a playlist is reloaded (RFC 8216 section 6.3.4) and when it counts as stale. Pure: instants in, instants out.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{RELOAD_RETRY, RELOAD_WAIT_MAX, STALE_TARGETS};
use outboard_base::backoff::{Backoff, Schedule};

/// The result of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// The playlist differs from the previous one.
    Changed,
    /// The playlist is identical to the previous one.
    Unchanged,
    /// The playlist could not be loaded.
    Failed,
}

/// A change of health that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// No new segment for this long.
    Stale(Duration),
    /// New segments again after this long.
    Fresh(Duration),
}

/// The reload timing of one playlist.
#[derive(Debug)]
pub(super) struct Pace {
    target: Duration,
    reload_min: Duration,
    failed: Backoff,
    progress_at: Instant,
    stale_at: Instant,
    stale: bool,
}

impl Pace {
    /// Starts after a successful load at `now`.
    pub(super) fn new(target: Duration, reload_min: Duration, retry_step: Duration, now: Instant) -> Self {
        let failed = Backoff::new(Schedule { first: retry_step, ..RELOAD_RETRY });
        let mut pace = Self { target, reload_min, failed, progress_at: now, stale_at: now, stale: false };
        pace.stale_at = now + pace.patience();
        pace
    }

    /// The time of the next load, after one that began at `began` and ended at `now`. After a change: one target
    /// duration; unchanged: half of it; both from the beginning of the load and at most [`RELOAD_WAIT_MAX`]. After a
    /// failure: a backoff with jitter from now.
    pub(super) fn next_load(&mut self, load: Load, target: Option<Duration>, began: Instant, now: Instant) -> Instant {
        self.target = target.unwrap_or(self.target);
        let wait = match load {
            Load::Changed => self.target,
            Load::Unchanged => self.target / 2,
            Load::Failed => return now + self.failed.failed(),
        };
        self.failed.reset();
        (began + wait.clamp(self.reload_min, RELOAD_WAIT_MAX.max(self.reload_min))).max(now)
    }

    /// Number of consecutive failed loads.
    pub(super) fn failures(&self) -> u32 {
        self.failed.failures()
    }

    /// Reports new segments; returns the change of health, if there is one.
    pub(super) fn progress(&mut self, now: Instant) -> Option<Health> {
        let stood = now.saturating_duration_since(self.progress_at);
        self.progress_at = now;
        self.stale_at = now + self.patience();
        std::mem::take(&mut self.stale).then_some(Health::Fresh(stood))
    }

    /// When [`Self::overdue`] must be called.
    pub(super) fn stale_at(&self) -> Instant {
        self.stale_at
    }

    /// Called at [`Self::stale_at`]: the playlist is stale from now on. Becomes due again after the same time, so that
    /// a backup is tried again; only the first time is reported.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Health> {
        self.stale_at = now + self.patience();
        let first = !std::mem::replace(&mut self.stale, true);
        first.then(|| Health::Stale(now.saturating_duration_since(self.progress_at)))
    }

    fn patience(&self) -> Duration {
        self.target.max(self.reload_min).saturating_mul(STALE_TARGETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(now: Instant) -> Pace {
        Pace::new(6 * SECOND, SECOND / 2, SECOND, now)
    }

    #[test]
    fn a_target_after_a_change_half_of_it_without_one() {
        let began = Instant::now();
        let mut pace = pace(began);
        let now = began + SECOND;
        assert_eq!(pace.next_load(Load::Changed, None, began, now), began + 6 * SECOND);
        assert_eq!(pace.next_load(Load::Unchanged, None, began, now), began + 3 * SECOND);
        assert_eq!(pace.next_load(Load::Changed, Some(2 * SECOND), began, now), began + 2 * SECOND);
        assert_eq!(pace.next_load(Load::Unchanged, Some(SECOND / 10), began, began), began + SECOND / 2, "the floor");
        assert_eq!(pace.next_load(Load::Changed, None, began, began + 9 * SECOND), began + 9 * SECOND, "a slow load");
    }

    #[test]
    fn no_target_duration_makes_it_wait_long() {
        let began = Instant::now();
        let mut pace = pace(began);
        for target in [60 * SECOND, 3600 * SECOND, Duration::MAX / 8] {
            assert_eq!(pace.next_load(Load::Changed, Some(target), began, began), began + RELOAD_WAIT_MAX);
            assert_eq!(pace.next_load(Load::Unchanged, Some(target), began, began), began + RELOAD_WAIT_MAX);
        }
    }

    #[test]
    fn faults_back_off_up_to_the_limit_and_are_forgotten() {
        let now = Instant::now();
        let mut pace = pace(now);
        let mut longest = Duration::ZERO;
        for failures in 1..200 {
            let step = (SECOND * 2_u32.saturating_pow(failures - 1)).min(RELOAD_RETRY.longest);
            let wait = pace.next_load(Load::Failed, None, now, now) - now;
            assert!(wait <= step, "{wait:?} after {failures}");
            longest = longest.max(wait);
        }
        assert!(longest > RELOAD_RETRY.longest / 2 && pace.failures() == 199);
        pace.next_load(Load::Unchanged, None, now, now);
        assert_eq!(pace.failures(), 0);
    }

    #[test]
    fn stale_after_three_targets_told_once_and_fresh_again() {
        let start = Instant::now();
        let mut pace = pace(start);
        assert_eq!(pace.stale_at(), start + 18 * SECOND);
        assert_eq!(pace.progress(start + SECOND), None);
        let due = start + 19 * SECOND;
        assert_eq!(pace.stale_at(), due);
        assert_eq!(pace.overdue(due), Some(Health::Stale(18 * SECOND)));
        assert_eq!(pace.stale_at(), due + 18 * SECOND, "due again, for the other URL");
        assert_eq!(pace.overdue(due + 18 * SECOND), None);
        assert_eq!(pace.progress(start + 60 * SECOND), Some(Health::Fresh(59 * SECOND)));
        assert_eq!(pace.progress(start + 61 * SECOND), None);
    }
}
