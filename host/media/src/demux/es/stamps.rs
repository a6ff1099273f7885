//! Assigns the times of PES packets to access units and frames. A PES packet's time belongs to the first unit that
//! begins in it (ISO/IEC 13818-1 section 2.4.3.7); the unit need not begin where the PES packet does.

use std::collections::VecDeque;

use super::super::clock::Times;

/// Number of PES packets whose times are kept; a unit begins in one of the last two.
const KEPT: usize = 16;

/// The times of the last PES packets, by their place in the elementary stream.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    /// Number of bytes of the elementary stream up to now.
    at: u64,
    known: VecDeque<(u64, Option<Times>)>,
}

impl Stamps {
    /// Begins a PES packet, with or without times.
    pub fn begin(&mut self, times: Option<Times>) {
        if self.known.len() >= KEPT {
            self.known.pop_front();
        }
        self.known.push_back((self.at, times));
    }

    /// Counts bytes of the elementary stream that were read.
    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes as u64;
    }

    /// Returns the place of the next byte in the elementary stream.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Takes the times for the unit that begins at this place. `None` if the PES packet has no times, or an earlier
    /// unit took them.
    pub fn take(&mut self, place: u64) -> Option<Times> {
        let mut found = None;
        while self.known.front().is_some_and(|(begin, _)| *begin <= place) {
            found = self.known.pop_front();
        }
        found?.1
    }

    /// Forgets the times of all PES packets; the place in the elementary stream stays.
    pub fn reset(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_unit_that_begins_in_a_packet_has_its_time() {
        let times = |ticks| Some(Times { pts: ticks, dts: ticks });
        let mut stamps = Stamps::default();
        stamps.begin(times(1));
        stamps.advance(100);
        stamps.begin(times(2));
        stamps.advance(100);
        stamps.begin(None);
        stamps.advance(100);
        stamps.begin(times(4));
        assert_eq!(stamps.take(0), times(1));
        assert_eq!(stamps.take(60), None, "the second one in the same packet");
        assert_eq!(stamps.take(199), times(2));
        assert_eq!(stamps.take(250), None, "the packet has none");
        assert_eq!(stamps.take(300), times(4));
    }
}
