//! One taken track of a transport stream: its PID, its counter, its open PES packet, and what gathers its packets.

use super::super::clock::{Clock, Times};
use super::super::es::Elementary;
use super::super::event::{Codec, Kind, Notice};
use super::super::out::Out;
use super::super::witness::Reason;
use super::header::{Continuity, Header, Step};
use super::pes::{Pes, Take};
use super::sync::PACKET;

/// PES packets after which what held for all of them is believed to hold for the next one.
const HABIT: u32 = 8;

/// A track whose packets are taken from a transport stream.
#[derive(Debug)]
pub struct Media {
    /// PID that carries the track now; a new PMT may change it.
    pub pid: u16,
    /// How it is coded.
    pub codec: Codec,
    kind: Kind,
    continuity: Continuity,
    pes: Pes,
    unit: Elementary,
    scrambled: bool,
    /// A segment has ended since the last packet.
    border: bool,
    /// The counter went on over a segment's border.
    ran_over: bool,
    /// The last packet's payload was shortened by stuffing.
    stuffed: bool,
    /// PES packets that ended with stuffing; `None`: one went on behind it.
    stuffed_ends: Option<u32>,
}

impl Media {
    /// `None`: the codec is not taken apart here.
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
        })
    }

    /// Takes a packet of its PID. False: it is a repetition.
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

    /// Learns where this sender puts stuffing.
    fn learn(&mut self, header: &Header<'_>, out: &mut Out) {
        if self.stuffed && self.pes.is_endless() {
            let ends = self.stuffed_ends.filter(|_| header.start);
            self.stuffed_ends = ends.map(|count| count.saturating_add(1));
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

    /// A segment has ended. A picture whose PES packet has no length, or the next one of which could continue it, is handed out if
    /// all PES packets so far say that it is complete: each began with a picture, and stuffing came at the end of each only.
    pub fn segment_end(&mut self, out: &mut Out) {
        self.border = true;
        let Elementary::Pictures(pictures) = &self.unit else { return };
        let aligned = pictures.aligned.is_some_and(|count| count >= HABIT);
        let stuffed = self.stuffed && self.stuffed_ends.is_some_and(|count| count >= HABIT);
        if aligned && (self.pes.is_past() || self.pes.is_endless() && stuffed) {
            let mut taker = Taker { unit: &mut self.unit, kind: self.kind, out };
            self.pes.close(&mut taker);
            self.unit.end(out);
        }
    }

    /// The track ends here, or what follows has nothing to do with it.
    pub fn end(&mut self, out: &mut Out) {
        let mut taker = Taker { unit: &mut self.unit, kind: self.kind, out };
        if self.pes.close(&mut taker) {
            self.unit.end(out);
        } else {
            self.unit.hole(Reason::Truncated, out);
        }
        self.continuity.reset();
        self.pes = Pes::default();
        (self.border, self.stuffed, self.scrambled) = (false, false, false);
    }

    /// As [`end`](Self::end), and its times and pictures begin anew.
    pub fn restart(&mut self, out: &mut Out) {
        self.end(out);
        self.unit.restart();
    }

    /// Writes what is held into the counts.
    pub fn count_open(&self, out: &mut Out) {
        self.unit.count_open(out);
    }
}

/// Counts what arrives before anything looks into it.
struct Taker<'a> {
    unit: &'a mut Elementary,
    kind: Kind,
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
