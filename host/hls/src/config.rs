//! What a source is told: where from, which variant, where to, and its bounds.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::limits;
use outboard_base::room::Room;
use outboard_media::segment::{Identity, Segment};
use outboard_net::Guard;

/// One source of one pipeline. It holds secrets (URLs, headers), so it has no `Debug`.
#[derive(Clone)]
pub struct SourceConfig {
    /// Master or media playlist. A user name and password in it are sent to its own host only.
    pub url: Url,
    /// Another origin of the same programme, taken when this one is stale or cannot be reached.
    pub backup_url: Option<Url>,
    /// Sent to the origins (scheme, host, port) of the two URLs and to `header_hosts`, and to no other host that a playlist
    /// or a redirect names. `user-agent` goes everywhere and replaces the default `outboard/<version>`.
    pub headers: Vec<(String, String)>,
    /// Further hosts that the headers are sent to.
    pub header_hosts: Vec<HeaderHost>,
    /// Which variant of a master playlist.
    pub variant: VariantChoice,
    /// Which audio rendition, where the variant has separate ones.
    pub audio: AudioChoice,
    /// Where a live source starts: so many segments before the end of the playlist; `None`: where EXT-X-START says, else
    /// three target durations.
    pub live_edge: Option<u32>,
    /// Where segments go: `…/original_stream/<stream-id>/`. Made if it is not there.
    pub dir: PathBuf,
    /// Number of the first segment, where no earlier run is resumed: files of an earlier run keep theirs.
    pub first_index: u64,
    /// Timeouts, tries and queues.
    pub bounds: Bounds,
    /// What may be reached: every request and every redirect is held against it.
    pub guard: Guard,
    /// Whether there is room for more segments.
    pub room: Room,
    /// An end of a live source is an outage: it is looked at again until it is back ([`super::SourceEvent::Over`]).
    pub wait_when_ended: bool,
    /// Of a live playlist that is far ahead, what lies before the live edge is skipped.
    pub catch_up_live: bool,
}

impl SourceConfig {
    /// A source with every default.
    pub fn new(url: Url, dir: PathBuf) -> Self {
        Self {
            url,
            backup_url: None,
            headers: Vec::new(),
            header_hosts: Vec::new(),
            variant: VariantChoice::default(),
            audio: AudioChoice::default(),
            live_edge: None,
            dir,
            first_index: 0,
            bounds: Bounds::default(),
            guard: Guard::open(),
            room: Room::default(),
            wait_when_ended: false,
            catch_up_live: false,
        }
    }
}

/// A host besides the source's own that its headers are sent to, told apart by scheme, host and port as an origin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderHost {
    host: String,
    port: Option<u16>,
    /// http instead of https.
    plain: bool,
}

impl HeaderHost {
    /// Reads `host`, `host:port`, or an origin with its scheme; http only where it is written.
    ///
    /// # Errors
    /// What is wrong, to be said after the key's path.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a host; expected for example cdn.example.com, cdn.example.com:8443 or http://10.0.0.7:8080"
            )
        };
        let url = if text.contains("://") { text.parse() } else { format!("https://{text}").parse::<Url>() };
        let url = url.map_err(|_| wrong())?;
        let bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
        let bare = bare && url.query().is_none() && url.fragment().is_none();
        match url.host_str() {
            Some(host) if bare && matches!(url.scheme(), "http" | "https") && !host.contains('*') => {
                Ok(Self { host: host.to_owned(), port: url.port_or_known_default(), plain: url.scheme() == "http" })
            }
            _ => Err(wrong()),
        }
    }

    /// The headers may go to this address.
    pub(super) fn is(&self, url: &Url) -> bool {
        let scheme = if self.plain { "http" } else { "https" };
        url.scheme() == scheme && url.host_str() == Some(&self.host) && url.port_or_known_default() == self.port
    }
}

/// Which variant of a master playlist; the highest bandwidth among those that fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariantChoice {
    /// Bits per second (BANDWIDTH). Where every variant is above it, the lowest one is taken.
    pub max_bandwidth: Option<u64>,
    /// Width and height: exactly this, else the largest that fits inside.
    pub resolution: Option<(u32, u32)>,
    /// The variant's NAME attribute, or its URI as written.
    pub name: Option<String>,
}

/// Which audio rendition; the group's default where nothing is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioChoice {
    /// LANGUAGE, compared without case; `en` also finds `en-GB`.
    pub language: Option<String>,
    /// NAME of the rendition, compared exactly.
    pub name: Option<String>,
}

/// How long one kind of request may take and how often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// From the request to the first byte; also the longest pause between two reads of the body.
    pub first_byte: Duration,
    /// From the request to the last byte.
    pub whole: Duration,
    /// Requests in all.
    pub tries: u32,
}

/// The bounds of a source; the defaults are in [`crate::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Master and media playlists. `tries` counts before the start only.
    pub playlist: Budget,
    /// Segments and initialization sections.
    pub segment: Budget,
    /// Budget for fetching a decryption key.
    pub key: Budget,
    /// First step of every backoff.
    pub retry_step: Duration,
    /// Shortest time between two loads of a playlist.
    pub reload_min: Duration,
    /// Downloads under way at once.
    pub in_flight: usize,
    /// Live: segments on disk or under way that the receiver has not taken.
    pub ahead_live: usize,
    /// ENDLIST: the same.
    pub ahead_vod: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            playlist: Budget {
                first_byte: limits::PLAYLIST_FIRST_BYTE,
                whole: limits::PLAYLIST_WHOLE,
                tries: limits::PLAYLIST_TRIES,
            },
            segment: Budget {
                first_byte: limits::SEGMENT_FIRST_BYTE,
                whole: limits::SEGMENT_WHOLE,
                tries: limits::SEGMENT_TRIES,
            },
            key: Budget { first_byte: limits::KEY_FIRST_BYTE, whole: limits::KEY_WHOLE, tries: limits::KEY_TRIES },
            retry_step: limits::RETRY_STEP,
            reload_min: limits::RELOAD_MIN,
            in_flight: limits::DOWNLOADS_IN_FLIGHT,
            ahead_live: limits::SEGMENTS_AHEAD_LIVE,
            ahead_vod: limits::SEGMENTS_AHEAD_VOD,
        }
    }
}

/// Where an earlier run ended: the last segment that the caller made sure of.
///
/// Audio of a separate rendition needs no entry of its own: what belongs to a main segment follows from its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Index of the next segment to deliver.
    pub next_index: u64,
    /// The last delivered segment.
    pub identity: Identity,
    /// Its number in the playlist.
    pub media_sequence: u64,
    /// Duration by EXTINF in the playlist.
    pub duration: Duration,
    /// It came from a live stream: ENDLIST behind it is an end that nobody ordered.
    #[serde(default)]
    pub live: bool,
}

impl Resume {
    /// Goes on after this segment.
    pub fn after(segment: &Segment) -> Self {
        Self {
            next_index: segment.index + 1,
            identity: segment.identity.clone(),
            media_sequence: segment.media_sequence,
            duration: segment.duration,
            live: segment.live,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_headers_are_origins() {
        let is = |text: &str, url: &str| HeaderHost::parse(text).unwrap().is(&url.parse().unwrap());
        assert!(is("cdn.test", "https://CDN.test/x?y") && is("cdn.test:443", "https://cdn.test/"));
        assert!(is("http://[::1]:8080", "http://[::1]:8080/x") && is("cdn.test:8443", "https://cdn.test:8443/"));
        for (text, url) in [
            ("cdn.test", "http://cdn.test/"),
            ("cdn.test", "https://cdn.test:8443/"),
            ("cdn.test", "https://a.cdn.test/"),
            ("http://cdn.test", "https://cdn.test/"),
        ] {
            assert!(!is(text, url), "{text} {url}");
        }
        for wrong in ["", "a b", "*.test", "cdn.test/x", "u:p@cdn.test", "ftp://cdn.test", "cdn.test?x"] {
            assert!(HeaderHost::parse(wrong).unwrap_err().contains("is not a host"), "{wrong}");
        }
    }
}
