//! Elementary streams: assembles access units and frames from the payloads of PES packets.

pub mod bits;
pub mod frames;
pub mod h264;
pub mod headers;
pub mod hevc;
pub mod pace;
pub mod pictures;
pub mod sps;
pub mod stamps;

use super::clock::Times;
use super::event::{Codec, TrackKind};
use super::out::Out;
use super::witness::Reason;
use frames::Frames;
use pictures::Pictures;

/// Assembles the packets of one track.
#[derive(Debug, Clone)]
pub enum Elementary {
    /// Gathers access units of H.264 or H.265 video.
    Pictures(Box<Pictures>),
    /// Gathers frames of AAC, MPEG audio, AC-3, E-AC-3 or Opus.
    Frames(Box<Frames>),
}

impl Elementary {
    /// Makes an assembler for a codec; `None` if the codec cannot be demuxed here.
    pub fn new(codec: Codec) -> Option<Self> {
        match codec {
            Codec::H264 => Some(Self::Pictures(Box::new(Pictures::h264()))),
            Codec::Hevc => Some(Self::Pictures(Box::new(Pictures::hevc()))),
            Codec::Aac | Codec::MpegAudio | Codec::Ac3 | Codec::Eac3 | Codec::Opus => {
                Some(Self::Frames(Box::new(Frames::new(codec))))
            }
            _ => None,
        }
    }

    /// Returns whether the track is video or audio.
    pub fn kind(&self) -> TrackKind {
        match self {
            Self::Pictures(_) => TrackKind::Video,
            Self::Frames(_) => TrackKind::Audio,
        }
    }

    /// Begins a PES packet with these times, if it has any.
    pub fn begin(&mut self, times: Option<Times>) {
        match self {
            Self::Pictures(pictures) => pictures.begin(times),
            Self::Frames(frames) => frames.begin(times),
        }
    }

    /// Takes the next bytes of the elementary stream and hands out the packets that they complete.
    pub fn bytes(&mut self, bytes: &[u8], out: &mut Out) {
        match self {
            Self::Pictures(pictures) => pictures.bytes(bytes, out),
            Self::Frames(frames) => frames.bytes(bytes, out),
        }
    }

    /// Discards the open unit, because bytes are missing or unusable for this reason.
    pub fn hole(&mut self, reason: Reason, out: &mut Out) {
        match self {
            Self::Pictures(pictures) => pictures.hole(reason, out),
            Self::Frames(frames) => frames.hole(reason, out),
        }
    }

    /// Ends the stream at the end of a PES packet. An open picture is complete and handed out; an open frame is
    /// discarded.
    pub fn end(&mut self, out: &mut Out) {
        match self {
            Self::Pictures(pictures) => pictures.flush(out),
            Self::Frames(frames) => frames.hole(Reason::Truncated, out),
        }
    }

    /// Prepares for an unrelated stream in the same track, which starts with a key frame.
    pub fn restart(&mut self) {
        if let Self::Pictures(pictures) = self {
            pictures.restart();
        }
    }

    /// Writes the units and bytes that are held into the counts of `out`.
    pub fn count_open(&self, out: &mut Out) {
        let (units, bytes) = match self {
            Self::Pictures(pictures) => pictures.open(),
            Self::Frames(frames) => frames.open(),
        };
        let open = &mut out.track(self.kind()).open;
        (open.units, open.bytes) = (units, bytes);
    }
}
