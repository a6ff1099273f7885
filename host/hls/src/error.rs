//! Errors of the source. Texts name the thing, the value and what would be valid; URLs are redacted.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::limits::{PLAYLIST_ENTRIES_MAX, REDIRECTS_MAX};
use outboard_base::room::{self, NoRoom};
use outboard_net::Denied;

/// Why a source cannot start. Once it runs, faults are retried without end and reported as events.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The URL's scheme is not http or https.
    #[error("{url}: '{scheme}' URLs cannot be read; give an http:// or https:// URL")]
    Scheme {
        /// The URL, without credentials and query.
        url: String,
        /// Scheme of the given URL.
        scheme: String,
    },
    /// A configured header is not valid in HTTP.
    #[error("header '{name}' cannot be sent: names and values must be visible ASCII without line breaks")]
    Header {
        /// Name of the header; the value may be a secret.
        name: String,
    },
    /// A playlist could not be fetched.
    #[error("playlist {url}: {cause} (after {tries} tries); check the URL, its token and that the stream is on")]
    Unreachable {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// Number of requests made.
        tries: u32,
        /// The failure of the last request.
        #[source]
        cause: FetchError,
    },
    /// The network policy denies the playlist's address, or that of a redirect.
    #[error("playlist {url}: {cause}")]
    Denied {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// The rule of the policy that denies it.
        #[source]
        cause: Denied,
    },
    /// The response is not a usable playlist.
    #[error("playlist {url}: {cause}")]
    Playlist {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// What is wrong with it.
        #[source]
        cause: PlaylistError,
    },
    /// No variant matches the choice.
    #[error("playlist {url} has no variant for {wanted}; it offers {offered}")]
    NoVariant {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// The choice in words.
        wanted: String,
        /// Every variant in words.
        offered: String,
    },
    /// The variant's audio is in separate playlists, none of which has a usable URL.
    #[error("playlist {url} declares audio that cannot be used: {why}")]
    NoSound {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// What is wrong with each.
        why: String,
    },
    /// The variant's audio is in a separate playlist that cannot be used.
    #[error("the audio ({rendition}) has a playlist of its own, which cannot be used: {cause}")]
    Rendition {
        /// NAME and LANGUAGE of the rendition.
        rendition: String,
        /// What is wrong with its playlist.
        #[source]
        cause: Box<SourceError>,
    },
    /// The media is protected by DRM that only a licensed player can decrypt.
    #[error(
        "playlist {url}: segments are encrypted with {method} ({keyformat}); only AES-128 with plain keys can be read, so give a clear or AES-128 stream"
    )]
    Encrypted {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// The METHOD attribute of EXT-X-KEY.
        method: String,
        /// The KEYFORMAT attribute of EXT-X-KEY.
        keyformat: String,
    },
    /// The folder for segments cannot be used.
    #[error("directory {}: {cause}", path.display())]
    Directory {
        /// The folder for segments.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: io::Error,
    },
    /// The HTTP client could not be built.
    #[error("HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

/// Why a text is not a usable playlist.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PlaylistError {
    /// The first line is not `#EXTM3U`.
    #[error("not a playlist: expected #EXTM3U at the start, got {got}")]
    NotAPlaylist {
        /// A description of the content.
        got: String,
    },
    /// A master playlist where a media playlist was expected.
    #[error("a variant points to another master playlist; it must be a media playlist")]
    NestedMaster,
    /// A master playlist without a playable variant.
    #[error("a master playlist without a usable variant (EXT-X-STREAM-INF with a URI)")]
    NoVariants,
    /// A playlist with EXT-X-I-FRAMES-ONLY.
    #[error("an I-frame playlist has no continuous media; give the normal variant")]
    IFramesOnly,
    /// A URI cannot be resolved, or its scheme is not http or https.
    #[error("line {line}: '{what}' is not an http(s) address")]
    Uri {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// The scheme, or the text up to its query.
        what: String,
    },
    /// EXT-X-BYTERANGE without an offset requires an earlier range of the same resource (RFC 8216 section 4.3.2.2).
    #[error("line {line}: byte range '{value}' cannot be placed; expected <length>@<offset>")]
    ByteRange {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// The value of EXT-X-BYTERANGE.
        value: String,
    },
    /// An EXT-X-DEFINE tag cannot be used.
    #[error("line {line}: EXT-X-DEFINE: {why}")]
    Define {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// What is wrong; without the value, which may be a token.
        why: String,
    },
    /// A key in the playlist itself is invalid.
    #[error("line {line}: the key's data: URI {why}")]
    Key {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A reference to an undefined variable.
    #[error("line {line}: variable '{name}' is not defined: no EXT-X-DEFINE before this line gives it a value")]
    Undefined {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// Name of the variable.
        name: String,
    },
    /// The playlist has more segments than allowed.
    #[error("more than {PLAYLIST_ENTRIES_MAX} segments")]
    TooLong,
    /// Neither segments nor a target duration: not a media playlist.
    #[error("no EXT-X-TARGETDURATION and no segment: not a media playlist")]
    Empty,
}

/// Why one request failed.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The response has an error status.
    #[error("HTTP status {0}")]
    Status(u16),
    /// No response in time.
    #[error("no answer within {0:?}")]
    FirstByte(Duration),
    /// The body stopped arriving.
    #[error("no more of the body arrived for {0:?}")]
    Stalled(Duration),
    /// The body arrived too slowly.
    #[error("not complete within {0:?}")]
    Slow(Duration),
    /// Name resolution, connection or TLS failed, or the body was truncated.
    #[error("{0}")]
    Transport(String),
    /// Too many redirects, or a redirect that must not be followed.
    #[error("redirects: {0} (at most {REDIRECTS_MAX}, http and https only)")]
    Redirect(String),
    /// The network policy denies the address.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The scheme of the URL is not supported.
    #[error("'{0}' URLs cannot be read; only http and https can")]
    Scheme(String),
    /// The body is larger than allowed.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The response has no body.
    #[error("an empty body")]
    Empty,
    /// The body's length differs from the announced or requested one.
    #[error("got {got} bytes, expected {expected}")]
    Length {
        /// Announced by Content-Length or requested by Range.
        expected: u64,
        /// Number of bytes received.
        got: u64,
    },
    /// The response has another byte range than requested.
    #[error("asked for bytes {wanted}, got '{got}'")]
    Range {
        /// The requested range, `first-last`.
        wanted: String,
        /// Content-Range of the response.
        got: String,
    },
    /// The content is not what was expected.
    #[error("expected {expected}, got {got}")]
    Content {
        /// What would be valid.
        expected: &'static str,
        /// A description of the content.
        got: String,
    },
    /// Decryption failed: wrong key, or not encrypted as announced.
    #[error("decryption: {0}")]
    Decrypt(&'static str),
    /// The media is encrypted in a way that is not supported.
    #[error("encrypted with {method} ({keyformat})")]
    Protected {
        /// The METHOD attribute of EXT-X-KEY.
        method: String,
        /// The KEYFORMAT attribute of EXT-X-KEY.
        keyformat: String,
    },
    /// Something else that the segment needs could not be fetched.
    #[error("{what} {url}: {cause}")]
    Needed {
        /// What it is: its key, or its initialization section.
        what: &'static str,
        /// Its URL, without credentials and query.
        url: String,
        /// The failure of the last request.
        #[source]
        cause: Box<FetchError>,
    },
    /// The text is not a playlist.
    #[error("{0}")]
    Playlist(#[from] PlaylistError),
    /// The host's own disk failed or is full.
    #[error("disk: {0}")]
    Disk(#[from] io::Error),
    /// There is no room to store the segment.
    #[error("{0}")]
    NoRoom(NoRoom),
}

/// Whether a retry can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// With all attempts of the budget.
    Yes,
    /// A few times: the server answered with a refusal.
    Few,
    /// Another attempt would fail too.
    Never,
}

impl FetchError {
    /// Whether a retry can help.
    pub(super) fn again(&self) -> Again {
        match self {
            Self::Needed { cause, .. } => cause.again(),
            Self::Status(408 | 425 | 429) => Again::Yes,
            Self::Status(400..=499) => Again::Few,
            Self::Redirect(_) | Self::Content { .. } | Self::Decrypt(_) | Self::Playlist(_) => Again::Few,
            // The source has already waited for room.
            Self::Denied(_) | Self::Scheme(_) | Self::TooLarge { .. } | Self::Protected { .. } | Self::NoRoom(_) => {
                Again::Never
            }
            _ => Again::Yes,
        }
    }

    /// Whether our own disk is full.
    pub(super) fn is_disk_full(&self) -> bool {
        match self {
            Self::Needed { cause, .. } => cause.is_disk_full(),
            error => matches!(error, Self::Disk(cause) if room::is_full(cause)),
        }
    }

    /// Whether the server refused the request: the URL may have expired.
    pub(super) fn refused(&self) -> bool {
        match self {
            Self::Needed { cause, .. } => cause.refused(),
            error => matches!(error, Self::Status(400..=499)) && error.again() == Again::Few,
        }
    }

    /// Says that it is about something that a segment needs.
    pub(super) fn needed(self, what: &'static str, url: &Url) -> Self {
        Self::Needed { what, url: redacted(url), cause: Box::new(self) }
    }
}

/// A URL for logs and error texts.
pub(super) fn redacted(url: &Url) -> String {
    outboard_base::redact::url(url.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_segment_needs_is_named_and_judged_by_its_own_fault() {
        let url = Url::parse("http://u:SECRET@h/key?token=SECRET").unwrap();
        for status in [403, 404, 410, 429, 500] {
            let (bare, needed) = (FetchError::Status(status), FetchError::Status(status).needed("its key", &url));
            assert_eq!(needed.to_string(), format!("its key http://h/key?token=***: HTTP status {status}"));
            assert_eq!((bare.again(), bare.refused()), (needed.again(), needed.refused()), "{status}");
            assert_eq!(bare.may_pass(), needed.may_pass(), "{status}");
        }
        let full = || FetchError::Disk(std::fs::write("/dev/full", b"x").unwrap_err());
        assert!(full().is_disk_full() && full().needed("its key", &url).is_disk_full());
    }

    #[test]
    fn says_whether_again_can_help() {
        for (error, again) in [
            (FetchError::Status(404), Again::Few),
            (FetchError::Status(403), Again::Few),
            (FetchError::Status(429), Again::Yes),
            (FetchError::Status(503), Again::Yes),
            (FetchError::FirstByte(Duration::from_secs(1)), Again::Yes),
            (FetchError::Length { expected: 2, got: 1 }, Again::Yes),
            (FetchError::TooLarge { limit: 1 }, Again::Never),
        ] {
            assert_eq!(error.again(), again, "{error}");
        }
        assert!(FetchError::Status(410).refused());
        assert!(!FetchError::Status(429).refused() && !FetchError::Status(500).refused());
    }
}
