//! How a pipeline's batches and its air clock are paced, and how that changes on air: what the steps share of it.
//!
//! A shorter batch is taken at once. A longer one is complete later, so the programme must be further behind its source
//! first: the length grows by whole segments, no faster than the clock makes room for it, whose rate changes by at most 5 %.
//! Until then the clock aims at the room that the wanted length needs. So no packet comes late (law 2). The arithmetic is in
//! [`super::deadline`].

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::deadline::PaceSettings;
use super::deadline::length::{Newest, next_length, whole_seconds};
use outboard_egress::clock::AirClock;

/// The pace of one pipeline. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub struct Pace {
    settings: watch::Sender<PaceSettings>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Seconds that the batching stage is told now.
    length: AtomicU32,
    /// The newest batch that is ready for air.
    newest: Mutex<Option<Newest>>,
}

impl Pace {
    /// Begins with these settings.
    pub fn new(settings: PaceSettings) -> Self {
        let shared = Shared { length: AtomicU32::new(whole_seconds(settings.batch)), newest: Mutex::default() };
        Self { settings: watch::Sender::new(settings), shared: Arc::new(shared) }
    }

    /// Takes other settings. The next batch is cut and decided by them.
    pub fn set(&self, settings: PaceSettings) {
        self.settings.send_replace(settings);
    }

    /// Returns the settings that apply to the next batch.
    pub fn settings(&self) -> PaceSettings {
        *self.settings.borrow()
    }

    /// Seconds that the batching stage is told now.
    pub fn length(&self) -> u32 {
        self.shared.length.load(Ordering::Relaxed)
    }

    /// A batch is ready for air.
    pub fn ready(&self, newest: Newest) {
        *self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(newest);
    }

    /// The length that the batching stage is to be told from now on, in seconds, if it is another one than before.
    /// `segment`: the longest segment of the batch that is open.
    pub fn next_length(&self, clock: &AirClock, segment: Duration) -> Option<(u32, u32)> {
        let now = self.length();
        let room = self.newest().and_then(|newest| newest.room(clock.due(newest.end_ms)));
        let next = next_length(now, &self.settings(), room, segment);
        (next != now).then(|| {
            self.shared.length.store(next, Ordering::Relaxed);
            (now, next)
        })
    }

    /// The longest batch that is ready before it is due, in media time; `None`: nothing is on air yet.
    pub fn longest_in_time(&self, clock: &AirClock) -> Option<Duration> {
        let newest = self.newest()?;
        Some(newest.longest_in_time(clock.due(newest.end_ms)?, clock.speed()))
    }

    fn newest(&self) -> Option<Newest> {
        *self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::settings::Hold;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn before_air_any_length_is_taken_and_told_once() {
        let settings = PaceSettings { batch: 6 * S, hold: Hold::Auto, cushion: 3 * S };
        let (pace, clock) = (Pace::new(settings), AirClock::new());
        assert_eq!((pace.length(), pace.next_length(&clock, 2 * S)), (6, None));
        pace.set(PaceSettings { batch: 12 * S, ..settings });
        assert_eq!(pace.next_length(&clock, 2 * S), Some((6, 12)), "nothing is on air");
        assert_eq!((pace.length(), pace.next_length(&clock, 2 * S)), (12, None));
        pace.set(settings);
        assert_eq!(pace.next_length(&clock, 2 * S), Some((12, 6)));
        assert_eq!(pace.longest_in_time(&clock), None);
    }

    #[test]
    fn on_air_a_batch_may_be_as_long_as_the_programme_is_behind() {
        let settings = PaceSettings { batch: 6 * S, hold: Hold::Auto, cushion: 3 * S };
        let (pace, clock, now) = (Pace::new(settings), AirClock::new(), Instant::now());
        pace.set(PaceSettings { batch: 12 * S, ..settings });
        // Batches of 6 s: one was complete just now, was ready after 0.5 s and goes on air in 3.5 s, its end in 9.5 s.
        pace.ready(Newest { end_ms: 6_000, complete: now, work_min: S / 4, work: Some(S / 2) });
        assert_eq!(pace.longest_in_time(&clock), None, "the clock was not started");
        clock.extend(6_000);
        clock.start(0, now + 7 * S / 2);
        assert_eq!(pace.longest_in_time(&clock), Some(37 * S / 4));
        // 9 s of room, 1 s of the cushion stays.
        assert_eq!(pace.next_length(&clock, 2 * S), Some((6, 8)));
    }
}
