//! What batching stages share: the contract's types in plain Rust, and the open batch.
//!
//! All of them keep the same [`State`] and read each other's snapshots, so that one can take over from another in the
//! middle of a batch. Limits: holds no list of segments, only the open batch's borders and length.

use crate::snapshot::Origin;
use serde::{Deserialize, Serialize};

/// Whose snapshots a batching stage reads.
pub const READABLE: &[Origin] = &[DURATION, ALIGNED];
/// Batches by length.
pub const DURATION: Origin = Origin { stage: "batching-duration", layout: 1 };
/// Batches by wall-clock time.
pub const ALIGNED: Origin = Origin { stage: "batching-aligned", layout: 1 };

/// Playlists round durations (EXTINF): five segments of "6" seconds may add up to 29.97. A batch counts as long enough
/// when it lacks at most this share of the wanted length, so that rounding never costs another segment.
const ROUNDING_PERMILLE: u64 = 20;

/// What the cutting needs to know of a segment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Segment {
    /// The host's count; see the contract.
    pub index: u64,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// True if it must not be in one batch with the segment before.
    pub discontinuity: bool,
    /// Wall-clock time of its start, in microseconds since the Unix epoch, where the playlist tells it.
    pub program_date_time_us: Option<i64>,
    /// True if a cue that is a border is at its start.
    pub cue: bool,
}

/// Whether another cue than out and in is a border: EXT-X-CUE-OUT-CONT stands at each segment inside a break.
pub fn is_border(tag: &str) -> bool {
    !tag.starts_with("EXT-X-CUE-OUT-CONT")
}

/// Why a batch ended; the contract's reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has the wanted length.
    Length,
    /// The next segment starts a discontinuity.
    Discontinuity,
    /// The next segment carries a cue.
    Cue,
    /// A border of wall-clock time.
    Aligned,
    /// The source ended or the pipeline stops.
    Flush,
    /// The next segment is as long as a batch by itself.
    Other,
}

/// Segments `first..=last` are a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Index of the first segment.
    pub first: u64,
    /// Index of the last segment.
    pub last: u64,
    /// Why it ended there.
    pub reason: Reason,
}

/// A batch that is not complete yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Index of the first segment.
    pub first: u64,
    /// Index of the last segment so far.
    pub last: u64,
    /// Media time so far.
    pub duration_us: u64,
}

/// Everything that a batching stage remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Index of the segment that was pushed last; tells whether the next one follows on.
    last_pushed: Option<u64>,
    /// The open batch, if it has any segment.
    pub open: Option<Open>,
    /// Wall-clock time at the end of the last segment, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_us: Option<i64>,
}

// === impl State ===

impl State {
    /// A state as it was read, if any run of segments can have led to it.
    ///
    /// # Errors
    /// A sentence with the numbers.
    pub fn checked(self) -> Result<Self, String> {
        match self.open {
            Some(Open { first, last, .. }) if first > last || Some(last) != self.last_pushed => {
                let pushed = self.last_pushed;
                Err(format!(
                    "the snapshot's open batch {first}..={last} does not end with the last segment, {pushed:?}"
                ))
            }
            _ => Ok(self),
        }
    }

    /// To be called first for each segment: where it does not follow on, the contract wants the open batch forgotten (the
    /// host cut by itself in between, or pushes again what it did not have cut).
    pub fn follow(&mut self, segment: &Segment) {
        let follows = self.last_pushed.is_some_and(|last| last.checked_add(1) == Some(segment.index));
        if !follows {
            (self.open, self.clock_us) = (None, None);
        }
        self.last_pushed = Some(segment.index);
    }

    /// Wall-clock time of the segment's start: as told, else where the one before ended.
    pub fn start_us(&self, segment: &Segment) -> Option<i64> {
        segment.program_date_time_us.or(if segment.discontinuity { None } else { self.clock_us })
    }

    /// Takes the segment into the open batch.
    pub fn add(&mut self, segment: &Segment) {
        let duration = i64::try_from(segment.duration_us).unwrap_or(i64::MAX);
        self.clock_us = self.start_us(segment).map(|start| start.saturating_add(duration));
        let open = self.open.get_or_insert(Open { first: segment.index, last: segment.index, duration_us: 0 });
        open.last = segment.index;
        open.duration_us = open.duration_us.saturating_add(segment.duration_us);
    }

    /// Media time of the open batch.
    pub fn open_us(&self) -> u64 {
        self.open.map_or(0, |open| open.duration_us)
    }

    /// Ends the open batch, if it has any segment.
    pub fn close(&mut self, reason: Reason) -> Option<Cut> {
        self.open.take().map(|open| Cut { first: open.first, last: open.last, reason })
    }
}

/// The length from which on a batch counts as `batch_us` long.
pub fn long_enough_us(batch_us: u64) -> u64 {
    batch_us - batch_us / 1000 * ROUNDING_PERMILLE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot;

    fn seg(index: u64, time_us: Option<i64>) -> Segment {
        Segment { index, duration_us: 2_000_000, program_date_time_us: time_us, ..Segment::default() }
    }

    fn push(state: &mut State, segment: Segment) {
        state.follow(&segment);
        state.add(&segment);
    }

    #[test]
    fn the_clock_goes_on_without_date_times_until_something_breaks() {
        let mut state = State::default();
        push(&mut state, seg(4, None));
        assert_eq!(state.clock_us, None);
        push(&mut state, seg(5, Some(10)));
        push(&mut state, seg(6, None));
        assert_eq!((state.clock_us, state.open_us()), (Some(4_000_010), 6_000_000));
        push(&mut state, Segment { discontinuity: true, ..seg(7, None) });
        assert_eq!(state.clock_us, None);
        push(&mut state, seg(8, Some(i64::MAX)));
        assert_eq!(state.clock_us, Some(i64::MAX));
        push(&mut state, seg(10, None));
        assert_eq!((state.clock_us, state.open.map(|open| open.first)), (None, Some(10)), "9 is missing");
    }

    #[test]
    fn snapshots_of_version_0_1_0_are_read() {
        let old = br#"{"stage":"batching-duration","layout":1,"state":{"last_pushed":3,"open":{"first":2,"last":3,"duration_us":8000000}}}"#;
        let state: State = snapshot::read(READABLE, old).unwrap();
        let open = Some(Open { first: 2, last: 3, duration_us: 8_000_000 });
        assert_eq!(state, State { last_pushed: Some(3), open, clock_us: None });
    }

    #[test]
    fn rounding_is_two_per_cent() {
        assert_eq!((long_enough_us(30_000_000), long_enough_us(2_000_000)), (29_400_000, 1_960_000));
    }

    #[test]
    fn inside_a_break_is_no_border() {
        assert!(is_border("EXT-X-DATERANGE:ID=\"1\"") && is_border("EXT-OATCLS-SCTE35:/DAl"));
        assert!(!is_border("EXT-X-CUE-OUT-CONT:10/30") && !is_border("EXT-X-CUE-OUT-CONT"));
    }
}
