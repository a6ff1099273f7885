//! How far the programme on air is behind its source, and so how long a batch may be that still comes in time.
//!
//! A batch begins where the newest one ended. It is complete when its last segment is there, and due when the newest one has
//! gone out. So it may hold as much media as there is time between the newest one being complete and its end on air, less what
//! the work on it takes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::air::clock::AirClock;

/// The newest batch that is ready for air.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    /// Its end, in milliseconds of air time.
    pub end_ms: u64,
    /// When its last segment was there.
    pub complete: Instant,
    /// What lies between a batch being complete and being ready, at the least.
    pub work: Duration,
}

/// Where the newest batch is kept for those who ask how long the next one may be.
#[derive(Debug, Default)]
pub struct Delay(Mutex<Option<Newest>>);

impl Delay {
    /// A batch is ready for air.
    pub fn ready(&self, newest: Newest) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(newest);
    }

    /// The longest batch that is ready before it is due, in media time; `None`: nothing is on air yet.
    pub fn allows(&self, clock: &AirClock) -> Option<Duration> {
        let newest = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Newest { end_ms, complete, work } = newest?;
        let due = clock.due(end_ms)?;
        let time = due.saturating_duration_since(complete).saturating_sub(work);
        Some(time.mul_f64(clock.speed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_batch_may_be_as_long_as_the_programme_is_behind() {
        let (clock, delay, now) = (AirClock::new(), Delay::default(), Instant::now());
        assert_eq!(delay.allows(&clock), None);
        // Batches of 6 s; the first was complete just now and goes on air in 3 s: its end in 9 s.
        delay.ready(Newest { end_ms: 6_000, complete: now, work: S / 2 });
        assert_eq!(delay.allows(&clock), None, "the clock was not started");
        clock.extend(6_000);
        clock.start(0, now + 3 * S);
        assert_eq!(delay.allows(&clock), Some(17 * S / 2));
    }
}
