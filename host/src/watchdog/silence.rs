//! How long a counter has not changed; a pure function of its readings.

use std::time::Duration;

/// The result of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CounterState {
    /// The counter changes, or has stopped only for a short time.
    Runs,
    /// The counter has not changed for this time; reported at intervals.
    Quiet(Duration),
    /// The counter changes again after a reported silence of this time.
    Back(Duration),
    /// The counter has not changed for too long.
    Hangs(Duration),
}

/// Measures for how long one counter has not changed.
#[derive(Debug, Clone)]
pub(super) struct Silence {
    warn: Duration,
    hang: Duration,
    /// Minimum time between two warnings.
    every: Duration,
    last: u64,
    silent: Duration,
    /// Whether this silence was reported.
    told: bool,
    since_told: Option<Duration>,
}

impl Silence {
    pub(super) fn new(warn: Duration, hang: Duration, every: Duration) -> Self {
        Self { warn, hang, every, last: 0, silent: Duration::ZERO, told: false, since_told: None }
    }

    /// Takes a reading of the counter; `passed`: time since the last reading.
    pub(super) fn look(&mut self, count: u64, passed: Duration) -> CounterState {
        if let Some(since) = &mut self.since_told {
            *since += passed;
        }
        if count != self.last {
            self.last = count;
            let silent = std::mem::take(&mut self.silent);
            return if std::mem::take(&mut self.told) { CounterState::Back(silent) } else { CounterState::Runs };
        }
        self.silent += passed;
        let may_tell = !self.told && self.since_told.is_none_or(|since| since >= self.every);
        match self.silent {
            silent if silent >= self.hang => CounterState::Hangs(silent),
            silent if silent >= self.warn && may_tell => {
                (self.told, self.since_told) = (true, Some(Duration::ZERO));
                CounterState::Quiet(silent)
            }
            _ => CounterState::Runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_silence_once_and_not_each_of_many() {
        let seconds = Duration::from_secs;
        let mut silence = Silence::new(seconds(2), seconds(10), seconds(20));
        let mut look = |count| silence.look(count, seconds(1));
        assert_eq!(
            [look(1), look(1), look(1), look(1)],
            [CounterState::Runs, CounterState::Runs, CounterState::Quiet(seconds(2)), CounterState::Runs]
        );
        assert_eq!((look(2), look(3)), (CounterState::Back(seconds(3)), CounterState::Runs));
        // A silence soon after another one is not reported, unless it lasts.
        assert!((0..9).all(|_| look(3) == CounterState::Runs));
        assert_eq!(look(3), CounterState::Hangs(seconds(10)));
    }
}
