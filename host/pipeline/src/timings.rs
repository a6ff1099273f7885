//! Durations in one pipeline: lock-free histograms that its steps record into, a few times per batch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::METRICS_BATCHES_UNDER_WAY_MAX;

/// Upper bounds of the histograms' buckets in seconds: from a short ffmpeg run to the longest batch.
pub const BUCKETS: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];

/// A measured step of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Splitting the batch into its packets: the work on each of its segments, and at its cut.
    Demux,
    /// From the batch's last segment until its audio is handed to the exchange.
    Sent,
    /// From submitting the audio to the exchange until the reply arrives or the decision is made without it.
    Exchange,
    /// Planning and remuxing the batch.
    Remux,
    /// From the batch's last segment until it is ready for air.
    Ready,
    /// From the batch's last segment until its first packet is on air.
    OnAir,
}

impl Step {
    /// All steps, in the order of the data.
    pub const ALL: [Self; 6] = [Self::Demux, Self::Sent, Self::Exchange, Self::Remux, Self::Ready, Self::OnAir];

    /// The name as a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Demux => "demux",
            Self::Sent => "sent",
            Self::Exchange => "exchange",
            Self::Remux => "remux",
            Self::Ready => "ready",
            Self::OnAir => "on-air",
        }
    }
}

/// A histogram of durations.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One more entry than [`BUCKETS`]: the last has no upper bound.
    counts: [AtomicU64; BUCKETS.len() + 1],
    sum_us: AtomicU64,
}

/// The values of a [`Histogram`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Number of durations in each bucket, not cumulative; the last has no upper bound.
    pub counts: [u64; BUCKETS.len() + 1],
    /// Sum of all durations in microseconds.
    pub sum_us: u64,
}

impl Reading {
    /// Returns how many durations were measured, over all buckets.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Mean duration; zero without durations.
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.sum_us.checked_div(self.count()).unwrap_or_default())
    }
}

impl Histogram {
    /// Counts one duration in its bucket and adds it to the sum.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Reads the current values.
    pub fn read(&self) -> Reading {
        let mut reading = Reading { sum_us: self.sum_us.load(Ordering::Relaxed), ..Reading::default() };
        for (to, from) in reading.counts.iter_mut().zip(&self.counts) {
            *to = from.load(Ordering::Relaxed);
        }
        reading
    }
}

/// The histograms of one pipeline.
#[derive(Debug, Default)]
pub struct Timings {
    steps: [Histogram; Step::ALL.len()],
    round_trip: Histogram,
    time_left: Histogram,
    overrun: Histogram,
    /// Batches not yet on air, by number: when their last segment arrived.
    complete: Mutex<BTreeMap<u64, Instant>>,
}

/// The values of [`Timings`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimingsReading {
    /// In the order of [`Step::ALL`].
    pub steps: [Reading; Step::ALL.len()],
    /// From the last byte of a fragment to its reply.
    pub round_trip: Reading,
    /// Time between a batch being ready and its time on air.
    pub time_left: Reading,
    /// How late a batch was ready; late batches only.
    pub overrun: Reading,
}

impl TimingsReading {
    /// The histogram of one step.
    pub fn step(&self, step: Step) -> Reading {
        self.steps.get(step as usize).copied().unwrap_or_default()
    }
}

impl Timings {
    /// Records the duration of a step.
    pub fn record_step(&self, step: Step, took: Duration) {
        if let Some(histogram) = self.steps.get(step as usize) {
            histogram.observe(took);
        }
    }

    /// Records the time that the processor took for a reply.
    pub fn round_trip(&self, took: Duration) {
        self.round_trip.observe(took);
    }

    /// Records how many milliseconds before its time on air a batch was ready; negative: too late.
    pub fn time_left(&self, ms: i64) {
        let side = if ms < 0 { &self.overrun } else { &self.time_left };
        side.observe(Duration::from_millis(ms.unsigned_abs()));
    }

    /// Records when a batch's last segment arrived: the start of [`Step::OnAir`].
    pub fn complete(&self, batch: u64, at: Instant) {
        let mut complete = self.complete.lock().unwrap_or_else(PoisonError::into_inner);
        complete.insert(batch, at);
        while complete.len() > METRICS_BATCHES_UNDER_WAY_MAX {
            complete.pop_first();
        }
    }

    /// Records the first packet of a batch on air: the end of [`Step::OnAir`]. Only the first destination counts.
    pub fn on_air(&self, batch: u64) {
        let at = {
            let mut complete = self.complete.lock().unwrap_or_else(PoisonError::into_inner);
            let at = complete.remove(&batch);
            // Also forgets earlier batches that never went on air.
            *complete = complete.split_off(&batch);
            at
        };
        if let Some(at) = at {
            self.record_step(Step::OnAir, at.elapsed());
        }
    }

    /// Reads the current values.
    pub fn read(&self) -> TimingsReading {
        let mut reading = TimingsReading {
            round_trip: self.round_trip.read(),
            time_left: self.time_left.read(),
            overrun: self.overrun.read(),
            ..TimingsReading::default()
        };
        for (to, from) in reading.steps.iter_mut().zip(&self.steps) {
            *to = from.read();
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_all_durations() {
        let timings = Timings::default();
        assert_eq!(timings.read().step(Step::Ready).mean(), Duration::ZERO);
        timings.record_step(Step::Ready, Duration::from_millis(200));
        timings.record_step(Step::Ready, Duration::from_millis(400));
        timings.record_step(Step::OnAir, Duration::from_secs(9));
        assert_eq!(timings.read().step(Step::Ready).mean(), Duration::from_millis(300));
    }

    #[test]
    fn durations_fall_into_their_buckets() {
        let histogram = Histogram::default();
        for ms in [10, 11, 120_000, 120_001] {
            histogram.observe(Duration::from_millis(ms));
        }
        let reading = histogram.read();
        assert_eq!((reading.counts[0], reading.counts[1]), (1, 1), "a bound belongs to its bucket");
        assert_eq!((reading.counts[13], reading.counts[14], reading.count()), (1, 1, 4));
        assert_eq!(reading.sum_us, 240_022_000);
    }

    #[test]
    fn each_step_has_its_own_and_lateness_is_apart() {
        let timings = Timings::default();
        for (n, step) in Step::ALL.into_iter().enumerate() {
            for _ in 0..=n {
                timings.record_step(step, Duration::from_millis(1));
            }
        }
        timings.time_left(2_000);
        timings.time_left(0);
        timings.time_left(-3_000);
        let reading = timings.read();
        assert_eq!(reading.steps.map(|step| step.count()), [1, 2, 3, 4, 5, 6]);
        assert_eq!((reading.time_left.count(), reading.overrun.count()), (2, 1));
        assert_eq!(reading.overrun.sum_us, 3_000_000);
    }

    #[test]
    fn a_batch_is_timed_until_its_first_destination() {
        let timings = Timings::default();
        let now = Instant::now();
        timings.complete(1, now);
        timings.complete(2, now.checked_sub(Duration::from_secs(40)).unwrap());
        timings.on_air(2);
        timings.on_air(2);
        timings.on_air(1);
        let on_air = timings.read().steps[Step::OnAir as usize];
        assert_eq!(on_air.count(), 1, "batch 1 never went on air before batch 2");
        assert!((40_000_000..50_000_000).contains(&on_air.sum_us), "{}", on_air.sum_us);
        for batch in 0..10_000 {
            timings.complete(batch, now);
        }
        assert_eq!(timings.complete.lock().unwrap().len(), METRICS_BATCHES_UNDER_WAY_MAX);
    }
}
