//! Reads one taken track of a transport stream: its continuity counter, its PES packets and its elementary stream.

use super::super::clock::{Clock, Times};
use super::super::es::Elementary;
use super::super::event::{Codec, Notice, TrackKind};
use super::super::out::Out;
use super::super::witness::Reason;
use super::header::{Continuity, Header, Step};
use super::pes::{Pes, Take};
use super::sync::PACKET;

/// Number of PES packets after which a habit of the sender is relied upon.
const HABIT: u32 = 8;
/// Number of borders of segments after which it is relied upon that none is inside a PES packet. Where segments are cut
/// anywhere, about one border in a hundred is at the start of one.
const BORDERS: u32 = 3;

/// A track whose packets are taken from a transport stream.
#[derive(Debug, Clone)]
pub struct Media {
    /// PID that carries the track now; a new PMT may change it.
    pub pid: u16,
    /// The codec of the track.
    pub codec: Codec,
    kind: TrackKind,
    continuity: Continuity,
    pes: Pes,
    unit: Elementary,
    scrambled: bool,
    /// Whether a segment has ended since the last packet.
    border: bool,
    /// Whether the continuity counter has continued over the border of a segment.
    ran_over: bool,
    /// Whether stuffing shortened the payload of the last packet.
    stuffed: bool,
    /// Number of PES packets that ended with stuffing; `None` once a PES packet continued after stuffing.
    stuffed_ends: Option<u32>,
    /// Whether a segment has ended since the last payload.
    at_border: bool,
    /// Number of borders of segments at which a PES packet began; `None` once one continued over a border.
    clean_borders: Option<u32>,
}

impl Media {
    /// Makes a track for this PID; `None` if the codec cannot be demuxed here.
    pub fn new(pid: u16, codec: Codec) -> Option<Self> {
        let unit = Elementary::new(codec)?;
        Some(Self {
            pid,
            codec,
            kind: unit.kind(),
            continuity: Continuity::default(),
            pes: Pes::default(),
            unit,
            scrambled: false,
            border: false,
            ran_over: false,
            stuffed: false,
            stuffed_ends: Some(0),
            at_border: false,
            clean_borders: Some(0),
        })
    }

    /// Takes a packet of the PID; returns false if it repeats the previous packet.
    pub fn packet(&mut self, packet: &[u8; PACKET], header: &Header<'_>, clock: &mut Clock, out: &mut Out) -> bool {
        let border = std::mem::take(&mut self.border);
        let step = self.continuity.step(packet, header);
        match step {
            Step::Repeated => {
                self.border = border;
                return false;
            }
            Step::Lost(packets) => self.lost(packets, border && header.start, out),
            Step::Next => self.ran_over |= border,
        }
        let Some(payload) = header.payload else { return true };
        if header.scrambled {
            self.scrambled(payload, out);
            return true;
        }
        self.scrambled = false;
        self.learn(header, out);
        let mut taker = Taker { unit: &mut self.unit, kind: self.kind, out };
        if header.start {
            taker.out.track(self.kind).taken.units += 1;
        }
        self.pes.feed(header.start, payload, clock, &mut taker);
        true
    }

    fn lost(&mut self, packets: u8, new_segment: bool, out: &mut Out) {
        // Some packagers begin each segment with new counters. Nothing is missing then.
        if new_segment && !self.ran_over {
            if !self.pes.is_past() && !self.pes.is_endless() && !self.pes.is_after_end() {
                self.hole(Reason::Truncated, out);
            }
            return;
        }
        out.notice(Notice::Lost { number: self.pid.into(), packets });
        self.hole(Reason::Lost, out);
    }

    fn scrambled(&mut self, payload: &[u8], out: &mut Out) {
        if !std::mem::replace(&mut self.scrambled, true) {
            out.notice(Notice::Scrambled { number: self.pid.into() });
            self.hole(Reason::Scrambled, out);
        }
        Taker { unit: &mut self.unit, kind: self.kind, out }.unusable(Reason::Scrambled, payload.len());
    }

    /// Learns whether this sender puts stuffing only at the end of PES packets, and borders only between them.
    fn learn(&mut self, header: &Header<'_>, out: &mut Out) {
        if self.stuffed && self.pes.is_endless() {
            let ends = self.stuffed_ends.filter(|_| header.start);
            self.stuffed_ends = ends.map(|count| count.saturating_add(1));
        }
        if std::mem::take(&mut self.at_border) {
            let borders = self.clean_borders.filter(|_| header.start);
            self.clean_borders = borders.map(|count| count.saturating_add(1));
        }
        if !header.start && self.pes.is_after_end() {
            // It was closed at the segment's end, and was not complete.
            self.stuffed_ends = None;
            out.track(self.kind).cut_short += 1;
            self.hole(Reason::Truncated, out);
        }
        self.stuffed = header.stuffed;
    }

    fn hole(&mut self, reason: Reason, out: &mut Out) {
        let mut taker = Taker { unit: &mut self.unit, kind: self.kind, out };
        self.pes.hole(reason, &mut taker);
        self.unit.hole(reason, out);
    }

    /// Ends a segment. The last picture is handed out if the sender's habits show that it is complete: each PES packet
    /// up to now began with a picture, and the last PES packet has its full length, or has no length and either ended with
    /// stuffing as all others did, or ended a segment where up to now each segment began with a PES packet (one in 184
    /// pictures fills its last packet and has no stuffing).
    pub fn segment_end(&mut self, out: &mut Out) {
        (self.border, self.at_border) = (true, true);
        let Elementary::Pictures(pictures) = &self.unit else { return };
        let aligned = pictures.aligned.is_some_and(|count| count >= HABIT);
        let stuffed = self.stuffed && self.stuffed_ends.is_some_and(|count| count >= HABIT);
        let clean = self.clean_borders.is_some_and(|count| count >= BORDERS);
        if aligned && (self.pes.is_past() || self.pes.is_endless() && (stuffed || clean)) {
            let mut taker = Taker { unit: &mut self.unit, kind: self.kind, out };
            self.pes.close(&mut taker);
            self.unit.end(out);
        }
    }

    /// Ends the track, because the stream ends or the next packets are unrelated.
    pub fn end(&mut self, out: &mut Out) {
        let mut taker = Taker { unit: &mut self.unit, kind: self.kind, out };
        if self.pes.close(&mut taker) {
            self.unit.end(out);
        } else {
            self.unit.hole(Reason::Truncated, out);
        }
        self.continuity.reset();
        self.pes = Pes::default();
        (self.border, self.at_border, self.stuffed, self.scrambled) = (false, false, false, false);
    }

    /// Ends the track like [`end`](Self::end), and starts again with new times and a key frame.
    pub fn restart(&mut self, out: &mut Out) {
        self.end(out);
        self.unit.restart();
    }

    /// Writes the units and bytes that are held into the counts of `out`.
    pub fn count_open(&self, out: &mut Out) {
        self.unit.count_open(out);
    }
}

/// Passes payloads to the elementary stream, and counts them first.
struct Taker<'a> {
    unit: &'a mut Elementary,
    kind: TrackKind,
    out: &'a mut Out,
}

impl Take for Taker<'_> {
    fn begin(&mut self, times: Option<Times>) {
        self.unit.begin(times);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.track(self.kind).taken.bytes += bytes.len() as u64;
        self.unit.bytes(bytes, self.out);
    }

    fn done(&mut self) {}

    fn unusable(&mut self, reason: Reason, bytes: usize) {
        self.out.track(self.kind).taken.bytes += bytes as u64;
        self.out.drop(self.kind, reason, 0, bytes);
    }

    fn padding(&mut self, bytes: usize) {
        let counts = self.out.track(self.kind);
        counts.taken.bytes += bytes as u64;
        counts.framing += bytes as u64;
    }
}
