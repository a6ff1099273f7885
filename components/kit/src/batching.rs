//! The code that batching stages share: the contract's types in plain Rust, and the open batch.
//!
//! All of them have the same [`State`] and read each other's snapshots, so one can take over from another in the middle of a batch.
//! The state is small: no list of segments, only the first and last index of the open batch and its length.

use crate::snapshot::Origin;
use serde::{Deserialize, Serialize};

/// The writers whose snapshots a batching stage reads.
pub const READABLE: &[Origin] = &[DURATION, ALIGNED];
/// The writer of `batching-duration`'s snapshots.
pub const DURATION: Origin = Origin { stage: "batching-duration", layout: 1 };
/// The writer of `batching-aligned`'s snapshots.
pub const ALIGNED: Origin = Origin { stage: "batching-aligned", layout: 1 };

/// Playlists round durations (EXTINF): five segments of "6" seconds may add up to 29.97. A batch counts as long enough
/// if it is shorter than its length by at most this share, in per mille, so that rounding never adds a segment.
const ROUNDING_PERMILLE: u64 = 20;

/// The facts of a segment that decide about cuts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Segment {
    /// The host's index of the segment; see the contract.
    pub index: u64,
    /// Duration of the segment, in microseconds.
    pub duration_us: u64,
    /// True if it must not be in the same batch as the segment before it.
    pub discontinuity: bool,
    /// Wall-clock time of its start, in microseconds since the Unix epoch, if the playlist has it.
    pub program_date_time_us: Option<i64>,
    /// True if it starts with a cue at which a batch may end.
    pub cue: bool,
}

/// True if a batch may end at this cue, which is neither out nor in. EXT-X-CUE-OUT-CONT is repeated at each segment inside a break.
pub fn is_border(tag: &str) -> bool {
    !tag.starts_with("EXT-X-CUE-OUT-CONT")
}

/// Why a batch ended; the contract's reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has reached its length.
    Length,
    /// The next segment starts a discontinuity.
    Discontinuity,
    /// The next segment starts with a cue.
    Cue,
    /// It has reached a border of wall-clock time.
    Aligned,
    /// The source ended or the pipeline stops.
    Flush,
    /// The next segment alone is as long as a batch.
    Other,
}

/// A complete batch: the segments `first..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Index of the first segment.
    pub first: u64,
    /// Index of the last segment.
    pub last: u64,
    /// Why the batch ended there.
    pub reason: Reason,
}

/// A batch that is not complete yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Index of the first segment.
    pub first: u64,
    /// Index of the last segment so far.
    pub last: u64,
    /// Media time so far, in microseconds.
    pub duration_us: u64,
}

/// The whole state of a batching stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Index of the last segment that was pushed; the next one is expected to be one higher.
    last_pushed: Option<u64>,
    /// The open batch, if it has any segment.
    pub open: Option<Open>,
    /// Wall-clock time at the end of the last segment, in microseconds since the Unix epoch; `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_us: Option<i64>,
}

// === impl State ===

impl State {
    /// Checks that a state that was read is consistent.
    ///
    /// # Errors
    /// A sentence with the numbers if the open batch does not end with the last segment.
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

    /// Must be called first for each segment. If its index is not the next one, the open batch is dropped, as the contract says: the
    /// host has cut by itself, or pushes the segments of the open batch again.
    pub fn follow(&mut self, segment: &Segment) {
        let follows = self.last_pushed.is_some_and(|last| last.checked_add(1) == Some(segment.index));
        if !follows {
            (self.open, self.clock_us) = (None, None);
        }
        self.last_pushed = Some(segment.index);
    }

    /// Wall-clock time of the segment's start: from the playlist, else the end of the segment before it.
    pub fn start_us(&self, segment: &Segment) -> Option<i64> {
        segment.program_date_time_us.or(if segment.discontinuity { None } else { self.clock_us })
    }

    /// Adds the segment to the open batch.
    pub fn add(&mut self, segment: &Segment) {
        let duration = i64::try_from(segment.duration_us).unwrap_or(i64::MAX);
        self.clock_us = self.start_us(segment).map(|start| start.saturating_add(duration));
        let open = self.open.get_or_insert(Open { first: segment.index, last: segment.index, duration_us: 0 });
        open.last = segment.index;
        open.duration_us = open.duration_us.saturating_add(segment.duration_us);
    }

    /// Media time of the open batch, in microseconds.
    pub fn open_us(&self) -> u64 {
        self.open.map_or(0, |open| open.duration_us)
    }

    /// Ends the open batch; `None` if it has no segment.
    pub fn close(&mut self, reason: Reason) -> Option<Cut> {
        self.open.take().map(|open| Cut { first: open.first, last: open.last, reason })
    }
}

/// The length from which on a batch counts as `batch_us` long, in microseconds.
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
