//! Demuxes packed audio (RFC 8216 section 3.4): consecutive frames, and an ID3 tag at the start of each segment with
//! the time of its first sample (a `PRIV` frame with 33 bits in ticks of 90 kHz). The first frame determines the codec:
//! AAC in ADTS, MPEG audio, AC-3 or E-AC-3.
//!
//! A frame may cross the border of a segment; the tag between its halves is removed.

use super::clock::{Clock, Times};
use super::es::frames::Frames;
use super::es::headers::{HEAD_MAX, Head, head};
use super::event::{Codec, Event, Notice, Stream, Streams, TrackKind};
use super::out::Out;
use super::witness::{Reason, Witness};
use crate::id3;

/// Length of a tag's header in bytes, and of its footer.
const TAG: usize = 10;
/// Largest tag in bytes that is read; a larger one, such as one with a picture, is skipped.
const TAG_BYTES_MAX: usize = 64 << 10;
const CODECS: [Codec; 4] = [Codec::Aac, Codec::Eac3, Codec::Ac3, Codec::MpegAudio];

/// A demuxer for one series of segments.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Bytes of a tag, or of the first frame's header.
    held: Vec<u8>,
    /// Number of bytes of a tag that have not arrived and are to be skipped.
    skip: usize,
    /// Whether a tag may begin at the next byte.
    start: bool,
    codec: Option<Codec>,
    frames: Option<Frames>,
    clock: Clock,
    /// The time of the next frame, from the last tag.
    times: Option<Times>,
    out: Out,
}

impl Default for Packed {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            skip: 0,
            start: true,
            codec: None,
            frames: None,
            clock: Clock::default(),
            times: None,
            out: Out::default(),
        }
    }
}

impl Packed {
    /// Makes a demuxer that expects the start of a segment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a demuxer for a file without a timestamp: its first frame has this time in ticks of 90 kHz.
    pub fn starting_at(time: i64) -> Self {
        Self { times: Some(Times { pts: time, dts: time }), ..Self::default() }
    }

    /// Takes the next bytes, in a piece of any size.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        self.out.witness.container.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let n = self.skip.min(bytes.len());
                bytes = bytes.get(n..).unwrap_or_default();
                self.skip -= n;
                self.out.witness.container.packets.bytes += n as u64;
            } else if self.start {
                let (now, later) = bytes.split_at(1);
                self.held.extend_from_slice(now);
                bytes = later;
                self.look_for_tag();
            } else {
                self.sound(bytes);
                break;
            }
        }
        self.out.witness.container.held = self.held.len() as u64;
    }

    /// Ends a segment; a tag may follow.
    pub fn segment_end(&mut self) {
        if self.start {
            self.no_tag();
        }
        (self.start, self.skip) = (true, 0);
        self.out.witness.container.held = self.held.len() as u64;
    }

    /// Ends the open frame and forgets the times, because the next bytes have unrelated times.
    pub fn discontinuity(&mut self) {
        self.end();
        self.clock.reset();
        self.times = None;
    }

    /// Ends the open frame, because the stream has ended or segments are missing.
    pub fn end(&mut self) {
        self.segment_end();
        if let Some(frames) = &mut self.frames {
            frames.hole(Reason::Truncated, &mut self.out);
        }
        let counts = &mut self.out.witness.container;
        counts.skipped += self.held.len() as u64;
        counts.held = 0;
        self.held.clear();
    }

    /// Removes and returns the oldest event; `None` if there is none.
    pub fn next_event(&mut self) -> Option<Event> {
        self.out.next()
    }

    /// Returns a copy of all counts up to now.
    pub fn witness(&mut self) -> Witness {
        if let Some(frames) = &self.frames {
            let (units, bytes) = frames.open();
            let open = &mut self.out.track(TrackKind::Audio).open;
            (open.units, open.bytes) = (units, bytes);
        }
        self.out.witness.clone()
    }

    fn look_for_tag(&mut self) {
        let is_tag = self.held.iter().zip(b"ID3").all(|(byte, wanted)| byte == wanted);
        if !is_tag {
            self.start = false;
            return self.no_tag();
        }
        let &[_, _, _, _, _, flags, a, b, c, d, ..] = &self.held[..] else { return };
        let body = [a, b, c, d].iter().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
        let whole = TAG + body + if flags & 0x10 == 0 { 0 } else { TAG };
        if whole > TAG_BYTES_MAX || self.held.len() >= whole {
            if let Some(bits) = id3::timestamp(&self.held) {
                self.times = Some(self.clock.times(bits, None));
            }
            self.out.witness.container.packets.bytes += self.held.len() as u64;
            self.skip = whole.saturating_sub(self.held.len());
            // Another one may follow.
            self.held.clear();
        }
    }

    /// Passes the held bytes on as audio, because they are no tag.
    fn no_tag(&mut self) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.sound(&held);
        }
    }

    fn sound(&mut self, bytes: &[u8]) {
        if self.frames.is_none() {
            self.held.extend_from_slice(bytes);
            let Some(codec) = self.recognise() else { return };
            self.codec = Some(codec);
            self.frames = Some(Frames::new(codec));
            let stream = Stream { number: 1, codec, language: None, encrypted: false, taken: true };
            self.out.tell(Event::Streams(Streams { streams: vec![stream], ..Streams::default() }));
            let held = std::mem::take(&mut self.held);
            return self.sound(&held);
        }
        let Some(frames) = &mut self.frames else { return };
        if let Some(times) = self.times.take() {
            frames.begin(Some(times));
            self.out.track(TrackKind::Audio).taken.units += 1;
        }
        self.out.track(TrackKind::Audio).taken.bytes += bytes.len() as u64;
        self.out.witness.container.packets.bytes += bytes.len() as u64;
        frames.bytes(bytes, &mut self.out);
    }

    /// Returns the codec of the first frame and skips bytes before it; `None` until more bytes arrive.
    fn recognise(&mut self) -> Option<Codec> {
        let mut skipped = 0;
        let found = loop {
            let rest = self.held.get(skipped..).unwrap_or_default();
            let heads = CODECS.map(|codec| (codec, head(codec, rest)));
            if let Some((_, Head::Frame(frame))) = heads.iter().find(|(_, head)| matches!(head, Head::Frame(_))) {
                break Some(frame.config.codec);
            }
            if rest.len() < HEAD_MAX && heads.iter().any(|(_, head)| *head == Head::More) {
                break None;
            }
            skipped += 1;
        };
        self.held.drain(..skipped);
        if skipped > 0 {
            self.out.witness.container.skipped += skipped as u64;
            self.out.notice(Notice::Skipped { bytes: skipped as u64 });
        }
        found
    }
}
