//! Which time belongs to which access unit or frame: that of the PES packet in which it is the first to begin
//! (ISO/IEC 13818-1 section 2.4.3.7). PES packets and units need not begin together.

use std::collections::VecDeque;

use super::super::clock::Times;

/// PES packets whose time may still be asked for: a unit's first bytes lie in the last two, whatever their lengths.
const KEPT: usize = 16;

/// The times of the last PES packets, by their place in the elementary stream.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    /// Bytes of the elementary stream so far.
    at: u64,
    known: VecDeque<(u64, Option<Times>)>,
}

impl Stamps {
    /// A PES packet begins, with or without times.
    pub fn begin(&mut self, times: Option<Times>) {
        if self.known.len() >= KEPT {
            self.known.pop_front();
        }
        self.known.push_back((self.at, times));
    }

    /// Bytes of it were looked at.
    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes as u64;
    }

    /// Place of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The time of the unit that begins at this place. `None`: the PES packet has none, or it was another unit's.
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
