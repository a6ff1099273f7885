//! Where a session can be resumed: positions with the number of bytes written before them.
//!
//! In: a mark at each key frame and each second in between; the server's acknowledgements. Out: the position to resume
//! at; everything before it has certainly arrived. Limit: [`AIR_MARKS_MAX`] marks.
//!
//! With a server that acknowledges nothing, bytes written more than [`AIR_UNACKED_GRACE`] ago count as received.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::position::Position;
use crate::limits::{AIR_MARKS_MAX, AIR_UNACKED_GRACE};

/// A position in a session.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Bytes of the session before it.
    bytes: u64,
    at: Instant,
    position: Position,
    entry: bool,
}

/// The marks of the current or last session.
#[derive(Debug)]
pub(super) struct Marks {
    start: Position,
    marks: VecDeque<Mark>,
}

impl Marks {
    pub(super) fn new(start: Position) -> Self {
        Self { start, marks: VecDeque::new() }
    }

    /// Begins a session at a position.
    pub(super) fn begin(&mut self, start: Position) {
        self.start = start;
        self.marks.clear();
    }

    /// Adds a mark: the packet at `position` follows after `bytes` bytes of the session; a receiver can start at it if
    /// `entry`.
    pub(super) fn push(&mut self, bytes: u64, position: Position, entry: bool, at: Instant) {
        if self.marks.len() == AIR_MARKS_MAX
            && let Some(oldest) = self.marks.pop_front()
            && oldest.entry
        {
            // The server is far behind with its acknowledgements: after a reconnect less is repeated, to limit memory.
            self.start = oldest.position;
        }
        self.marks.push_back(Mark { bytes, at, position, entry });
    }

    /// Removes marks that no resume needs: those before the last entry that has arrived.
    pub(super) fn acked(&mut self, bytes: u64) {
        let arrived = self.marks.iter().take_while(|mark| mark.bytes <= bytes);
        if let Some(entry) = arrived.enumerate().filter(|(_, mark)| mark.entry).map(|(index, _)| index).last() {
            self.marks.drain(..entry);
            self.start = self.marks.front().map_or(self.start, |mark| mark.position);
        }
    }

    /// The last mark that has arrived.
    pub(super) fn arrived(&self, bytes: u64) -> Position {
        self.marks.iter().take_while(|mark| mark.bytes <= bytes).last().map_or(self.start, |mark| mark.position)
    }

    /// Where to resume; `acked`: the bytes that the server has acknowledged, if it acknowledges any.
    pub(super) fn resume(&self, acked: Option<u64>, now: Instant) -> Position {
        let has_arrived = |mark: &&Mark| match acked {
            Some(bytes) => mark.bytes <= bytes,
            None => now.saturating_duration_since(mark.at) > AIR_UNACKED_GRACE,
        };
        let arrived = self.marks.iter().take_while(has_arrived);
        arrived.filter(|mark| mark.entry).last().map_or(self.start, |mark| mark.position)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: u64) -> Position {
        Position::start_of(second, second * 1000)
    }

    /// A key frame every 2 s, marks each second, 1000 bytes per second.
    fn marks(start: Instant) -> Marks {
        let mut marks = Marks::new(at(0));
        marks.begin(at(100));
        for n in 0..10 {
            marks.push(n * 1000, at(100 + n), n % 2 == 0, start + Duration::from_secs(n));
        }
        marks
    }

    #[test]
    fn resumes_at_the_last_entry_that_arrived() {
        let now = Instant::now();
        let mut marks = marks(now);
        assert_eq!(marks.resume(Some(0), now), at(100));
        assert_eq!(marks.resume(Some(3_500), now), at(102));
        assert_eq!(marks.arrived(3_500), at(103));
        marks.acked(3_500);
        assert_eq!(marks.resume(Some(3_500), now), at(102));
        assert_eq!(marks.arrived(0), at(102));
        assert_eq!(marks.resume(Some(u64::MAX), now), at(108));
        assert_eq!(marks.marks.len(), 8);
        marks.begin(at(108));
        assert_eq!((marks.resume(Some(0), now), marks.arrived(9)), (at(108), at(108)));
    }

    #[test]
    fn without_acknowledgements_time_decides() {
        let start = Instant::now();
        let marks = marks(start);
        let lost = start + Duration::from_millis(9_500);
        // 9.5 s - 5 s = 4.5 s: the key frame at 4 s.
        assert_eq!(marks.resume(None, lost), at(104));
        assert_eq!(marks.resume(None, start), at(100));
    }

    #[test]
    fn holds_a_bounded_number() {
        let now = Instant::now();
        let mut marks = Marks::new(at(0));
        for n in 0..(AIR_MARKS_MAX as u64 + 10) {
            marks.push(n + 1, at(n), true, now);
        }
        assert_eq!(marks.marks.len(), AIR_MARKS_MAX);
        assert_eq!(marks.resume(Some(0), now), at(9), "the oldest is given up");
    }
}
