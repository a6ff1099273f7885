//! What the source hands on: segments on disk with their facts.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The container of a segment's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// MPEG-2 transport stream (`.ts`).
    MpegTs,
    /// Fragmented MP4 (CMAF); needs the initialization section.
    Fmp4,
    /// Packed audio: ADTS with an ID3 timestamp (RFC 8216 section 3.4).
    PackedAac,
}

/// Who a segment is, over reloads and restarts of the playlist: never the sequence number alone.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Absolute URI without credentials and fragment.
    pub uri: String,
    /// First byte and length where the segment is a byte range.
    pub range: Option<(u64, u64)>,
    /// EXT-X-PROGRAM-DATE-TIME in microseconds since the Unix epoch.
    pub program_date_time_us: Option<i64>,
}

impl fmt::Debug for Identity {
    /// Without the query, which may carry a token: this ends up in logs.
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
    /// The whole file: downloaded, decrypted, renamed to its final name.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// What is in it.
    pub container: Container,
    /// The initialization section (EXT-X-MAP) that it needs, on disk.
    pub init: Option<PathBuf>,
}

/// One segment, whole on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Our own count over the whole run, from 0; names the file `segment-<index>`.
    pub index: u64,
    /// Number of the segment in its playlist.
    pub media_sequence: u64,
    /// EXTINF; the media's own length where EXTINF is far from it.
    pub duration: Duration,
    /// Timestamps or codecs may not follow on from the segment before.
    pub discontinuity: bool,
    /// It came from a live stream, not from a recording.
    #[serde(default)]
    pub live: bool,
    /// How the segment is recognised when it is listed again.
    pub identity: Identity,
    /// Cues at its start.
    pub cues: Vec<Cue>,
    /// Picture and, unless `audio` is filled, sound.
    pub main: Part,
    /// Segments of a separate audio rendition that belong to this one, in order. Empty where the sound is in `main`.
    /// Over the run, each segment of the rendition appears exactly once.
    pub audio: Vec<Part>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_show_in_logs() {
        let identity = Identity { uri: "http://h/a.ts?token=secret".into(), range: None, program_date_time_us: None };
        let shown = format!("{identity:?}");
        assert!(shown.contains("http://h/a.ts") && !shown.contains("secret"), "{shown}");
    }
}
