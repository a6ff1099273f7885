//! Assembles access units from an elementary stream of NAL units with start codes (ITU-T H.264 annex B, H.265 annex B),
//! as its bytes arrive. A length of four bytes replaces each start code; each byte of a NAL unit is copied once.

use super::super::clock::Times;
use super::super::event::{Config, Key, Packet, Timing, TrackKind, VideoConfig};
use super::super::out::Out;
use super::super::witness::Reason;
use super::h264::{self, H264, Picture};
use super::hevc::{self, Hevc};
use super::pace::Pace;
use super::stamps::Stamps;
use crate::limits::{DEMUX_KEY_WAIT_TICKS, DEMUX_UNIT_BYTES_MAX};

/// Number of bytes of the length before each NAL unit.
const LENGTH: usize = 4;
/// The parser for the codec, with its parameter sets.
#[derive(Debug, Clone)]
enum Format {
    H264(H264),
    Hevc(Hevc),
}

impl Format {
    /// Returns how many bytes of a NAL unit are needed to decide whether it begins an access unit.
    fn telling(&self) -> usize {
        match self {
            Self::H264(_) => 2,
            Self::Hevc(_) => 3,
        }
    }
}

/// The access unit that is being assembled, and the state from earlier ones.
#[derive(Debug, Clone)]
pub struct Pictures {
    format: Format,
    /// NAL units with their lengths, of which the last is incomplete. Without a NAL unit: the last unused bytes, in
    /// which a start code may begin.
    unit: Vec<u8>,
    /// Index in `unit` of the last NAL unit's length, and the place in the elementary stream where that NAL unit began.
    nal: Option<(usize, u64)>,
    nals: usize,
    /// More bytes are needed to decide whether the last NAL unit begins an access unit.
    undecided: bool,
    /// The start of the current access unit was seen.
    begun: bool,
    times: Option<Times>,
    picture: Picture,
    /// Reason that is counted for bytes before the next access unit.
    broken: Reason,
    stamps: Stamps,
    pace: Pace,
    /// No picture was handed out since the start or the last restart.
    waiting: bool,
    waits_since: Option<i64>,
    /// Number of PES packets up to now, if each began with an access unit; `None` if one did not.
    pub aligned: Option<u32>,
    pes_began_at: Option<u64>,
}

impl Pictures {
    /// Makes an assembler for H.264 that waits for a key frame.
    pub fn h264() -> Self {
        Self::new(Format::H264(H264::default()))
    }

    /// Makes an assembler for H.265 that waits for a key frame.
    pub fn hevc() -> Self {
        Self::new(Format::Hevc(Hevc::default()))
    }

    fn new(format: Format) -> Self {
        Self {
            format,
            unit: Vec::new(),
            nal: None,
            nals: 0,
            undecided: false,
            begun: false,
            times: None,
            picture: Picture::default(),
            broken: Reason::Truncated,
            stamps: Stamps::default(),
            pace: Pace::default(),
            waiting: true,
            waits_since: None,
            aligned: Some(0),
            pes_began_at: None,
        }
    }

    /// Begins a PES packet with these times, if it has any.
    pub fn begin(&mut self, times: Option<Times>) {
        self.stamps.begin(times);
        if self.pes_began_at.replace(self.stamps.at()).is_some() {
            // The one before began with no access unit.
            self.aligned = None;
        }
    }

    /// Takes the next bytes of the elementary stream and hands out the access units that they complete.
    pub fn bytes(&mut self, mut bytes: &[u8], out: &mut Out) {
        while !bytes.is_empty() {
            let before = self.nal.map_or(0, |(at, _)| at + LENGTH);
            let before = self.unit.get(before..).unwrap_or_default();
            let Some((zeros, at)) = start_code(before, bytes) else {
                self.append(bytes, out);
                return;
            };
            let (before, rest) = bytes.split_at(at);
            self.append(before, out);
            let (code, rest) = rest.split_at((3 - zeros).min(rest.len()));
            bytes = rest;
            // One zero byte more than the start code needs is the new NAL unit's (zero_byte, annex B.1.2), others were the last one's.
            let zero_byte = u64::from(self.end_nal(zeros, out) > zeros);
            self.stamps.advance(code.len());
            out.track(TrackKind::Video).framing += (code.len() + zeros) as u64;
            self.nal = Some((self.unit.len(), self.stamps.at() - 3 - zero_byte));
            self.unit.extend([0; LENGTH]);
            self.nals += 1;
            self.undecided = true;
        }
    }

    /// Appends bytes that contain no start code.
    fn append(&mut self, bytes: &[u8], out: &mut Out) {
        self.stamps.advance(bytes.len());
        self.unit.extend_from_slice(bytes);
        if let Some((at, _)) = self.nal {
            if self.undecided && self.unit.len() >= at + LENGTH + self.format.telling() {
                self.decide(out);
            }
            if self.unit.len() > DEMUX_UNIT_BYTES_MAX {
                self.discard(Reason::TooLarge, out);
            }
        }
        if self.nal.is_none() {
            // Two bytes may belong to a start code.
            let end = self.unit.len().saturating_sub(2);
            out.drop(TrackKind::Video, self.broken, 0, end);
            self.unit.drain(..end);
        }
    }

    /// Ends the last NAL unit, at whose end `zeros` zero bytes belong to the next start code. Returns the number of
    /// zero bytes that were removed.
    fn end_nal(&mut self, zeros: usize, out: &mut Out) -> usize {
        let trimmed = self.trim(zeros, out);
        if self.undecided {
            self.decide(out);
        }
        let Some((at, _)) = self.nal.take() else {
            out.drop(TrackKind::Video, self.broken, 0, self.unit.len());
            self.unit.clear();
            return trimmed;
        };
        let length = self.unit.len() - at - LENGTH;
        if length == 0 {
            self.unit.truncate(at);
            self.nals -= 1;
            return trimmed;
        }
        if let Some(place) = self.unit.get_mut(at..at + LENGTH) {
            place.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
        let nal = self.unit.get(at + LENGTH..).unwrap_or_default();
        match &mut self.format {
            Format::H264(state) => state.look(nal, &mut self.picture),
            Format::Hevc(state) => state.look(nal, &mut self.picture),
        }
        trimmed
    }

    /// Removes the zero bytes at the end of a NAL unit and returns their number. Counts them, except `code` of them
    /// that belong to the next start code.
    fn trim(&mut self, code: usize, out: &mut Out) -> usize {
        let start = self.nal.map_or(0, |(at, _)| at + LENGTH);
        let zeros = self.unit.get(start..).unwrap_or_default().iter().rev().take_while(|byte| **byte == 0).count();
        self.unit.truncate(self.unit.len() - zeros);
        out.track(TrackKind::Video).framing += zeros.saturating_sub(code) as u64;
        zeros
    }

    /// Decides whether the last NAL unit begins an access unit; if it does, hands out the previous one.
    fn decide(&mut self, out: &mut Out) {
        self.undecided = false;
        let Some((at, place)) = self.nal else { return };
        let nal = self.unit.get(at + LENGTH..).unwrap_or_default();
        let coded = self.picture.coded || !self.begun;
        let begins = match &self.format {
            Format::H264(_) => h264::begins_unit(nal, coded),
            Format::Hevc(_) => hevc::begins_unit(nal, coded),
        };
        if begins {
            let rest = self.unit.split_off(at);
            self.nals -= 1;
            self.emit(out);
            // As long as the last one, so that it seldom grows.
            self.unit = Vec::with_capacity(rest.len().max(self.pace.bytes / 2));
            self.unit.extend(rest);
            (self.nal, self.nals, self.begun) = (Some((0, place)), 1, true);
            self.times = self.stamps.take(place);
            out.track(TrackKind::Video).begun += 1;
            if let Some(began) = self.pes_began_at.take() {
                let first = place <= began;
                self.aligned = self.aligned.filter(|_| first).map(|count| count.saturating_add(1));
            }
        } else if !self.begun {
            out.drop(TrackKind::Video, self.broken, 0, self.unit.len() - at - LENGTH);
            self.unit.truncate(at);
            (self.nal, self.nals) = (None, 0);
        }
    }

    /// Discards the open access unit and all bytes up to the next one.
    pub fn discard(&mut self, reason: Reason, out: &mut Out) {
        let units = u64::from(self.begun);
        out.drop(TrackKind::Video, reason, units, self.media());
        self.clear();
        self.broken = reason;
    }

    /// Discards like [`discard`](Self::discard) and forgets the times of PES packets, because bytes are missing.
    pub fn hole(&mut self, reason: Reason, out: &mut Out) {
        self.discard(reason, out);
        self.stamps.reset();
        self.pes_began_at = None;
    }

    /// Hands out the open access unit as complete, because the stream ends or the next access unit is known to follow.
    pub fn flush(&mut self, out: &mut Out) {
        self.end_nal(0, out);
        if self.begun {
            self.broken = Reason::AfterEnd;
        }
        self.emit(out);
        self.clear();
    }

    /// Prepares for an unrelated stream, whose first picture that is handed out is a key frame.
    pub fn restart(&mut self) {
        (self.waiting, self.waits_since, self.broken) = (true, None, Reason::Truncated);
        self.pace.reset();
        self.stamps.reset();
        self.pes_began_at = None;
    }

    /// Returns the number of units (0 or 1) and of bytes that are held.
    pub fn open(&self) -> (u64, u64) {
        (u64::from(self.begun), self.media() as u64)
    }

    fn media(&self) -> usize {
        self.unit.len() - LENGTH * self.nals
    }

    fn clear(&mut self) {
        self.unit.clear();
        (self.nal, self.nals, self.undecided, self.begun) = (None, 0, false, false);
        (self.times, self.picture) = (None, Picture::default());
    }

    /// Hands out the assembled access unit, or counts why it cannot be used.
    fn emit(&mut self, out: &mut Out) {
        if !self.begun {
            out.drop(TrackKind::Video, self.broken, 0, self.media());
            return;
        }
        let media = self.media();
        let data = std::mem::take(&mut self.unit);
        let (picture, times) = (std::mem::take(&mut self.picture), self.times.take());
        (self.begun, self.nals) = (false, 0);
        let mut drop = |reason| out.drop(TrackKind::Video, reason, 1, media);
        if !picture.coded {
            return drop(Reason::Corrupt);
        }
        let (ready, ticks) = match &self.format {
            Format::H264(state) => (state.is_ready(), state.frame_ticks()),
            Format::Hevc(state) => (state.is_ready(), None),
        };
        let (times, timing) = match times {
            Some(times) => (Some(self.pace.read(times, &picture)), Timing::Read),
            None => (self.pace.next(&picture, ticks), Timing::Derived),
        };
        let Some(times) = times else { return drop(Reason::NoTime) };
        let key = self.key(&picture, times.dts);
        if !ready || self.waiting && !key.is_key() {
            return drop(Reason::BeforeKey);
        }
        self.waiting = false;
        self.pace.bytes = data.len();
        if let Some(config) = self.changed() {
            out.config(Config::Video(config));
        }
        let Times { pts, dts } = times;
        out.packet(Packet { kind: TrackKind::Video, dts, pts, timing, key, samples: 0, data }, media);
    }

    fn changed(&mut self) -> Option<VideoConfig> {
        match &mut self.format {
            Format::H264(state) => state.changed(),
            Format::Hevc(state) => state.changed(),
        }
    }

    fn key(&mut self, picture: &Picture, dts: i64) -> Key {
        if matches!(self.format, Format::Hevc(_)) {
            return hevc::key(picture);
        }
        picture.key().unwrap_or_else(|| {
            // Intra slices only, and the sender does not say that decoding may start there: only if nothing else comes.
            let since = *self.waits_since.get_or_insert(dts);
            let long = self.waiting && dts - since > DEMUX_KEY_WAIT_TICKS;
            if long { Key::Recovery(0) } else { Key::No }
        })
    }
}

/// Finds the next start code. Returns how many of its zeros are at the end of `before`, and the index in `bytes` at
/// which the rest begins.
fn start_code(before: &[u8], bytes: &[u8]) -> Option<(usize, usize)> {
    match (before, bytes) {
        ([.., 0, 0], [1, ..]) => return Some((2, 0)),
        ([.., 0], [0, 1, ..]) => return Some((1, 0)),
        _ => {}
    }
    let mut at = 2;
    while let Some(byte) = bytes.get(at) {
        match byte {
            0 => at += 1,
            1 if bytes.get(at - 2..at) == Some(&[0, 0]) => return Some((0, at - 2)),
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
#[path = "pictures_test.rs"]
mod tests;
