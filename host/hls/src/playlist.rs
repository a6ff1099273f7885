//! A media playlist as text becomes [`MediaPlaylist`]: every segment with all that applies to it, nothing left implicit.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::container::describe;
use super::crypt::BLOCK;
use super::error::{PlaylistError, redacted};
use super::reader::Reader;
use super::variables::Variables;
use outboard_base::redact::{plain, steers};
use outboard_media::segment::{Cue, Identity};

/// A media playlist, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaPlaylist {
    /// EXT-X-TARGETDURATION, else the longest EXTINF.
    pub(super) target: Duration,
    /// Number of the first entry.
    pub(super) media_sequence: u64,
    /// EXT-X-MEDIA-SEQUENCE is there.
    pub(super) numbered: bool,
    /// EXT-X-START in microseconds: from the start of the playlist, or where negative from its end.
    pub(super) start_us: Option<i64>,
    /// ENDLIST: no segment will be added.
    pub(super) ended: bool,
    /// In order; numbers rise by one.
    pub(super) entries: Vec<Entry>,
    /// What a person may want to mend.
    pub(super) warnings: Vec<String>,
}

/// One segment with all that applies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Number in the playlist.
    pub(super) sequence: u64,
    /// The segment's URL, absolute.
    pub(super) uri: Url,
    /// First byte and length.
    pub(super) range: Option<(u64, u64)>,
    /// EXTINF in microseconds; where it is 0, the target duration.
    pub(super) duration_us: i64,
    /// EXT-X-DISCONTINUITY stands before it.
    pub(super) discontinuity: bool,
    /// EXT-X-DISCONTINUITY-SEQUENCE that it belongs to.
    pub(super) discontinuity_sequence: u64,
    /// EXT-X-GAP.
    pub(super) gap: bool,
    /// EXT-X-PROGRAM-DATE-TIME of its own, in microseconds since the Unix epoch.
    pub(super) date_us: Option<i64>,
    /// The same, carried on from a neighbour by EXTINF where it has none (RFC 8216 section 6.3.3).
    pub(super) time_us: Option<i64>,
    /// How it is encrypted.
    pub(super) key: Option<Arc<Key>>,
    /// EXT-X-MAP.
    pub(super) map: Option<Arc<Map>>,
    /// Tags that mark its start.
    pub(super) cues: Vec<Cue>,
}

impl Entry {
    /// Who the segment is. The address carries no credentials and no fragment; its query stays, for some origins tell
    /// segments apart by nothing else.
    pub(super) fn identity(&self) -> Identity {
        Identity { uri: self.uri.as_str().to_owned(), range: self.range, program_date_time_us: self.time_us }
    }

    /// EXTINF.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_micros(self.duration_us.unsigned_abs())
    }
}

/// An EXT-X-KEY that applies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Whole segments in AES-128-CBC, the key as 16 plain bytes.
    Aes128 {
        /// Where the key is.
        source: KeySource,
        /// `None`: the media sequence number.
        iv: Option<[u8; BLOCK]>,
    },
    /// SAMPLE-AES and the key systems of DRM.
    Unsupported {
        /// METHOD.
        method: String,
        /// KEYFORMAT.
        keyformat: String,
    },
}

/// Where a key is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum KeySource {
    /// URL of the key, absolute.
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
    /// The section's URL, absolute.
    pub(super) uri: Url,
    /// First byte and length.
    pub(super) range: Option<(u64, u64)>,
    /// The key that was in force where the tag stands.
    pub(super) key: Option<Arc<Key>>,
}

/// Whether the text is a playlist at all, and a master playlist.
///
/// # Errors
/// [`PlaylistError::NotAPlaylist`] with what the content looks like instead.
pub(super) fn is_master(text: &str) -> Result<bool, PlaylistError> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with("#EXTM3U") {
        return Err(PlaylistError::NotAPlaylist { got: describe(text.as_bytes()) });
    }
    let of_master = |line: &str| line.starts_with("#EXT-X-STREAM-INF") || line.starts_with("#EXT-X-I-FRAME-STREAM-INF");
    Ok(text.lines().map(str::trim_start).any(of_master))
}

/// The text with nothing in its lines that would steer a terminal: warnings and errors quote them.
pub(super) fn showable(text: &str) -> Cow<'_, str> {
    if !text.lines().any(|line| line.trim().contains(steers)) {
        return text.into();
    }
    text.lines().map(|line| plain(line.trim())).collect::<Vec<_>>().join("\n").into()
}

/// Reads a media playlist; `base` is the address that it finally came from, `imports` are the variables of the master
/// playlist that led to it.
///
/// # Errors
/// See [`PlaylistError`]. Unknown tags and oddities that do no harm are passed over.
pub(super) fn parse_media(base: &Url, text: &str, imports: Option<&Variables>) -> Result<MediaPlaylist, PlaylistError> {
    if is_master(text)? {
        return Err(PlaylistError::NestedMaster);
    }
    let mut reader = Reader::new(base, imports);
    for (number, line) in showable(text.trim_start_matches('\u{feff}')).lines().enumerate() {
        reader.line(number + 1, line.trim())?;
    }
    reader.finish()
}

#[cfg(test)]
#[path = "playlist_test.rs"]
mod tests;
