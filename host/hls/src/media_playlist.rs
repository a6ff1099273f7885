//! A media playlist in normal form: every segment with all attributes that apply to it; nothing is left implicit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::crypt::BLOCK;
use super::error::redacted;
use outboard_media::segment::{Cue, Identity};

/// A media playlist in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaPlaylist {
    /// EXT-X-TARGETDURATION, else the longest EXTINF.
    pub(super) target: Duration,
    /// Number of the first entry.
    pub(super) media_sequence: u64,
    /// Whether EXT-X-MEDIA-SEQUENCE is present.
    pub(super) numbered: bool,
    /// EXT-X-START in microseconds: from the start of the playlist, or from its end if negative.
    pub(super) start_us: Option<i64>,
    /// Whether ENDLIST is present: no segment will be added.
    pub(super) ended: bool,
    /// Segments in order; numbers rise by one.
    pub(super) entries: Vec<Entry>,
    /// Warnings about the playlist for a person.
    pub(super) warnings: Vec<String>,
}

/// One segment with all attributes that apply to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Sequence number in the playlist.
    pub(super) sequence: u64,
    /// The segment's absolute URL.
    pub(super) uri: Url,
    /// First byte and length.
    pub(super) range: Option<(u64, u64)>,
    /// EXTINF in microseconds; the target duration if it is 0.
    pub(super) duration_us: i64,
    /// Whether EXT-X-DISCONTINUITY stands before it.
    pub(super) discontinuity: bool,
    /// EXT-X-DISCONTINUITY-SEQUENCE of the playlist plus the discontinuities up to this segment.
    pub(super) discontinuity_sequence: u64,
    /// Whether EXT-X-GAP marks it as missing.
    pub(super) gap: bool,
    /// Its own EXT-X-PROGRAM-DATE-TIME, in microseconds since the Unix epoch.
    pub(super) date_us: Option<i64>,
    /// Its time: the own date-time, else derived from a neighbour by EXTINF (RFC 8216 section 6.3.3).
    pub(super) time_us: Option<i64>,
    /// The key that decrypts it; `None`: it is not encrypted.
    pub(super) key: Option<Arc<Key>>,
    /// The initialization section of its EXT-X-MAP.
    pub(super) map: Option<Arc<Map>>,
    /// Cues at its start.
    pub(super) cues: Vec<Cue>,
}

impl Entry {
    /// The identity of the segment. The URL has no credentials and no fragment; its query stays, because some origins
    /// distinguish segments by the query alone.
    pub(super) fn identity(&self) -> Identity {
        Identity { uri: self.uri.as_str().to_owned(), range: self.range, program_date_time_us: self.time_us }
    }

    /// EXTINF as a duration.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_micros(self.duration_us.unsigned_abs())
    }
}

/// An EXT-X-KEY that applies to a segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Whole segments in AES-128-CBC, the key as 16 plain bytes.
    Aes128 {
        /// Where the key is.
        source: KeySource,
        /// The initialization vector; `None`: the media sequence number.
        iv: Option<[u8; BLOCK]>,
    },
    /// SAMPLE-AES and the key systems of DRM, which are not supported.
    Unsupported {
        /// The METHOD attribute of EXT-X-KEY.
        method: String,
        /// The KEYFORMAT attribute of EXT-X-KEY.
        keyformat: String,
    },
}

/// Where a key is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum KeySource {
    /// Absolute URL of the key.
    At(Url),
    /// In the playlist itself, as `data:` URI.
    Given([u8; BLOCK]),
}

impl fmt::Debug for KeySource {
    /// Shows everything but the key itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(url) => f.debug_tuple("At").field(&redacted(url)).finish(),
            Self::Given(_) => f.write_str("Given(***)"),
        }
    }
}

/// The initialization section of an EXT-X-MAP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Map {
    /// The section's absolute URL.
    pub(super) uri: Url,
    /// First byte and length.
    pub(super) range: Option<(u64, u64)>,
    /// The key in effect at the tag.
    pub(super) key: Option<Arc<Key>>,
}
