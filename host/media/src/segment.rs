//! The output of the source: segments on disk with their properties.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::SEGMENT_NAME_CHARS_MAX;

/// The container of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// MPEG-2 transport stream (`.ts`).
    MpegTs,
    /// Fragmented MP4 (CMAF); requires the initialization section.
    Fmp4,
    /// Packed audio: ADTS with an ID3 timestamp (RFC 8216 section 3.4).
    PackedAac,
}

/// Identifies a segment over reloads and restarts of the playlist; never by the sequence number alone.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Absolute URI without credentials and fragment.
    pub uri: String,
    /// First byte and length if the segment is a byte range.
    pub range: Option<(u64, u64)>,
    /// EXT-X-PROGRAM-DATE-TIME in microseconds since the Unix epoch.
    pub program_date_time_us: Option<i64>,
}

impl fmt::Debug for Identity {
    /// Without the query, which may contain a token: this text is logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.uri.split('?').next().unwrap_or_default();
        let mut shown = f.debug_struct("Identity");
        shown.field("uri", &uri).field("range", &self.range);
        shown.field("program_date_time_us", &self.program_date_time_us).finish()
    }
}

/// A cue at a segment's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cue {
    /// A break starts, with its planned length in microseconds.
    Out(Option<u64>),
    /// A break ends; programme follows.
    In,
    /// Any other cue, as the tag's text.
    Other(String),
}

/// A media file on disk: the segment itself, or a segment of a separate audio rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The complete file: downloaded, decrypted, with its final name.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// The container format of the file.
    pub container: Container,
    /// The initialization section (EXT-X-MAP) that it needs, on disk.
    pub init: Option<PathBuf>,
}

/// One segment, completely on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Index over the whole run, from 0; names the file `segment-<index>`.
    pub index: u64,
    /// Sequence number of the segment in its playlist.
    pub media_sequence: u64,
    /// EXTINF, or the media's own duration if EXTINF differs too much.
    pub duration: Duration,
    /// Timestamps or codecs may not continue those of the previous segment.
    pub discontinuity: bool,
    /// Whether it came from a live stream.
    #[serde(default)]
    pub live: bool,
    /// How the segment is recognised when it is listed again.
    pub identity: Identity,
    /// Cues at its start.
    pub cues: Vec<Cue>,
    /// Video and, unless `audio` has entries, audio.
    pub main: Part,
    /// Segments of a separate audio rendition that belong to this one, in order. Empty if the audio is in `main`. Each
    /// segment of the rendition appears exactly once in a run.
    pub audio: Vec<Part>,
}

impl Segment {
    /// Names the segment in messages: its index, and its file or byte range at the source, without query and folders:
    /// `segment 12 (live-12.ts)`.
    pub fn name(&self) -> String {
        let path = self.identity.uri.split(['?', '#']).next().unwrap_or_default();
        let file: String = path.rsplit('/').next().unwrap_or_default().chars().take(SEGMENT_NAME_CHARS_MAX).collect();
        let range = self
            .identity
            .range
            .map(|(first, length)| format!(", bytes {first} to {}", first.saturating_add(length.max(1)) - 1));
        match (file.is_empty(), range) {
            (true, _) => format!("segment {}", self.index),
            (false, range) => format!("segment {} ({file}{})", self.index, range.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_by_index_and_file_without_secrets() {
        let part = Part { path: PathBuf::new(), bytes: 1, container: Container::MpegTs, init: None };
        let named = |uri: &str, range| {
            let identity = Identity { uri: uri.to_owned(), range, program_date_time_us: None };
            let segment = Segment {
                index: 12,
                media_sequence: 3,
                duration: Duration::ZERO,
                discontinuity: false,
                live: true,
                identity,
                cues: Vec::new(),
                main: part.clone(),
                audio: Vec::new(),
            };
            segment.name()
        };
        assert_eq!(named("http://u:SECRET@h/SECRET/live-12.ts?token=SECRET", None), "segment 12 (live-12.ts)");
        assert_eq!(named("http://h/all.mp4", Some((1000, 500))), "segment 12 (all.mp4, bytes 1000 to 1499)");
        assert_eq!(named("http://h/", None), "segment 12");
        assert_eq!(named("", Some((u64::MAX, u64::MAX))), "segment 12");
        assert!(named(&format!("http://h/{}", "a".repeat(500)), None).len() < 100);
    }

    #[test]
    fn a_token_does_not_show_in_logs() {
        let identity = Identity { uri: "http://h/a.ts?token=secret".into(), range: None, program_date_time_us: None };
        let shown = format!("{identity:?}");
        assert!(shown.contains("http://h/a.ts") && !shown.contains("secret"), "{shown}");
    }
}
