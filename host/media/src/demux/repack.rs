//! Packs the units of one good stream into other transport streams with the same content. Sizes of PES packets, tables,
//! PIDs, stuffing, adaptation fields and sizes of packets differ, all legal by ISO/IEC 13818-1.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests: of this crate, and of others with the feature `testing`"
)]

mod units;
mod wire;

use super::TrackKind;
pub use units::{Unit, units};
use wire::{clock, full, padding, pes, pes_of, reference, section, section_bytes, with_pid};

/// Pseudo-random numbers that are the same in each run.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        n > 0 && self.below(n) == 0
    }
}

/// The settings for packing a stream.
#[derive(Debug, Clone)]
pub struct Pack {
    pub seed: u64,
    /// Size in bytes of each PES packet of this kind; `None` puts one unit in each.
    pub video_pes: Option<usize>,
    pub audio_pes: Option<usize>,
    /// Whether PES packets of video have a length.
    pub lengths: bool,
    /// One packet in this many is stuffed, has private data in its adaptation field, is sent twice, or is followed by a
    /// null packet; 0: none.
    pub stuffed: usize,
    pub private: usize,
    pub twice: usize,
    pub null: usize,
    /// Number of bytes before and after each packet.
    pub beside: (usize, usize),
    /// One segment in this many has tables, which it repeats once in `table_packets` packets.
    pub table_segments: usize,
    pub table_packets: usize,
    /// The segment from which on other PIDs are used.
    pub move_at: Option<usize>,
    /// Ticks that are added to all times; `shift_at` has a segment and the ticks from it on.
    pub shift: i64,
    pub shift_at: Option<(usize, i64)>,
    /// Whether continuity counters restart at 0 in each segment.
    pub new_counters: bool,
    /// Whether there are another programme before this one and data streams in this one.
    pub company: bool,
    /// Whether the PIDs are others in each segment.
    pub moves: bool,
    /// One packet in this many has a clock reference in its adaptation field, and one is followed by a packet of only
    /// that; 0: none.
    pub clock: usize,
    /// Whether headers of PES packets have all optional fields, and stuffing; and one PES packet in this many is followed
    /// by one of padding (stream_id 0xbe), 0: none.
    pub full_headers: bool,
    pub padding: usize,
    /// Whether the PMT is so long that it takes several packets.
    pub long_tables: bool,
}

impl Default for Pack {
    fn default() -> Self {
        Self {
            seed: 1,
            video_pes: None,
            audio_pes: None,
            lengths: false,
            stuffed: 0,
            private: 0,
            twice: 0,
            null: 0,
            beside: (0, 0),
            table_segments: 1,
            table_packets: 200,
            move_at: None,
            shift: 0,
            shift_at: None,
            new_counters: false,
            company: false,
            moves: false,
            clock: 0,
            full_headers: false,
            padding: 0,
            long_tables: false,
        }
    }
}

/// A PES packet, and the segment to which it belongs.
struct Pes {
    segment: usize,
    bytes: Vec<u8>,
}

impl Pack {
    /// Packs the units into segments. Each begins with a key frame (a unit with an SPS), as far as PES packets allow.
    pub fn segments(&self, units: &[Unit]) -> Vec<Vec<u8>> {
        let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut count = 0;
        let mut starts = Vec::new();
        for unit in units {
            let key = unit.kind == TrackKind::Video && unit.bytes.windows(4).any(|four| four == [0, 0, 1, 0x67]);
            if key {
                starts.push(unit.dts);
                count += 1;
            }
        }
        let segment_of = |dts: i64| starts.iter().filter(|start| **start <= dts).count().saturating_sub(1);
        let queues = [TrackKind::Video, TrackKind::Audio].map(|kind| {
            let units: Vec<_> = units.iter().filter(|unit| unit.kind == kind).cloned().collect();
            let size = if kind == TrackKind::Video { self.video_pes } else { self.audio_pes };
            self.pes(&units, size, &segment_of)
        });
        let mut counters = std::collections::BTreeMap::new();
        let mut at = [0, 0];
        (0..count)
            .map(|segment| {
                if self.new_counters {
                    counters.clear();
                }
                let moved = self.move_at.is_some_and(|at| segment >= at);
                let more = if self.moves { segment as u16 * 7 } else { 0 };
                let pids = if moved { [400, 401] } else { [256 + more, 257 + more] };
                let version = if moved { 0xc3 } else { 0xc1 | (more as u8 & 0xf) << 1 };
                // The packets of both tracks, each in its order.
                let mut packets: [std::collections::VecDeque<(u16, Vec<u8>)>; 2] = Default::default();
                for track in 0..2 {
                    while let Some(pes) = queues[track].get(at[track]).filter(|pes| pes.segment <= segment) {
                        let mut add = |bytes: &[u8], random: &mut Random| {
                            let with_pid = self.packets(bytes, random).into_iter().map(|packet| (pids[track], packet));
                            packets[track].extend(with_pid);
                        };
                        match self.full_headers {
                            true => add(&full(&pes.bytes, random.below(20)), &mut random),
                            false => add(&pes.bytes, &mut random),
                        }
                        if random.one_in(self.padding) {
                            add(&padding(random.below(400)), &mut random);
                        }
                        at[track] += 1;
                    }
                }
                let mut out = Vec::new();
                let mut since = 0;
                let tables = segment % self.table_segments == 0;
                if tables {
                    self.tables(pids, version, &mut counters, &mut out);
                }
                loop {
                    let [video, audio] = [packets[0].len(), packets[1].len()];
                    if video + audio == 0 {
                        break;
                    }
                    let track = usize::from(random.below(video + audio) >= video);
                    let (pid, packet) = packets[track].pop_front().unwrap();
                    let packet = with_pid(packet, pid, &mut counters);
                    self.write(&packet, &mut out);
                    if random.one_in(self.twice) {
                        self.write(&packet, &mut out);
                    }
                    if random.one_in(self.clock) {
                        self.write(&clock(&packet, &mut random), &mut out);
                    }
                    if random.one_in(self.null) {
                        self.write(&[&[0x47, 0x1f, 0xff, 0x10][..], &[0xaa; 184]].concat(), &mut out);
                    }
                    since += 1;
                    if tables && since % self.table_packets == 0 {
                        self.tables(pids, version, &mut counters, &mut out);
                    }
                }
                out
            })
            .collect()
    }

    fn pes(&self, units: &[Unit], size: Option<usize>, segment_of: &impl Fn(i64) -> usize) -> Vec<Pes> {
        let kind = units[0].kind;
        let shifted = |unit: &Unit| {
            let segment = segment_of(unit.dts);
            let more = self.shift_at.filter(|(at, _)| segment >= *at).map_or(0, |(_, ticks)| ticks);
            (unit.pts + self.shift + more, unit.dts + self.shift + more)
        };
        let Some(size) = size else {
            let pes = |unit: &Unit| Pes {
                segment: segment_of(unit.dts),
                bytes: pes(kind, Some(shifted(unit)), &unit.bytes, self.lengths),
            };
            return units.iter().map(pes).collect();
        };
        let mut places = Vec::new();
        let mut stream = Vec::new();
        for unit in units {
            places.push((stream.len(), unit));
            stream.extend(&unit.bytes);
        }
        let chunk = |(n, chunk): (usize, &[u8])| {
            let (from, to) = (n * size, n * size + chunk.len());
            let first = places.iter().find(|(place, _)| (from..to).contains(place)).map(|(_, unit)| shifted(unit));
            let within = places.iter().rev().find(|(place, _)| *place <= from).unwrap().1;
            Pes {
                segment: segment_of(within.dts),
                bytes: pes(kind, first, chunk, self.lengths || kind == TrackKind::Audio),
            }
        };
        stream.chunks(size).enumerate().map(chunk).collect()
    }

    /// Splits a PES packet into transport packets, without PID and counter.
    fn packets(&self, pes: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut rest = pes;
        while !rest.is_empty() {
            let mut field = Vec::new();
            if random.one_in(self.private) {
                let more = random.below(20);
                field = [&[0x02, more as u8][..], &vec![0x5a; more]].concat();
            } else if random.one_in(self.clock) {
                field = reference(random);
            }
            if random.one_in(self.stuffed) {
                let more = random.below(150);
                if field.is_empty() {
                    field.push(0);
                }
                field.extend(vec![0xff; more]);
            }
            let room = if field.is_empty() { 184 } else { 183 - field.len() };
            let (now, later) = rest.split_at(room.min(rest.len()));
            rest = later;
            let lack = room - now.len();
            let start = if packets.is_empty() { 0x40 } else { 0 };
            let mut packet = vec![0x47, start, 0, 0x10];
            if lack > 0 || !field.is_empty() {
                packet[3] = 0x30;
                let adaptation = match (field.is_empty(), lack) {
                    (true, 1) => vec![],
                    (true, lack) => [&[0][..], &vec![0xff; lack - 2]].concat(),
                    (false, lack) => [&field[..], &vec![0xff; lack]].concat(),
                };
                packet.push(adaptation.len() as u8);
                packet.extend(adaptation);
            }
            packet.extend(now);
            assert_eq!(packet.len(), 188);
            packets.push(packet);
        }
        packets
    }

    fn write(&self, packet: &[u8], out: &mut Vec<u8>) {
        out.extend(vec![0x11; self.beside.0]);
        out.extend(packet);
        out.extend(vec![0x22; self.beside.1]);
    }

    fn tables(
        &self,
        pids: [u16; 2],
        version: u8,
        counters: &mut std::collections::BTreeMap<u16, u8>,
        out: &mut Vec<u8>,
    ) {
        let mut pat = vec![];
        if self.company {
            pat.extend([0, 1, 0xe0, 0x40]);
        }
        pat.extend([0, 7, 0xf0, 0]);
        let mut packets = vec![(0, section(0, 1, 0xc1, &pat))];
        if self.company {
            packets.push((0x40, section(2, 1, 0xc1, &[0xe1, 0, 0xf0, 0, 0x06, 0xe3, 0, 0xf0, 0])));
        }
        let [[v0, v1], [a0, a1]] = pids.map(u16::to_be_bytes);
        let mut pmt = vec![0xe0 | v0, v1, 0xf0, 0];
        if self.long_tables {
            pmt[2..].copy_from_slice(&[0xf1, 0x54]);
            (0..2).for_each(|n| pmt.extend([&[0x80 + n, 168][..], &[0x47; 168]].concat()));
        }
        pmt.extend([0x1b, 0xe0 | v0, v1, 0xf0, 0, 0x0f, 0xe0 | a0, a1, 0xf0, 6]);
        pmt.extend(b"\x0a\x04deu\0");
        if self.company {
            pmt.extend(b"\x86\xe2\x00\xf0\x06\x05\x04CUEI\x15\xe2\x01\xf0\x06\x05\x04ID3 ");
        }
        packets.push((0x1000, section(2, 7, version, &pmt)));
        if self.company {
            packets.push((0x200, section_bytes(0xfc, b"splice")));
        }
        for (pid, section) in packets {
            for (n, part) in [&[0][..], &section].concat().chunks(184).enumerate() {
                let start = if n == 0 { 0x40 } else { 0 };
                let packet = [&[0x47, start, 0, 0x10][..], part, &vec![0xff; 184 - part.len()]].concat();
                self.write(&with_pid(packet, pid, counters), out);
            }
        }
        if self.company {
            let tag = pes_of(0xbd, Some((90_000, 90_000)), b"ID3\x04\0\0\0\0\0\0", true);
            for packet in self.packets(&tag, &mut Random(1)) {
                let packet = with_pid(packet, 0x201, counters);
                self.write(&packet, out);
            }
        }
    }
}
