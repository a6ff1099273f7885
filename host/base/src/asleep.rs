//! Time that passes in the world, also while the machine is suspended: [`Instant`] stands still then.

use std::time::Duration;

use tokio::time::Instant;

/// How long this machine has been suspended since it booted. Zero on systems other than Linux, which do not tell.
pub fn asleep() -> Duration {
    #[cfg(target_os = "linux")]
    {
        use nix::time::{ClockId, clock_gettime};

        let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
        // The smaller one first: what passes between the two readings counts as sleep, never as less than none.
        let awake = read(ClockId::CLOCK_MONOTONIC);
        read(ClockId::CLOCK_BOOTTIME).saturating_sub(awake)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// Measures time that passes in the world.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    began: Instant,
    slept: Duration,
    asleep: fn() -> Duration,
}

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        Self::beside(asleep)
    }

    /// Begins now, with another reading of how long the machine was suspended since it booted: for tests.
    pub fn beside(asleep: fn() -> Duration) -> Self {
        Self { began: Instant::now(), slept: asleep(), asleep }
    }

    /// How long ago it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed() + (self.asleep)().saturating_sub(self.slept)
    }

    /// How long ago it began; it begins anew.
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
