//! The air clock: the media time on air, and when a packet is due.
//!
//! In: one start, the end of the spool's media, changes of the rate. Out: conversion between media milliseconds and
//! instants. All destinations of a programme share one clock, and none can change it. Media time never runs past the
//! spool: at its end it stands still and continues from there when the next batch arrives, so a starved stream
//! continues where it stopped. No task and no timer: everything is computed from one anchor on request (`media_time`,
//! pure).

pub mod media_time;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::media_time::MediaTime;
use crate::limits::{AIR_CATCH_UP_MAX, AIR_RATE_MAX, AIR_RATE_MIN};

/// The clock of one programme. Cheap to clone; all clones are the same clock.
#[derive(Debug, Clone)]
pub struct AirClock {
    shared: Arc<Shared>,
}

/// The state of the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockStatus {
    /// Media time in milliseconds; `None` before the start.
    pub media_ms: Option<u64>,
    /// The set rate in media seconds per second, from [`AIR_RATE_MIN`] to [`AIR_CATCH_UP_MAX`].
    pub rate: f64,
    /// Whether media time stands still because the spool is at its end.
    pub stalled: bool,
    /// Number of stalls since the clock was made.
    pub stalls: u64,
    /// Total duration of all stalls.
    pub stalled_for: Duration,
    /// Duration of the current stall; zero while the clock runs.
    pub standing: Duration,
}

#[derive(Debug)]
struct Shared {
    media_time: Mutex<MediaTime>,
    changed: watch::Sender<()>,
    /// Number of holders that slow the clock.
    slowed: AtomicUsize,
}

/// Keeps the clock at [`AIR_RATE_MIN`] until it is dropped; other rates have no effect in the meantime.
#[derive(Debug)]
pub struct Slowed(AirClock);

impl Drop for Slowed {
    fn drop(&mut self) {
        if self.0.shared.slowed.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.set_rate(1.0);
        }
    }
}

impl Default for AirClock {
    fn default() -> Self {
        Self::new()
    }
}

impl AirClock {
    /// A clock that has not started and whose media ends at 0.
    pub fn new() -> Self {
        Self::with_speed(1.0)
    }

    /// A clock that runs `speed` times as fast as time: for recordings and tests.
    pub fn with_speed(speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        let media_time = Mutex::new(MediaTime::new(speed));
        let shared = Shared { media_time, changed: watch::Sender::new(()), slowed: AtomicUsize::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// Starts the clock: media time is `media_ms` at the instant `at`, which may be in the future. Only the first call
    /// has an effect, and returns true.
    pub fn start(&self, media_ms: u64, at: Instant) -> bool {
        self.change(|media_time, _| media_time.start(media_ms, at))
    }

    /// Lets a clock that stands still at the end of the spool continue at the instant `at` and not before; returns
    /// whether it stood still.
    pub fn resume_at(&self, at: Instant) -> bool {
        self.change(|media_time, now| media_time.resume_at(at, now))
    }

    /// Sets the end of the spool's media. Never goes back. A stalled clock continues from here.
    pub fn extend(&self, end_ms: u64) {
        self.change(|media_time, now| media_time.extend(end_ms, now));
    }

    /// Removes the end: no media follows in the spool, so media time may run past it.
    pub fn unbound(&self) {
        self.change(|media_time, now| {
            media_time.unbound(now);
            true
        });
    }

    /// Sets the rate, limited to [`AIR_RATE_MIN`]..=[`AIR_RATE_MAX`], and returns the rate that was set.
    pub fn set_rate(&self, rate: f64) -> f64 {
        self.change_rate(rate, AIR_RATE_MIN, AIR_RATE_MAX)
    }

    /// Sets a faster rate after an outage of our own, at most [`AIR_CATCH_UP_MAX`]; the next [`Self::set_rate`] ends
    /// it.
    pub fn catch_up(&self, rate: f64) -> f64 {
        self.change_rate(rate, 1.0, AIR_CATCH_UP_MAX)
    }

    /// Runs at [`AIR_RATE_MIN`], whatever rate is set, until the result is dropped. This leaves more time for later
    /// media.
    #[must_use]
    pub fn slow_down(&self) -> Slowed {
        self.shared.slowed.fetch_add(1, Ordering::AcqRel);
        self.set_rate(AIR_RATE_MIN);
        Slowed(self.clone())
    }

    /// When the packet of this media time is due; `None`: the clock has not started, or will stand still before it.
    pub fn due(&self, media_ms: u64) -> Option<Instant> {
        self.lock().due(media_ms)
    }

    /// Media time now in milliseconds; `None` before [`Self::start`].
    pub fn now_ms(&self) -> Option<u64> {
        self.lock().media_ms(Instant::now())
    }

    /// The media time up to which packets may be sent now, if they may be sent `ahead` of their time; `None` before the
    /// start.
    pub fn horizon_ms(&self, ahead: Duration) -> Option<u64> {
        let media_time = self.lock();
        let at = Instant::now() + ahead;
        media_time.anchored_at().filter(|start| *start <= at)?;
        media_time.media_ms(at)
    }

    /// The instant of the start while it is in the future, later that of the last change; `None` before
    /// [`Self::start`].
    pub fn anchored_at(&self) -> Option<Instant> {
        self.lock().anchored_at()
    }

    /// Seconds of the clock per real second, without the adjusted rate.
    pub fn speed(&self) -> f64 {
        self.lock().speed()
    }

    /// Changes on start, extension and changes of the rate.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    /// Returns media time, rate and stalls at this moment.
    pub fn status(&self) -> ClockStatus {
        self.lock().status(Instant::now())
    }

    fn change_rate(&self, rate: f64, min: f64, max: f64) -> f64 {
        let rate = match self.shared.slowed.load(Ordering::Acquire) {
            0 if rate.is_finite() => rate.clamp(min, max),
            0 => 1.0,
            _ => AIR_RATE_MIN,
        };
        self.change(|media_time, now| media_time.set_rate(rate, now));
        rate
    }

    fn change(&self, change: impl FnOnce(&mut MediaTime, Instant) -> bool) -> bool {
        let changed = change(&mut self.lock(), Instant::now());
        if changed {
            self.shared.changed.send_replace(());
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, MediaTime> {
        self.shared.media_time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests the clock with real time; `media_time` tests the arithmetic.
    #[test]
    fn runs_on_real_time_and_wakes_watchers() {
        let clock = AirClock::default();
        let mut changes = clock.watch();
        assert_eq!((clock.now_ms(), clock.horizon_ms(Duration::ZERO), clock.anchored_at()), (None, None, None));
        clock.extend(1_000_000);
        let start = Instant::now() + Duration::from_secs(60);
        assert!(clock.start(1_000, start) && !clock.start(0, start));
        assert!(changes.has_changed().unwrap());
        assert_eq!((clock.now_ms(), clock.horizon_ms(Duration::ZERO)), (Some(1_000), None));
        assert!(clock.horizon_ms(Duration::from_secs(62)).unwrap() >= 2_000);
        assert_eq!(clock.anchored_at(), Some(start));
        assert_eq!(clock.due(2_000), Some(start + Duration::from_secs(1)));
        changes.mark_unchanged();
        assert_eq!(clock.set_rate(1.0), 1.0);
        assert!(!changes.has_changed().unwrap(), "no change, no wake-up");
        assert_eq!((clock.set_rate(2.0), clock.set_rate(0.1), clock.set_rate(f64::NAN)), (1.05, 0.95, 1.0));
        assert_eq!((clock.catch_up(9.0), clock.catch_up(0.5)), (1.25, 1.0));
        let (slowed, again) = (clock.slow_down(), clock.slow_down());
        assert_eq!((clock.status().rate, clock.set_rate(1.0), clock.catch_up(1.2)), (0.95, 0.95, 0.95));
        drop(slowed);
        assert_eq!(clock.set_rate(1.0), 0.95, "somebody still wants it slow");
        drop(again);
        assert_eq!((clock.status().rate, clock.set_rate(1.05), clock.set_rate(1.0)), (1.0, 1.05, 1.0));
        clock.unbound();
        assert!(changes.has_changed().unwrap());
        let status = clock.status();
        assert_eq!((status.media_ms, status.rate, status.stalls), (Some(1_000), 1.0, 0));
        assert_eq!((AirClock::with_speed(8.0).speed(), AirClock::with_speed(-1.0).speed()), (8.0, 1.0));
    }
}
