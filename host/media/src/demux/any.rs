//! One demuxer for whatever a segment holds.

use super::choice::Choice;
use super::event::Event;
use super::mp4::Mp4;
use super::packed::Packed;
use super::ts::Ts;
use super::witness::Witness;

/// A demuxer of one of the containers.
#[derive(Debug)]
pub enum Demuxer {
    /// Demuxes an MPEG transport stream (ISO/IEC 13818-1).
    Ts(Box<Ts>),
    /// Demuxes fragmented MP4 (ISO/IEC 14496-12 section 8.8).
    Mp4(Box<Mp4>),
    /// Demuxes packed audio (RFC 8216 section 3.4).
    Packed(Box<Packed>),
}

/// Bytes at the start of a segment that tell its container.
pub const TELLING_BYTES: usize = 4 * 204;

impl Demuxer {
    /// By the first bytes of a segment or of an initialization section, [`TELLING_BYTES`] or all. `None`: it is none of the containers;
    /// ffmpeg may know it.
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

    /// Takes the next bytes, in pieces of any size. Take all events before the next piece, or they gather.
    pub fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::Ts(demuxer) => demuxer.feed(bytes),
            Self::Mp4(demuxer) => demuxer.feed(bytes),
            Self::Packed(demuxer) => demuxer.feed(bytes),
        }
    }

    /// A segment or an initialization section has ended.
    pub fn segment_end(&mut self) {
        match self {
            Self::Ts(demuxer) => demuxer.segment_end(),
            Self::Mp4(demuxer) => demuxer.segment_end(),
            Self::Packed(demuxer) => demuxer.segment_end(),
        }
    }

    /// What follows has other times (`EXT-X-DISCONTINUITY`): what is open ends, and the first picture must be a key frame.
    pub fn discontinuity(&mut self) {
        match self {
            Self::Ts(demuxer) => demuxer.discontinuity(),
            Self::Mp4(demuxer) => demuxer.discontinuity(),
            Self::Packed(demuxer) => demuxer.discontinuity(),
        }
    }

    /// What is open ends here and is handed out or counted: the stream has ended, or segments are missing. In that case bytes may
    /// follow, in the same time.
    pub fn end(&mut self) {
        match self {
            Self::Ts(demuxer) => demuxer.end(),
            Self::Mp4(demuxer) => demuxer.end(),
            Self::Packed(demuxer) => demuxer.end(),
        }
    }

    /// The next event, in the order of the stream.
    pub fn next_event(&mut self) -> Option<Event> {
        match self {
            Self::Ts(demuxer) => demuxer.next_event(),
            Self::Mp4(demuxer) => demuxer.next_event(),
            Self::Packed(demuxer) => demuxer.next_event(),
        }
    }

    /// All counts, as they are now.
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
