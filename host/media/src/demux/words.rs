//! What a demuxer found, in words: for a run's log and for a dry run.
//!
//! Each sentence names the PID or the track, what was found, and what would be right. The caller names the segment.

use std::fmt;

use super::choice::Choice;
use super::event::{Notice, Stream, Streams, TrackKind};
use super::numbering::Numbering;
use super::witness::{Count, Reason};
use crate::limits::DEMUX_UNIT_BYTES_MAX;

impl Numbering {
    /// Describes every stream, and why those are not used that are not.
    pub fn streams(self, streams: &[Stream], choice: &Choice) -> Vec<String> {
        let of_each = streams.iter().map(|stream| match choice.why_not(stream, streams, self) {
            None => self.stream(stream),
            Some(why) => format!("{}, not used: {why}", self.stream(stream)),
        });
        of_each.collect()
    }

    /// Says that media of a stream could not be used, and what would be right: `PID 256: 3 pictures are not used: cut off; …`.
    /// `number`: of the stream, if it is known.
    pub fn unused(self, kind: TrackKind, number: Option<u32>, reason: Reason, count: Count) -> String {
        let unit = match kind {
            TrackKind::Video => "picture",
            TrackKind::Audio => "audio frame",
        };
        let what = match count.units {
            0 => format!("{} bytes that are no whole {unit} are", count.bytes),
            1 => format!("1 {unit} is"),
            units => format!("{units} {unit}s are"),
        };
        let of = number.map_or_else(|| kind.to_string(), |number| self.name(number));
        format!("{of}: {what} not used: {}; {}", reason.text(), reason.right())
    }
}

impl Reason {
    /// Returns what would be right, as the second half of a sentence.
    pub fn right(self) -> String {
        match self {
            Self::Truncated => {
                "what a segment leaves open must go on in the next one, in the order of the playlist".to_owned()
            }
            Self::Lost => "the continuity counter of a PID must rise by 1 with each packet".to_owned(),
            Self::Scrambled => {
                "only media in the clear, or segments encrypted as a whole with AES-128, can be read".to_owned()
            }
            Self::Corrupt => "its bytes must follow the rules of its codec and container".to_owned(),
            Self::BeforeKey => "a segment should begin with a key frame".to_owned(),
            Self::NoTime => "the first picture and the first frame of a stream must have a time (PTS)".to_owned(),
            Self::TooLarge => format!("at most {DEMUX_UNIT_BYTES_MAX} bytes are read as one picture or frame"),
            Self::AfterEnd => "a picture must be whole in its segment, as those before it were".to_owned(),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped { bytes } => {
                write!(
                    f,
                    "{bytes} bytes belong to no packet and are passed over; packets must follow each other without a gap"
                )
            }
            Self::Lost { number, packets } => {
                write!(f, "PID {number}: packets are missing ({packets} modulo 16); {}", Reason::Lost.right())
            }
            Self::Moved { kind, from, to } => write!(f, "{kind} goes on in PID {to}, after PID {from}"),
            Self::Scrambled { number } => write!(f, "PID {number} is scrambled; {}", Reason::Scrambled.right()),
            Self::TableDamaged { number } => write!(
                f,
                "PID {number}: a table has a wrong checksum and is passed over; a PAT or PMT must end with its CRC-32"
            ),
            Self::BoxDamaged { name } => write!(
                f,
                "a box of MP4 is damaged and passed over: {:?}; its size and content must follow ISO/IEC 14496-12",
                String::from_utf8_lossy(name)
            ),
        }
    }
}

impl Streams {
    /// Says which programme is taken where there are several: `programme 1 of 1, 2`.
    pub fn programme(&self) -> Option<String> {
        let taken = self.program.filter(|_| self.programs.len() > 1)?;
        let all: Vec<String> = self.programs.iter().map(u16::to_string).collect();
        Some(format!("programme {taken} of {}", all.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Codec;
    use super::*;

    #[test]
    fn what_is_not_used_is_named_with_what_would_be_right() {
        let unused = |numbering: Numbering, number, units| {
            numbering.unused(TrackKind::Video, number, Reason::BeforeKey, Count { units, bytes: 7 })
        };
        let right = "before the first key frame; a segment should begin with a key frame";
        assert_eq!(unused(Numbering::Pid, Some(256), 3), format!("PID 256: 3 pictures are not used: {right}"));
        assert_eq!(unused(Numbering::Track, Some(1), 1), format!("track 1: 1 picture is not used: {right}"));
        assert_eq!(
            unused(Numbering::None, None, 0),
            format!("video: 7 bytes that are no whole picture are not used: {right}")
        );
        for reason in Reason::ALL {
            assert!(!reason.text().is_empty() && reason.right().len() > 20, "{reason:?}");
        }
    }

    #[test]
    fn each_fault_names_its_place_and_what_would_be_right() {
        for (notice, words) in [
            (Notice::Skipped { bytes: 40 }, ["40 bytes", "must follow each other"]),
            (
                Notice::Lost { number: 256, packets: 3 },
                ["PID 256: packets are missing (3 modulo 16)", "must rise by 1"],
            ),
            (Notice::Scrambled { number: 257 }, ["PID 257 is scrambled", "AES-128"]),
            (Notice::TableDamaged { number: 0 }, ["PID 0: a table", "CRC-32"]),
            (Notice::BoxDamaged { name: *b"moof" }, ["\"moof\"", "14496-12"]),
            (Notice::Moved { kind: TrackKind::Audio, from: 257, to: 300 }, ["PID 300", "PID 257"]),
        ] {
            let text = notice.to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }

    #[test]
    fn a_programme_is_told_where_there_are_several() {
        let of = |programs: &[u16]| Streams { program: Some(2), programs: programs.to_vec(), ..Streams::default() };
        assert_eq!(of(&[2]).programme(), None);
        assert_eq!(of(&[1, 2]).programme().as_deref(), Some("programme 2 of 1, 2"));
        assert_eq!(Streams::default().programme(), None);
    }

    #[test]
    fn each_stream_is_told_and_why_it_is_not_used() {
        let stream = |number, codec, taken| Stream { number, codec, language: None, encrypted: false, taken };
        let streams = [
            Stream { language: Some("eng".to_owned()), ..stream(256, Codec::Aac, true) },
            stream(257, Codec::Ac3, false),
            stream(258, Codec::Scte35, false),
        ];
        let words = Numbering::Pid.streams(&streams, &Choice::default());
        assert_eq!(words[0], "PID 256: aac (eng)");
        assert_eq!(words[1], "PID 257: ac3, not used: PID 256 has aac, which goes on air without being encoded");
        assert_eq!(words[2], "PID 258: scte_35, not used: it has neither pictures nor sound");
    }
}
