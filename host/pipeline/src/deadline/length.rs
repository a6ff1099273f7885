//! How long a batch may be: it must be complete, and ready for air, before it is due.
//!
//! A batch begins where the newest one ended. It is complete when its last segment is there, and due when the newest one has
//! gone out. So it may hold as much media as there is time between the newest one being complete and its end on air, less what
//! the work on it takes.

use crate::limits::CUSHION_RESERVE_PART;
use std::time::Duration;

use tokio::time::Instant;

use super::PaceSettings;
use super::arithmetic::scaled;

use crate::settings::Hold;
use outboard_stage::limits::BATCH_SECONDS_MAX;

/// The newest batch that is ready for air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Its end, in milliseconds of air time.
    pub end_ms: u64,
    /// When its last segment was there.
    pub complete: Instant,
    /// The least time from a batch being complete until it is ready: the processor's time is not in it.
    pub work_min: Duration,
    /// The time from this batch being complete until it was ready, the processor's usual time included. `None` where it
    /// says nothing about later batches: it is of an earlier run, or of a recording, which comes as fast as it is taken.
    pub work: Option<Duration>,
}

impl Newest {
    /// The longest next batch, in media time, that is ready before it is due even without a reply. `end_due`: when the end of this
    /// batch is due on air. `speed`: seconds of the air clock and of the source in a real second.
    pub fn longest_in_time(&self, end_due: Instant, speed: f64) -> Duration {
        scaled(self.time_until(end_due).saturating_sub(self.work_min), speed)
    }

    /// The longest next batch that is ready in time with its reply. `end_due`: when the end of this batch is due on air;
    /// `None` where the clock does not come so far, because it stands still: no room. `None`: nothing is known.
    pub fn room(&self, end_due: Option<Instant>) -> Option<Duration> {
        Some(self.time_until(end_due.unwrap_or(self.complete)).saturating_sub(self.work?))
    }

    fn time_until(&self, due: Instant) -> Duration {
        due.saturating_duration_since(self.complete)
    }
}

/// Whole seconds of a batch length as set, at most [`BATCH_SECONDS_MAX`].
pub fn whole_seconds(length: Duration) -> u32 {
    u32::try_from(length.as_secs()).unwrap_or(BATCH_SECONDS_MAX).min(BATCH_SECONDS_MAX)
}

/// The length of the next batches, in seconds, on the way from `now` to the length that is set.
///
/// A shorter one is taken at once. A longer one is taken as far as there is `room`, and part of the cushion stays in hand
/// ([`CUSHION_RESERVE_PART`]); without `room` nothing is on air yet, and any length will do. Segments are whole: a batch
/// is as long as the last one that it takes; `segment` is the longest one of the open batch.
pub fn next_length(now: u32, settings: &PaceSettings, room: Option<Duration>, segment: Duration) -> u32 {
    let wanted = whole_seconds(settings.batch);
    let Some(room) = room.filter(|_| wanted > now) else { return wanted };
    let reserve = settings.cushion / CUSHION_RESERVE_PART;
    let fits = |seconds: &u32| in_whole_segments(*seconds, segment).saturating_add(reserve) <= room;
    (now..=wanted).rev().find(fits).unwrap_or(now)
}

/// How long a batch of at least so many seconds becomes whose segments last `segment` each.
fn in_whole_segments(seconds: u32, segment: Duration) -> Duration {
    let length = Duration::from_secs(seconds.into());
    if segment.is_zero() {
        return length;
    }
    let segments = length.as_nanos().div_ceil(segment.as_nanos());
    let whole_ns = segments.saturating_mul(segment.as_nanos());
    length.max(Duration::from_nanos(u64::try_from(whole_ns).unwrap_or(u64::MAX)))
}

/// The slack that the clock aims at while batches of `length` seconds are cut: more where they are to become longer.
pub fn aim(settings: &PaceSettings, length: u32) -> Duration {
    let more = settings.batch.saturating_sub(Duration::from_secs(length.into()));
    more.saturating_add(match settings.hold {
        // A set hold is to stay what it is; else it is the time in hand that counts.
        Hold::After(hold) => hold,
        Hold::Auto => settings.cushion,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// Batches of `batch` seconds are wanted; 1 s of the cushion is to stay.
    fn wanted(batch: u32) -> PaceSettings {
        PaceSettings { batch: batch * S, hold: Hold::Auto, cushion: CUSHION_RESERVE_PART * S }
    }

    #[test]
    fn a_shorter_batch_is_taken_at_once_and_a_longer_one_as_there_is_room() {
        assert_eq!(next_length(12, &wanted(6), Some(S), 2 * S), 6);
        assert_eq!(next_length(6, &wanted(12), None, 2 * S), 12, "before air any length will do");
        // Segments of 2 s, 1 s is to stay: 6 s need 7 s, 8 s need 9 s.
        assert_eq!(next_length(6, &wanted(12), Some(8 * S), 2 * S), 6);
        assert_eq!(next_length(6, &wanted(12), Some(9 * S), 2 * S), 8);
        assert_eq!(next_length(6, &wanted(12), Some(13 * S), 2 * S), 12);
        // A batch ends with a whole segment: 7 s would be 8 s.
        assert_eq!(next_length(6, &wanted(7), Some(8 * S), 2 * S), 6);
        assert_eq!(next_length(6, &wanted(7), Some(9 * S), 2 * S), 7);
    }

    #[test]
    fn the_clock_aims_at_the_room_that_the_wanted_length_needs() {
        let settings = wanted(12);
        assert_eq!((aim(&settings, 12), aim(&settings, 6)), (3 * S, 9 * S));
        assert_eq!(aim(&PaceSettings { hold: Hold::After(5 * S), ..settings }, 12), 5 * S);
    }

    /// Batches of 6 s: one was complete just now and goes on air in 3 s, its end in 9 s.
    #[test]
    fn a_batch_may_be_as_long_as_the_programme_is_behind() {
        let complete = Instant::now();
        let newest = Newest { end_ms: 6_000, complete, work_min: S / 2, work: Some(2 * S) };
        assert_eq!(newest.longest_in_time(complete + 9 * S, 1.0), 17 * S / 2);
        assert_eq!(newest.longest_in_time(complete + 9 * S, 8.0), 68 * S);
        assert_eq!(newest.room(Some(complete + 9 * S)), Some(7 * S));
        assert_eq!(newest.room(None), Some(Duration::ZERO), "the clock stands still");
        assert_eq!(Newest { work: None, ..newest }.room(Some(complete + 9 * S)), None);
    }
}
