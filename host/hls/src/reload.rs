//! When a playlist is reloaded (RFC 8216 section 6.3.4) and when it counts as stale. Pure: instants in, instants out.
//!
//! EXT-X-TARGETDURATION may be as wrong as EXTINF. Once the duration of a segment is known from its media, a playlist is not
//! stale before three of them were due, and a window that slides is loaded twice while it slides by its length: a target
//! duration that is longer than that would lose segments.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{RELOAD_RETRY, RELOAD_WAIT_MAX, STALE_TARGETS, TARGET_DURATION_MAX};
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
    /// Duration of a segment by its media; zero: not known.
    measured: Duration,
    /// Segments that a playlist lists whose oldest ones leave it; zero: none has left it yet.
    sliding: u32,
    failed: Backoff,
    progress_at: Instant,
    stale_at: Instant,
    stale: bool,
}

impl Pace {
    /// Starts after a successful load at `now`.
    pub(super) fn new(target: Duration, reload_min: Duration, retry_step: Duration, now: Instant) -> Self {
        let failed = Backoff::new(Schedule { first: retry_step, ..RELOAD_RETRY });
        let (measured, sliding) = (Duration::ZERO, 0);
        let mut pace =
            Self { target, reload_min, measured, sliding, failed, progress_at: now, stale_at: now, stale: false };
        pace.stale_at = now + pace.patience();
        pace
    }

    /// The time of the next load, after one that began at `began` and ended at `now`. After a change: one target
    /// duration; unchanged: half of it; both from the beginning of the load and at most [`Self::wait_max`]. After a
    /// failure: a backoff with jitter from now.
    pub(super) fn next_load(&mut self, load: Load, target: Option<Duration>, began: Instant, now: Instant) -> Instant {
        self.target = target.unwrap_or(self.target);
        let wait = match load {
            Load::Changed => self.target,
            Load::Unchanged => self.target / 2,
            Load::Failed => return now + self.failed.failed(),
        };
        self.failed.reset();
        (began + wait.max(self.reload_min).min(self.wait_max())).max(now)
    }

    /// The playlist lists so many segments, and the oldest ones leave it; 0: none has left it yet.
    pub(super) fn slides(&mut self, segments: usize) {
        self.sliding = u32::try_from(segments).unwrap_or(u32::MAX);
    }

    /// A segment lasts so long by its media.
    pub(super) fn measured(&mut self, length: Duration) {
        self.measured = length.min(TARGET_DURATION_MAX);
        if !self.stale {
            self.stale_at = self.stale_at.max(self.progress_at + self.patience());
        }
    }

    /// The longest time from one load to the next, whatever the target duration.
    pub(super) fn wait_max(&self) -> Duration {
        let window = self.measured.saturating_mul(self.sliding);
        let max = RELOAD_WAIT_MAX.max(self.reload_min);
        if window.is_zero() { max } else { (window / 2).clamp(self.reload_min, max) }
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
        self.target.max(self.reload_min).max(self.measured).saturating_mul(STALE_TARGETS)
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

    /// Segments of 2 s, a target duration of 30 s: five segments slide away in 10 s.
    #[test]
    fn a_target_duration_that_is_too_long_loses_nothing() {
        let began = Instant::now();
        let mut pace = Pace::new(30 * SECOND, SECOND / 2, SECOND, began);
        pace.measured(2 * SECOND);
        let next = |pace: &mut Pace, load| pace.next_load(load, None, began, began) - began;
        assert_eq!(next(&mut pace, Load::Changed), 30 * SECOND, "nothing has left the playlist");
        pace.slides(5);
        assert_eq!((pace.wait_max(), next(&mut pace, Load::Changed)), (5 * SECOND, 5 * SECOND));
        assert_eq!(next(&mut pace, Load::Unchanged), 5 * SECOND);
        pace.slides(100_000);
        assert_eq!(next(&mut pace, Load::Changed), RELOAD_WAIT_MAX);
        pace.slides(0);
        assert_eq!(pace.wait_max(), RELOAD_WAIT_MAX);
        // A window of three target durations, as the standard demands, keeps the standard's pace.
        let mut pace = Pace::new(6 * SECOND, SECOND / 2, SECOND, began);
        pace.measured(6 * SECOND);
        pace.slides(3);
        assert_eq!((next(&mut pace, Load::Changed), next(&mut pace, Load::Unchanged)), (6 * SECOND, 3 * SECOND));
        pace.measured(SECOND / 10);
        assert_eq!(next(&mut pace, Load::Changed), SECOND / 2, "the floor");
    }

    /// Segments of 6 s, a target duration of 1 s: nothing new for 3 s is no fault.
    #[test]
    fn a_target_duration_that_is_too_short_makes_no_playlist_stale() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND, SECOND / 2, SECOND, start);
        assert_eq!(pace.stale_at(), start + 3 * SECOND);
        pace.measured(6 * SECOND);
        assert_eq!(pace.stale_at(), start + 18 * SECOND);
        pace.measured(2 * SECOND);
        assert_eq!(pace.stale_at(), start + 18 * SECOND, "nothing is taken back");
        assert_eq!(pace.progress(start + 6 * SECOND), None);
        assert_eq!(pace.stale_at(), start + 12 * SECOND);
        assert_eq!(pace.overdue(start + 12 * SECOND), Some(Health::Stale(6 * SECOND)));
        let again = pace.stale_at();
        pace.measured(SECOND);
        assert_eq!(pace.stale_at(), again);
        pace.measured(Duration::MAX);
        assert_eq!(pace.progress(start + 20 * SECOND), Some(Health::Fresh(14 * SECOND)));
        assert_eq!(pace.stale_at(), start + 20 * SECOND + TARGET_DURATION_MAX * STALE_TARGETS);
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
