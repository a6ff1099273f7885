//! Assembles audio frames from an elementary stream as its bytes arrive: AAC in ADTS, MPEG audio, AC-3, E-AC-3, Opus.
//! Frames need not begin or end where PES packets do. Each byte of a frame is copied once.

use super::super::clock::Times;
use super::super::event::{AudioConfig, Codec, Config, Key, Notice, Packet, TICKS_PER_SECOND, Timing, TrackKind};
use super::super::out::Out;
use super::super::witness::Reason;
use super::headers::{Frame, HEAD_MAX, Head, head};
use super::stamps::Stamps;
use crate::adts;

/// A frame whose header was read.
#[derive(Debug, Clone)]
struct Body {
    frame: Frame,
    place: u64,
    /// Bytes of the frame that have arrived, header included.
    bytes: usize,
    data: Vec<u8>,
    /// The frame was found by searching; it is handed out only if another frame follows directly.
    doubtful: bool,
}

impl Body {
    fn is_whole(&self) -> bool {
        self.bytes == self.frame.length
    }

    /// Appends bytes to the frame; the caller passes no more than are missing.
    fn push(&mut self, bytes: &[u8]) {
        let header = self.frame.strip.saturating_sub(self.bytes);
        self.data.extend_from_slice(bytes.get(header..).unwrap_or_default());
        self.bytes += bytes.len();
    }
}

/// The frame that is being assembled, and the state from earlier frames. It holds two frames at most.
#[derive(Debug, Clone)]
pub struct Frames {
    codec: Codec,
    /// Bytes that may be the start of a frame's header.
    head: Vec<u8>,
    body: Option<Body>,
    /// The last bytes were no frame, so the next frame counts only if another frame follows it directly.
    searching: bool,
    /// Reason that is counted for bytes before the next frame.
    broken: Reason,
    /// Number of bytes skipped since the last frame.
    skipped: u64,
    stamps: Stamps,
    /// The next byte is the first of a PES packet.
    fresh: bool,
    /// The last time that was read, in ticks of 90 kHz; the sample rate; the number of samples since that time.
    anchor: Option<(i64, u32, u64)>,
    config: Option<AudioConfig>,
}

impl Frames {
    /// Makes an assembler for frames of this codec.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            head: Vec::with_capacity(HEAD_MAX),
            body: None,
            searching: true,
            broken: Reason::Truncated,
            skipped: 0,
            stamps: Stamps::default(),
            fresh: true,
            anchor: None,
            config: None,
        }
    }

    /// Begins a PES packet with these times, if it has any.
    pub fn begin(&mut self, times: Option<Times>) {
        self.stamps.begin(times);
        self.fresh = true;
    }

    /// Takes the next bytes of the elementary stream and hands out the frames that they complete.
    pub fn bytes(&mut self, mut bytes: &[u8], out: &mut Out) {
        while !bytes.is_empty() {
            if let Some(body) = self.body.as_mut().filter(|body| !body.is_whole()) {
                let (now, later) = bytes.split_at(bytes.len().min(body.frame.length - body.bytes));
                body.push(now);
                self.stamps.advance(now.len());
                bytes = later;
                if let Some(body) = self.body.take_if(|body| body.is_whole() && !body.doubtful) {
                    self.emit(body, out);
                }
            } else {
                let (now, later) = bytes.split_at(1);
                if self.head.is_empty() && std::mem::take(&mut self.fresh) && self.body.is_none() {
                    // A PES packet begins with a frame more often than not.
                    self.searching = false;
                }
                self.head.extend_from_slice(now);
                self.stamps.advance(1);
                bytes = later;
                self.look(out);
            }
        }
    }

    /// Checks whether the bytes in `head` are a frame's header, and skips bytes that are not.
    fn look(&mut self, out: &mut Out) {
        loop {
            match head(self.codec, &self.head) {
                Head::More => return,
                // Behind a short frame others may be in hand.
                Head::Frame(frame) => {
                    self.start(frame, out);
                    continue;
                }
                Head::Bad => {}
            }
            if let Some(body) = self.body.take() {
                // What looked like a frame was none: no other follows.
                out.track(TrackKind::Audio).begun += 1;
                out.drop(TrackKind::Audio, self.broken, 1, body.bytes);
                self.skipped += body.bytes as u64;
            }
            self.searching = true;
            out.drop(TrackKind::Audio, self.broken, 0, 1);
            self.skipped += 1;
            self.head.drain(..1);
            if self.head.is_empty() {
                return;
            }
        }
    }

    fn start(&mut self, frame: Frame, out: &mut Out) {
        if let Some(body) = self.body.take() {
            self.searching = false;
            self.emit(body, out);
        }
        if self.skipped > 0 && !self.searching {
            out.notice(Notice::Skipped { bytes: std::mem::take(&mut self.skipped) });
        }
        if !self.searching {
            self.broken = Reason::Corrupt;
        }
        let place = self.stamps.at() - self.head.len() as u64;
        let data = Vec::with_capacity(frame.length - frame.strip);
        let mut body = Body { frame, place, bytes: 0, data, doubtful: self.searching };
        let bytes = self.head.len().min(body.frame.length);
        body.push(self.head.get(..bytes).unwrap_or_default());
        self.head.drain(..bytes);
        match body.is_whole() && !body.doubtful {
            true => self.emit(body, out),
            false => self.body = Some(body),
        }
    }

    fn emit(&mut self, body: Body, out: &mut Out) {
        let Body { frame, place, data, .. } = body;
        let counts = out.track(TrackKind::Audio);
        counts.begun += 1;
        counts.framing += frame.strip as u64;
        let media = data.len();
        let read = self.stamps.take(place);
        if let Some(times) = read {
            self.anchor = Some((times.pts, frame.config.sample_rate, 0));
        }
        let time = self.anchor.map(|(time, rate, samples)| time + ticks(samples, rate));
        if let Some((time, rate, samples)) = &mut self.anchor {
            if *rate == frame.config.sample_rate {
                *samples += u64::from(frame.samples);
            } else {
                // The rate changes between two times that are read.
                (*time, *rate, *samples) =
                    (*time + ticks(*samples, *rate), frame.config.sample_rate, u64::from(frame.samples));
            }
        }
        if frame.config.codec == Codec::Aac && frame.samples != adts::SAMPLES {
            return out.drop(TrackKind::Audio, Reason::Corrupt, 1, media);
        }
        let Some(time) = time else { return out.drop(TrackKind::Audio, Reason::NoTime, 1, media) };
        if self.config.as_ref() != Some(&frame.config) {
            self.config = Some(frame.config.clone());
            out.config(Config::Audio(frame.config));
        }
        let timing = if read.is_some() { Timing::Read } else { Timing::Derived };
        let samples = frame.samples;
        out.packet(
            Packet { kind: TrackKind::Audio, dts: time, pts: time, timing, key: Key::Sync, samples, data },
            media,
        );
    }

    /// Discards an incomplete frame, because bytes are missing or no more follow. A complete frame is handed out.
    pub fn hole(&mut self, reason: Reason, out: &mut Out) {
        if let Some(body) = self.body.take() {
            if body.is_whole() {
                // Doubtful, and nothing more comes to say so.
                self.emit(body, out);
            } else {
                out.track(TrackKind::Audio).begun += 1;
                out.drop(TrackKind::Audio, reason, 1, body.bytes);
            }
        }
        out.drop(TrackKind::Audio, reason, 0, self.head.len());
        self.head.clear();
        (self.searching, self.broken) = (true, reason);
        self.stamps.reset();
        self.anchor = None;
    }

    /// Returns the units and bytes that are held. The units are 0: a frame is counted when it is handed out or
    /// discarded.
    pub fn open(&self) -> (u64, u64) {
        (0, (self.head.len() + self.body.as_ref().map_or(0, |body| body.bytes)) as u64)
    }
}

/// Converts a number of samples to ticks of 90 kHz, rounded to the nearest.
pub fn ticks(samples: u64, rate: u32) -> i64 {
    let rate = i128::from(rate.max(1));
    let ticks = (i128::from(samples) * i128::from(TICKS_PER_SECOND) * 2 + rate) / (rate * 2);
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "frames_test.rs"]
mod tests;
