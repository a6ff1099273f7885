//! How a pipeline's batches and its air clock are paced, and how that changes on air.
//!
//! A shorter batch is taken at once. A longer one is complete later, so the programme must be further behind its source
//! first: the length grows by whole segments, no faster than the clock, which leans by at most 5 %, makes room for it.
//! Until then the clock aims at the room that the wanted length needs. So no packet comes late (law 2).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::air::clock::AirClock;
use crate::limits::{BATCH_SECONDS_MAX, CUSHION_RESERVE_PART};
use crate::settings::Hold;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// Length of a batch.
    pub batch: Duration,
    /// When air starts, and how far batches stay ahead of their time on air.
    pub hold: Hold,
    /// Time in hand for slower replies.
    pub cushion: Duration,
}

/// The pace of one pipeline. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub struct Pace {
    wanted: watch::Sender<Wanted>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Seconds that the batching stage is told now.
    length: AtomicU32,
    /// The newest batch that is ready for air.
    newest: Mutex<Option<Newest>>,
}

/// A batch that is ready for air.
#[derive(Debug, Clone, Copy)]
struct Newest {
    end_ms: u64,
    complete: Instant,
    /// From its last segment until it was ready.
    work: Duration,
}

impl Pace {
    /// Begins with what is wanted.
    pub fn new(wanted: Wanted) -> Self {
        let shared = Shared { length: AtomicU32::new(whole_seconds(wanted.batch)), newest: Mutex::default() };
        Self { wanted: watch::Sender::new(wanted), shared: Arc::new(shared) }
    }

    /// Something else is wanted from now on.
    pub fn set(&self, wanted: Wanted) {
        self.wanted.send_replace(wanted);
    }

    /// What is wanted now.
    pub fn wanted(&self) -> Wanted {
        *self.wanted.borrow()
    }

    /// Seconds that the batching stage is told now.
    pub fn length(&self) -> u32 {
        self.shared.length.load(Ordering::Relaxed)
    }

    /// The slack that the clock aims at: more while batches are to become longer.
    pub fn aim(&self) -> Duration {
        let Wanted { batch, hold, cushion } = self.wanted();
        let more = batch.saturating_sub(Duration::from_secs(self.length().into()));
        more + match hold {
            // A set hold is to stay what it is; else it is the time in hand that counts.
            Hold::After(hold) => hold,
            Hold::Auto => cushion,
        }
    }

    /// A batch is ready for air: `work` took from its last segment until now.
    pub fn ready(&self, end_ms: u64, complete: Instant, work: Duration) {
        let newest = Newest { end_ms, complete, work };
        *self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(newest);
    }

    /// The length that the batching stage is to be told from now on, in seconds, if it is another one than before.
    /// `segment`: the longest segment of the batch that is open.
    pub fn next_length(&self, clock: &AirClock, segment: Duration) -> Option<(u32, u32)> {
        let (now, wanted) = (self.length(), self.wanted());
        let next =
            step(now, whole_seconds(wanted.batch), self.room(clock), segment, wanted.cushion / CUSHION_RESERVE_PART);
        (next != now).then(|| {
            self.shared.length.store(next, Ordering::Relaxed);
            (now, next)
        })
    }

    /// The longest batch that is ready in time; `None`: nothing is on air yet.
    fn room(&self, clock: &AirClock) -> Option<Duration> {
        let newest = *self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let Newest { end_ms, complete, work } = newest?;
        // A clock that does not come so far, because it is not told of the batch yet or stands still, leaves no room.
        let due = clock.due(end_ms).unwrap_or(complete);
        Some(due.saturating_duration_since(complete).saturating_sub(work))
    }
}

/// The next length on the way from `now` to `wanted`, in seconds. Segments are whole: a batch is as long as the last one
/// that it takes, and `reserve` of the room stays.
fn step(now: u32, wanted: u32, room: Option<Duration>, segment: Duration, reserve: Duration) -> u32 {
    let Some(room) = room.filter(|_| wanted > now) else { return wanted };
    let fits = |seconds: &u32| {
        let length = Duration::from_secs((*seconds).into());
        let segments = length.as_secs_f64() / segment.as_secs_f64().max(f64::MIN_POSITIVE);
        let whole = if segment.is_zero() { length } else { segment.mul_f64(segments.ceil()) };
        whole.max(length) + reserve <= room
    };
    (now..=wanted).rev().find(fits).unwrap_or(now)
}

fn whole_seconds(length: Duration) -> u32 {
    u32::try_from(length.as_secs()).unwrap_or(BATCH_SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_shorter_batch_is_taken_at_once_and_a_longer_one_as_there_is_room() {
        assert_eq!(step(12, 6, Some(S), 2 * S, S), 6);
        assert_eq!(step(6, 12, None, 2 * S, S), 12, "before air any length will do");
        // Segments of 2 s, 1 s is to stay: 6 s need 7 s, 8 s need 9 s.
        assert_eq!(step(6, 12, Some(8 * S), 2 * S, S), 6);
        assert_eq!(step(6, 12, Some(9 * S), 2 * S, S), 8);
        assert_eq!(step(6, 12, Some(13 * S), 2 * S, S), 12);
        // A batch ends with a whole segment: 7 s would be 8 s.
        assert_eq!(step(6, 7, Some(8 * S), 2 * S, S), 6);
        assert_eq!(step(6, 7, Some(9 * S), 2 * S, S), 7);
    }

    #[test]
    fn the_clock_aims_at_the_room_that_the_wanted_length_needs() {
        let wanted = Wanted { batch: 6 * S, hold: Hold::Auto, cushion: 3 * S };
        let pace = Pace::new(wanted);
        assert_eq!((pace.length(), pace.aim()), (6, 3 * S));
        pace.set(Wanted { batch: 12 * S, ..wanted });
        assert_eq!((pace.length(), pace.aim()), (6, 9 * S));
        let clock = AirClock::new();
        assert_eq!(pace.next_length(&clock, 2 * S), Some((6, 12)), "nothing is on air");
        assert_eq!((pace.next_length(&clock, 2 * S), pace.aim()), (None, 3 * S));
        pace.set(Wanted { hold: Hold::After(5 * S), ..wanted });
        assert_eq!((pace.next_length(&clock, 2 * S), pace.aim()), (Some((12, 6)), 5 * S));
    }

    #[test]
    fn on_air_a_batch_may_be_as_long_as_the_programme_is_behind() {
        let wanted = Wanted { batch: 6 * S, hold: Hold::Auto, cushion: 3 * S };
        let (pace, clock, now) = (Pace::new(wanted), AirClock::new(), Instant::now());
        pace.set(Wanted { batch: 12 * S, ..wanted });
        // Batches of 6 s: one was complete just now, was ready after 0.5 s and goes on air in 3.5 s, its end in 9.5 s.
        clock.extend(6_000);
        clock.start(0, now + 7 * S / 2);
        pace.ready(6_000, now, S / 2);
        assert_eq!(pace.room(&clock), Some(9 * S));
        assert_eq!(pace.next_length(&clock, 2 * S), Some((6, 8)));
        assert_eq!(pace.aim(), 7 * S);
    }
}
