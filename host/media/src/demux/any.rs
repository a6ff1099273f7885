//! Selects the demuxer for the container of a segment and passes calls on to it.

use super::choice::Choice;
use super::event::Event;
use super::mp4::Mp4;
use super::numbering::Numbering;
use super::packed::Packed;
use super::ts::Ts;
use super::witness::Witness;

/// A demuxer of one of the containers.
#[derive(Debug, Clone)]
pub enum Demuxer {
    /// Demuxes an MPEG transport stream (ISO/IEC 13818-1).
    Ts(Box<Ts>),
    /// Demuxes fragmented MP4 (ISO/IEC 14496-12 section 8.8).
    Mp4(Box<Mp4>),
    /// Demuxes packed audio (RFC 8216 section 3.4).
    Packed(Box<Packed>),
}

/// Number of bytes at the start of a segment that suffice to recognise its container.
pub const TELLING_BYTES: usize = 4 * 204;

impl Demuxer {
    /// Chooses a demuxer by the start of a segment or of an initialization section. `start` holds [`TELLING_BYTES`]
    /// bytes, or all if there are fewer. `None` if it is none of these containers; ffmpeg may still read it.
    pub fn recognise(start: &[u8], choice: Choice) -> Option<Self> {
        const BOXES: [&[u8; 4]; 8] = [b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"prft", b"free"];
        let name = start.get(4..8);
        if BOXES.iter().any(|known| name == Some(&known[..])) {
            return Some(Self::Mp4(Box::new(Mp4::new(choice))));
        }
        // 0x47 three times at one distance, wherever that begins; or all that a short segment has room for.
        let marks = |at: usize, stride: usize| {
            let marks = start.iter().skip(at).step_by(stride).take(3);
            let short = at == 0 && start.len() >= 188;
            (marks.len() == 3 || short) && marks.into_iter().all(|byte| *byte == 0x47)
        };
        let is_sound = start.starts_with(b"ID3") || matches!(start, [0xff, second, ..] if second & 0xe0 == 0xe0);
        if !is_sound && [188, 192, 204].iter().any(|stride| (0..=start.len()).any(|at| marks(at, *stride))) {
            return Some(Self::Ts(Box::new(Ts::new(choice))));
        }
        (is_sound || start.starts_with(&[0x0b, 0x77])).then(|| Self::Packed(Box::default()))
    }

    /// Takes the next bytes, in a piece of any size. The caller takes all events before the next piece, or memory use
    /// grows.
    pub fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::Ts(demuxer) => demuxer.feed(bytes),
            Self::Mp4(demuxer) => demuxer.feed(bytes),
            Self::Packed(demuxer) => demuxer.feed(bytes),
        }
    }

    /// Ends a segment or an initialization section.
    pub fn segment_end(&mut self) {
        match self {
            Self::Ts(demuxer) => demuxer.segment_end(),
            Self::Mp4(demuxer) => demuxer.segment_end(),
            Self::Packed(demuxer) => demuxer.segment_end(),
        }
    }

    /// Ends all open units, because the next bytes have unrelated times (`EXT-X-DISCONTINUITY`). The next picture that
    /// is handed out is a key frame.
    pub fn discontinuity(&mut self) {
        match self {
            Self::Ts(demuxer) => demuxer.discontinuity(),
            Self::Mp4(demuxer) => demuxer.discontinuity(),
            Self::Packed(demuxer) => demuxer.discontinuity(),
        }
    }

    /// Ends all open units, which are handed out or counted as unused. Called at the end of the stream, or where
    /// segments are missing; after missing segments, bytes on the same clock may follow.
    pub fn end(&mut self) {
        match self {
            Self::Ts(demuxer) => demuxer.end(),
            Self::Mp4(demuxer) => demuxer.end(),
            Self::Packed(demuxer) => demuxer.end(),
        }
    }

    /// What the numbers of its streams are called.
    pub fn numbering(&self) -> Numbering {
        match self {
            Self::Ts(_) => Numbering::Pid,
            Self::Mp4(_) => Numbering::Track,
            Self::Packed(_) => Numbering::None,
        }
    }

    /// Removes and returns the oldest event; `None` if there is none.
    pub fn next_event(&mut self) -> Option<Event> {
        match self {
            Self::Ts(demuxer) => demuxer.next_event(),
            Self::Mp4(demuxer) => demuxer.next_event(),
            Self::Packed(demuxer) => demuxer.next_event(),
        }
    }

    /// Returns a copy of all counts up to now.
    pub fn witness(&mut self) -> Witness {
        match self {
            Self::Ts(demuxer) => demuxer.witness(),
            Self::Mp4(demuxer) => demuxer.witness(),
            Self::Packed(demuxer) => demuxer.witness(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_their_first_bytes() {
        let name = |start: &[u8]| match Demuxer::recognise(start, Choice::default()) {
            Some(Demuxer::Ts(_)) => "ts",
            Some(Demuxer::Mp4(_)) => "mp4",
            Some(Demuxer::Packed(_)) => "packed",
            None => "none",
        };
        let packets = |before: usize, stride: usize| {
            let mut bytes = vec![0x11; before];
            (0..4).for_each(|_| bytes.extend([&[0x47][..], &vec![0; stride - 1]].concat()));
            bytes
        };
        for (before, stride) in [(0, 188), (376, 188), (4, 192), (0, 204)] {
            assert_eq!(name(&packets(before, stride)), "ts", "{before} {stride}");
        }
        assert_eq!(name(&packets(0, 188)[..188]), "ts", "one packet is a stream");
        assert_eq!(name(b"\0\0\0\x18styp"), "mp4");
        assert_eq!(name(b"ID3\x04\0\0\0\0\0\x3f"), "packed");
        assert_eq!(name(&[0xff, 0xf1, 0x4c, 0x80]), "packed");
        assert_eq!(name(b"WEBVTT\n\n"), "none");
        assert_eq!(name(&b"<html> Great Gigs and GOPs. </html>".repeat(30)), "none");
        assert_eq!(name(b""), "none");
    }
}
