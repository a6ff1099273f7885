//! Time that includes suspension of the machine, during which [`Instant`] stands still.

use std::time::Duration;

use tokio::time::Instant;

/// How long this machine has been suspended since it booted; zero on systems other than Linux, where it is not known.
pub fn asleep() -> Duration {
    #[cfg(target_os = "linux")]
    {
        use nix::time::{ClockId, clock_gettime};

        let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
        // The smaller value is read first, so that the difference is never negative.
        let awake = read(ClockId::CLOCK_MONOTONIC);
        read(ClockId::CLOCK_BOOTTIME).saturating_sub(awake)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// Measures elapsed time, including suspension of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    began: Instant,
    slept: Duration,
    asleep: fn() -> Duration,
}

impl Stopwatch {
    /// A stopwatch that starts now.
    pub fn start() -> Self {
        Self::beside(asleep)
    }

    /// A stopwatch that starts now, with another function for the time of suspension. For tests.
    pub fn beside(asleep: fn() -> Duration) -> Self {
        Self { began: Instant::now(), slept: asleep(), asleep }
    }

    /// The time since it started.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed() + (self.asleep)().saturating_sub(self.slept)
    }

    /// The time since it started; starts it again.
    pub fn lap(&mut self) -> Duration {
        let next = Self::beside(self.asleep);
        let passed = next.began.duration_since(self.began) + next.slept.saturating_sub(self.slept);
        *self = next;
        passed
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SUSPENDED: Duration = Duration::from_secs(600);

    #[test]
    fn a_machine_that_was_suspended_has_not_stood_still() {
        thread_local!(static SLEPT: Cell<Duration> = const { Cell::new(Duration::from_secs(50)) });
        let mut watch = Stopwatch::beside(|| SLEPT.get());
        assert!(watch.elapsed() < SUSPENDED, "what was slept before is no part of it");
        SLEPT.set(SLEPT.get() + SUSPENDED);
        assert!(watch.elapsed() >= SUSPENDED);
        assert!(watch.lap() >= SUSPENDED);
        assert!(watch.elapsed() < SUSPENDED, "counted once");
    }

    #[test]
    fn this_machine_tells_how_long_it_slept() {
        let (before, began) = (asleep(), Instant::now());
        let after = asleep();
        // Whatever else ran between the readings.
        let inexact = began.elapsed() + Duration::from_secs(60);
        assert!(after + inexact >= before && before + inexact >= after, "{before:?}, {after:?}");
    }
}
