//! source -> **batch** -> demux: groups segments into batches as the batching stage decides.

use std::time::Duration;

use tokio::time::Instant;

use outboard_media::segment::Segment;

// the step
pub mod batcher;
// what the step tells
mod report;

pub use batcher::Batcher;

/// What is decided, in order: each segment belongs to the batch that is open, unless the next cut leaves it to the one after.
#[derive(Debug)]
pub enum Decided {
    /// The next segment of a batch that is open.
    Segment {
        /// Number of the batch.
        batch: u64,
        /// The segment.
        segment: Box<Segment>,
    },
    /// A batch ends. Its newest segments may come with it and not before.
    Cut(Batch),
}

impl Decided {
    /// Number of the batch.
    pub fn batch(&self) -> u64 {
        match self {
            Self::Segment { batch, .. } => *batch,
            Self::Cut(batch) => batch.number,
        }
    }
}

/// Segments that belong together: the unit that goes to the processor.
#[derive(Debug, Clone)]
pub struct Batch {
    /// 0-based over the stream's life.
    pub number: u64,
    /// Segments of the batch, oldest first.
    pub segments: Vec<Segment>,
    /// Its timestamps may not follow on from the batch before.
    pub discontinuity: bool,
    /// It is known that nothing continues its last segment: the source has ended, a discontinuity follows, or no more
    /// batches are wanted.
    pub last: bool,
    /// When its last segment was there.
    pub complete: Instant,
    /// The same as Unix time in milliseconds.
    pub complete_ms: u64,
    /// Media of later batches that was there by then.
    pub open: Duration,
}

impl Batch {
    /// How much media it has: the durations of its segments.
    pub fn media(&self) -> Duration {
        self.segments.iter().map(|segment| segment.duration).sum()
    }
}
