//! What can go wrong at the source. Texts name the thing, the value and what would be right; URLs are redacted first.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::limits::{PLAYLIST_ENTRIES_MAX, REDIRECTS_MAX};
use outboard_base::room::{self, NoRoom};
use outboard_net::Denied;

/// Why a source cannot start. Once it runs, faults are retried for ever and told as events instead.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Only the two schemes that HLS is served over.
    #[error("{url}: '{scheme}' URLs cannot be read; give an http:// or https:// URL")]
    Scheme {
        /// The URL, without credentials and query.
        url: String,
        /// Scheme of the given URL.
        scheme: String,
    },
    /// A header of the configuration that HTTP does not allow.
    #[error("header '{name}' cannot be sent: names and values must be visible ASCII without line breaks")]
    Header {
        /// Its name; the value may be a secret.
        name: String,
    },
    /// A playlist could not be had.
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
    /// The network policy does not allow where the playlist is, or where it was redirected to.
    #[error("playlist {url}: {cause}")]
    Denied {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// The rule of the policy that denies it.
        #[source]
        cause: Denied,
    },
    /// What came is no playlist that can be followed.
    #[error("playlist {url}: {cause}")]
    Playlist {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// What is wrong with it.
        #[source]
        cause: PlaylistError,
    },
    /// No variant is what was asked for.
    #[error("playlist {url} has no variant for {wanted}; it offers {offered}")]
    NoVariant {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// The choice in words.
        wanted: String,
        /// Every variant in words.
        offered: String,
    },
    /// The variant's sound is in a playlist of its own, and none of those has an address that can be used.
    #[error("playlist {url} declares audio that cannot be used: {why}")]
    NoSound {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// What is wrong with each.
        why: String,
    },
    /// The variant's sound is in a playlist of its own, and that cannot be used.
    #[error("the audio ({rendition}) has a playlist of its own, which cannot be used: {cause}")]
    Rendition {
        /// NAME and LANGUAGE of the rendition.
        rendition: String,
        /// What is wrong with its playlist.
        #[source]
        cause: Box<SourceError>,
    },
    /// The media is protected in a way that only a licensed player can undo.
    #[error(
        "playlist {url}: segments are encrypted with {method} ({keyformat}); only AES-128 with plain keys can be read, so give a clear or AES-128 stream"
    )]
    Encrypted {
        /// The playlist's URL, without credentials and query.
        url: String,
        /// METHOD of EXT-X-KEY.
        method: String,
        /// KEYFORMAT of EXT-X-KEY.
        keyformat: String,
    },
    /// The place for the segments cannot be used.
    #[error("directory {}: {cause}", path.display())]
    Directory {
        /// Where segments should go.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The HTTP client could not be built.
    #[error("HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

/// Why a text is no usable playlist.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaylistError {
    /// The first line is not `#EXTM3U`.
    #[error("not a playlist: expected #EXTM3U at the start, got {got}")]
    NotAPlaylist {
        /// What the content looks like.
        got: String,
    },
    /// A master playlist where a media playlist was expected.
    #[error("a variant points to another master playlist; it must be a media playlist")]
    NestedMaster,
    /// A master playlist that lists nothing playable.
    #[error("a master playlist without a usable variant (EXT-X-STREAM-INF with a URI)")]
    NoVariants,
    /// A playlist with EXT-X-I-FRAMES-ONLY.
    #[error("an I-frame playlist has no continuous media; give the normal variant")]
    IFramesOnly,
    /// A URI that cannot be resolved, or not to http(s).
    #[error("line {line}: '{what}' is not an http(s) address")]
    Uri {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// The scheme, or the text up to its query.
        what: String,
    },
    /// EXT-X-BYTERANGE without an offset needs a range of the same resource before it (RFC 8216 section 4.3.2.2).
    #[error("line {line}: byte range '{value}' cannot be placed; expected <length>@<offset>")]
    ByteRange {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// The value of EXT-X-BYTERANGE.
        value: String,
    },
    /// EXT-X-DEFINE that cannot be used.
    #[error("line {line}: EXT-X-DEFINE: {why}")]
    Define {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// What is wrong; without the value, which may be a token.
        why: String,
    },
    /// A key in the playlist itself that is none.
    #[error("line {line}: the key's data: URI {why}")]
    Key {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A reference to a variable that nothing defines.
    #[error("line {line}: variable '{name}' is not defined: no EXT-X-DEFINE before this line gives it a value")]
    Undefined {
        /// Line of the playlist, counted from 1.
        line: usize,
        /// Name of the variable.
        name: String,
    },
    /// More segments than are held.
    #[error("more than {PLAYLIST_ENTRIES_MAX} segments")]
    TooLong,
    /// Neither segments nor a target duration: not a media playlist.
    #[error("no EXT-X-TARGETDURATION and no segment: not a media playlist")]
    Empty,
}

/// Why one request gave nothing usable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// An answer that is no success.
    #[error("HTTP status {0}")]
    Status(u16),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    FirstByte(Duration),
    /// The body stopped coming.
    #[error("no more of the body arrived for {0:?}")]
    Stalled(Duration),
    /// The body came too slowly.
    #[error("not complete within {0:?}")]
    Slow(Duration),
    /// Name lookup, connection, TLS, or a body cut short.
    #[error("{0}")]
    Transport(String),
    /// Too many redirects, or one to somewhere that must not be followed.
    #[error("redirects: {0} (at most {REDIRECTS_MAX}, http and https only)")]
    Redirect(String),
    /// The network policy denies the address.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The URL has this scheme, which is not supported.
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
    /// Other than announced or asked for.
    #[error("got {got} bytes, expected {expected}")]
    Length {
        /// Announced by Content-Length or asked for by Range.
        expected: u64,
        /// Number of bytes received.
        got: u64,
    },
    /// Another byte range than asked for.
    #[error("asked for bytes {wanted}, got '{got}'")]
    Range {
        /// The requested range, `first-last`.
        wanted: String,
        /// Content-Range of the response.
        got: String,
    },
    /// Bytes that are not what they should be.
    #[error("expected {expected}, got {got}")]
    Content {
        /// What would be right.
        expected: &'static str,
        /// What it looks like.
        got: String,
    },
    /// Wrong key, or not encrypted as announced.
    #[error("decryption: {0}")]
    Decrypt(&'static str),
    /// Protection that cannot be undone here.
    #[error("encrypted with {method} ({keyformat})")]
    Protected {
        /// METHOD of EXT-X-KEY.
        method: String,
        /// KEYFORMAT of EXT-X-KEY.
        keyformat: String,
    },
    /// A text that is no playlist.
    #[error("{0}")]
    Playlist(#[from] PlaylistError),
    /// The host's own disk failed or is full.
    #[error("disk: {0}")]
    Disk(#[from] io::Error),
    /// There is no room to keep it.
    #[error("{0}")]
    NoRoom(NoRoom),
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// With the whole budget of tries.
    Yes,
    /// A couple of times: the server answered and said no.
    Few,
    /// Another attempt would fail, too.
    Never,
}

impl FetchError {
    /// Whether asking again can help.
    pub(super) fn again(&self) -> Again {
        match self {
            Self::Status(408 | 425 | 429) => Again::Yes,
            Self::Status(400..=499) => Again::Few,
            Self::Redirect(_) | Self::Content { .. } | Self::Decrypt(_) | Self::Playlist(_) => Again::Few,
            // Room has been waited for.
            Self::Denied(_) | Self::Scheme(_) | Self::TooLarge { .. } | Self::Protected { .. } | Self::NoRoom(_) => {
                Again::Never
            }
            _ => Again::Yes,
        }
    }

    /// Our own disk is full.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Disk(error) if room::is_full(error))
    }

    /// The server itself said no: the address may have run out.
    pub(super) fn refused(&self) -> bool {
        matches!(self, Self::Status(400..=499)) && self.again() == Again::Few
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
