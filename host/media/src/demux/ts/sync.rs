//! Finds packets of 188 bytes in a byte stream: plain, with a time code of 4 bytes before each (M2TS, 192) or a code of
//! 16 bytes after each (DVB-ASI, 204). Bytes before the first packet and between packets are skipped and counted.
//!
//! A place counts as the start of a packet if four consecutive packets begin with 0x47, or all packets up to the end of
//! the input.

use super::super::witness::ContainerWitness;

/// Length of a packet in bytes (ISO/IEC 13818-1 section 2.4.3.2).
pub const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Possible distances in bytes from the start of one packet to the start of the next.
const STRIDES: [usize; 3] = [188, 192, 204];
/// Length in bytes of the time code before each packet of 192 bytes.
const TIME_CODE: usize = 4;
const STRIDE_MAX: usize = 204;
/// Number of consecutive packets that confirm a place.
const CONFIRM: usize = 4;
/// Number of bytes that suffice to confirm a place with any distance of packets.
const WINDOW: usize = (CONFIRM - 1) * STRIDE_MAX + 1;
/// Number of bytes that one step of the search adds.
const SEARCH: usize = 8192;

/// The state between two calls. It holds [`WINDOW`] bytes at most, and [`SEARCH`] more inside a call.
#[derive(Debug, Clone)]
pub struct Sync {
    /// Whether the places of packets are known.
    locked: bool,
    stride: usize,
    /// Number of bytes to skip before the next packet: its time code, or the code after the last packet.
    beside: usize,
    /// The start of a packet, or the bytes that are being searched.
    held: Vec<u8>,
    /// Number of bytes skipped since the last packet.
    skipped: u64,
}

impl Default for Sync {
    fn default() -> Self {
        Self { locked: false, stride: PACKET, beside: 0, held: Vec::new(), skipped: 0 }
    }
}

/// What the search reports while it takes bytes.
pub enum Found<'a> {
    /// A packet, whose first byte is 0x47.
    Packet(&'a [u8; PACKET]),
    /// Number of bytes before the next packet that belong to no packet.
    Skipped(u64),
}

impl Sync {
    /// Takes the next bytes and calls `each` with every packet.
    pub fn feed(&mut self, mut bytes: &[u8], counts: &mut ContainerWitness, each: &mut impl FnMut(Found<'_>)) {
        counts.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.locked {
                self.walk(&mut bytes, counts, each);
            } else {
                let (now, later) = bytes.split_at(bytes.len().min(SEARCH));
                self.held.extend_from_slice(now);
                bytes = later;
                self.search(false, counts, each);
            }
        }
        counts.held = self.held.len() as u64;
    }

    /// Ends a segment. Places that wait for confirmation are decided by the bytes that exist. The start of a packet is
    /// kept; the packets of the next segment show whether it continues there.
    pub fn segment_end(&mut self, counts: &mut ContainerWitness, each: &mut impl FnMut(Found<'_>)) {
        if !self.locked {
            self.search(true, counts, each);
        }
        (self.locked, self.beside) = (false, 0);
        counts.held = self.held.len() as u64;
    }

    /// Ends the input; bytes that are held belong to no packet and count as skipped.
    pub fn end(&mut self, counts: &mut ContainerWitness, each: &mut impl FnMut(Found<'_>)) {
        self.segment_end(counts, each);
        counts.skipped += self.held.len() as u64;
        self.skipped += self.held.len() as u64;
        self.held.clear();
        counts.held = 0;
        self.tell_skipped(each);
    }

    fn walk(&mut self, bytes: &mut &[u8], counts: &mut ContainerWitness, each: &mut impl FnMut(Found<'_>)) {
        while let Some(first) = bytes.first() {
            if self.beside > 0 {
                let n = self.beside.min(bytes.len());
                *bytes = bytes.get(n..).unwrap_or_default();
                self.beside -= n;
                counts.beside += n as u64;
                continue;
            }
            if self.held.is_empty() {
                if *first != SYNC {
                    self.locked = false;
                    return;
                }
                if let Some((packet, rest)) = bytes.split_first_chunk::<PACKET>() {
                    *bytes = rest;
                    self.packet(packet, counts, each);
                    continue;
                }
            }
            let n = (PACKET - self.held.len()).min(bytes.len());
            let (now, rest) = bytes.split_at(n);
            self.held.extend_from_slice(now);
            *bytes = rest;
            if let Some(packet) = self.held.first_chunk::<PACKET>().copied() {
                self.held.clear();
                self.packet(&packet, counts, each);
            }
        }
    }

    fn packet(&mut self, packet: &[u8; PACKET], counts: &mut ContainerWitness, each: &mut impl FnMut(Found<'_>)) {
        self.tell_skipped(each);
        counts.packets.add(1, PACKET);
        self.beside = self.stride - PACKET;
        each(Found::Packet(packet));
    }

    fn tell_skipped(&mut self, each: &mut impl FnMut(Found<'_>)) {
        if self.skipped > 0 {
            each(Found::Skipped(std::mem::take(&mut self.skipped)));
        }
    }

    /// Searches the held bytes for packets; `all` says that no more bytes follow.
    fn search(&mut self, all: bool, counts: &mut ContainerWitness, each: &mut impl FnMut(Found<'_>)) {
        loop {
            let decided = if all { self.held.len() } else { self.held.len().saturating_sub(WINDOW - 1) };
            let place = (0..decided).find_map(|at| Some((at, self.stride_at(at, all)?)));
            let Some((at, stride)) = place else {
                // A time code may be among them.
                self.skip(if all { 0 } else { decided.saturating_sub(TIME_CODE) }, counts);
                return;
            };
            // Before the first packet of 192 bytes lies its time code.
            let code = if stride == PACKET + TIME_CODE && at >= TIME_CODE { TIME_CODE } else { 0 };
            self.skip(at - code, counts);
            counts.beside += code as u64;
            (self.locked, self.stride, self.beside) = (true, stride, 0);
            let held = std::mem::take(&mut self.held);
            let mut rest = held.get(code..).unwrap_or_default();
            self.walk(&mut rest, counts, each);
            if self.locked {
                return;
            }
            self.held = rest.to_vec();
        }
    }

    fn skip(&mut self, bytes: usize, counts: &mut ContainerWitness) {
        self.held.drain(..bytes.min(self.held.len()));
        self.skipped += bytes as u64;
        counts.skipped += bytes as u64;
    }

    /// Returns the distance of packets if they begin at `at`. The last known distance is tried first.
    fn stride_at(&self, at: usize, all: bool) -> Option<usize> {
        let held = self.held.get(at..).filter(|held| held.first() == Some(&SYNC))?;
        let fits = |stride: usize| {
            let marks = (1..CONFIRM).map(|n| held.get(n * stride));
            match all {
                false => marks.into_iter().all(|mark| mark == Some(&SYNC)),
                // The last packet ends where the input does.
                true => {
                    let whole = held.len() % stride;
                    marks.flatten().all(|mark| *mark == SYNC) && (whole == 0 || whole == PACKET)
                }
            }
        };
        std::iter::once(self.stride).chain(STRIDES).find(|stride| fits(*stride))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(count: usize, before: usize, after: usize) -> Vec<u8> {
        let packet = |n: usize| {
            let mut packet = vec![(n % 251) as u8; PACKET];
            packet[0] = SYNC;
            [vec![0x11; before], packet, vec![0x22; after]].concat()
        };
        (0..count).flat_map(packet).collect()
    }

    /// The second byte of each packet, and the counts.
    fn run(pieces: &[&[u8]]) -> (Vec<u8>, ContainerWitness, u64) {
        let (mut sync, mut counts) = (Sync::default(), ContainerWitness::default());
        let (mut found, mut skipped) = (Vec::new(), 0);
        let mut each = |what: Found<'_>| match what {
            Found::Packet(packet) => found.push(packet[1]),
            Found::Skipped(bytes) => skipped += bytes,
        };
        for piece in pieces {
            sync.feed(piece, &mut counts, &mut each);
            assert!(sync.held.len() < WINDOW + PACKET);
            assert_eq!(counts.bytes, counts.packets.bytes + counts.skipped + counts.beside + counts.held);
        }
        sync.end(&mut counts, &mut each);
        assert_eq!(counts.bytes, counts.packets.bytes + counts.skipped + counts.beside);
        (found, counts, skipped)
    }

    #[test]
    fn packets_of_each_size_are_found_in_pieces_of_any_size() {
        for (before, after) in [(0, 0), (4, 0), (0, 16)] {
            let bytes = packets(40, before, after);
            for size in [1, 3, 100, 187, 188, 189, 1000, bytes.len()] {
                let (found, counts, skipped) = run(&bytes.chunks(size).collect::<Vec<_>>());
                assert_eq!(found, (0..40).collect::<Vec<u8>>(), "{before}+{after}, pieces of {size}");
                assert_eq!((skipped, counts.beside), (0, 40 * (before + after) as u64), "{before}+{after} {size}");
            }
        }
    }

    #[test]
    fn bytes_before_and_between_are_passed_over() {
        // 0x47 among them does not mislead.
        let junk: Vec<u8> = (0..900_u32).map(|n| ((n * n) >> 3) as u8).collect();
        let bytes = [&junk[..], &packets(10, 0, 0), &junk[..301], &packets(10, 0, 0)].concat();
        for size in [1, 50, 188, 4000] {
            let (found, _, skipped) = run(&bytes.chunks(size).collect::<Vec<_>>());
            assert_eq!(found, (0..10).chain(0..10).collect::<Vec<u8>>(), "pieces of {size}");
            assert_eq!(skipped, 1201);
        }
    }

    #[test]
    fn a_wrong_sync_byte_costs_its_packet_only() {
        let mut bytes = packets(30, 0, 0);
        bytes[188 * 7] = 0;
        let (found, counts, skipped) = run(&[&bytes]);
        assert_eq!(found, (0..30).filter(|n| *n != 7).collect::<Vec<u8>>());
        assert_eq!((counts.skipped, skipped), (188, 188));
    }

    #[test]
    fn few_packets_are_believed_at_the_end_only() {
        let bytes = packets(2, 0, 0);
        let (mut sync, mut counts, mut seen) = (Sync::default(), ContainerWitness::default(), 0);
        sync.feed(&bytes, &mut counts, &mut |_| seen += 1);
        assert_eq!(seen, 0);
        sync.segment_end(&mut counts, &mut |_| seen += 1);
        assert_eq!((seen, counts.held), (2, 0));
        let (found, _, skipped) = run(&[&[SYNC; 187]]);
        assert_eq!((found.len(), skipped), (0, 187));
    }

    #[test]
    fn a_packet_may_go_on_in_the_next_segment_or_be_cut_off() {
        let bytes = packets(20, 0, 0);
        let (mut sync, mut counts, mut seen) = (Sync::default(), ContainerWitness::default(), Vec::new());
        let mut each = |what: Found<'_>| {
            if let Found::Packet(packet) = what {
                seen.push(packet[1]);
            }
        };
        sync.feed(&bytes[..188 * 9 + 50], &mut counts, &mut each);
        sync.segment_end(&mut counts, &mut each);
        sync.feed(&bytes[188 * 9 + 50..188 * 14 + 20], &mut counts, &mut each);
        sync.segment_end(&mut counts, &mut each);
        sync.feed(&bytes[188 * 15..], &mut counts, &mut each);
        sync.end(&mut counts, &mut each);
        assert_eq!(seen, (0..20).filter(|n| *n != 14).collect::<Vec<u8>>());
        assert_eq!(counts.skipped, 20);
    }
}
