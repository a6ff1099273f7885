//! The configuration of a source: URL, variant, target folder and limits.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::limits;
use outboard_base::room::Room;
use outboard_media::segment::{Identity, Segment};
use outboard_net::Guard;

/// The source of one pipeline. Contains secrets (URLs, headers), so it does not implement `Debug`.
#[derive(Clone)]
pub struct SourceConfig {
    /// URL of a master or media playlist. User name and password in it are sent to its own host only.
    pub url: Url,
    /// Another origin of the same programme, used while this one is stale or unreachable.
    pub backup_url: Option<Url>,
    /// Headers for the origins (scheme, host, port) of the two URLs and for `header_hosts`; never for other hosts that
    /// a playlist or a redirect names. `user-agent` is sent to all hosts and replaces the default `outboard/<version>`.
    pub headers: Vec<(String, String)>,
    /// Other hosts that also receive the headers.
    pub header_hosts: Vec<HeaderHost>,
    /// Selects a variant of a master playlist.
    pub variant: VariantChoice,
    /// Selects an audio rendition, if the variant has separate ones.
    pub audio: AudioChoice,
    /// Number of segments before the end of the playlist at which a live source starts; `None`: as in EXT-X-START, else
    /// three target durations.
    pub live_edge: Option<u32>,
    /// Folder for segments: `…/original_stream/<stream-id>/`. Created if it is missing.
    pub dir: PathBuf,
    /// Number of the first segment, unless an earlier run is resumed, whose files keep their numbers.
    pub first_index: u64,
    /// Timeouts, attempts and queue lengths.
    pub bounds: Bounds,
    /// The network policy, which is applied to every request and every redirect.
    pub guard: Guard,
    /// Whether there is room for more segments.
    pub room: Room,
    /// Whether the end of a live source counts as an outage: it is polled until it is back
    /// ([`super::SourceEvent::Over`]).
    pub wait_when_ended: bool,
    /// Whether media before the live edge is skipped when a live playlist is far ahead.
    pub catch_up_live: bool,
}

impl SourceConfig {
    /// A source with all defaults.
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

/// A host, besides the source's own, that receives its headers; identified by scheme, host and port like an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderHost {
    host: String,
    port: Option<u16>,
    /// True for http, false for https.
    plain: bool,
}

impl HeaderHost {
    /// Parses `host`, `host:port`, or an origin with its scheme; http only if it is written.
    ///
    /// # Errors
    /// What is wrong, as a text to append to the setting's path.
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

    /// Whether the headers may be sent to this URL.
    pub(super) fn is(&self, url: &Url) -> bool {
        let scheme = if self.plain { "http" } else { "https" };
        url.scheme() == scheme && url.host_str() == Some(&self.host) && url.port_or_known_default() == self.port
    }
}

/// Selects a variant of a master playlist: the highest bandwidth among those that match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariantChoice {
    /// Maximum BANDWIDTH in bits per second. If every variant exceeds it, the lowest one is used.
    pub max_bandwidth: Option<u64>,
    /// Width and height: exactly this, else the largest that fits inside.
    pub resolution: Option<(u32, u32)>,
    /// The variant's NAME attribute, or its URI as written.
    pub name: Option<String>,
}

/// Selects an audio rendition; without a choice, the group's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioChoice {
    /// LANGUAGE, compared without case; `en` also matches `en-GB`.
    pub language: Option<String>,
    /// NAME of the rendition, compared exactly.
    pub name: Option<String>,
}

/// Time limits and number of attempts for one kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// From the request to the first byte; also the longest pause between two reads of the body.
    pub first_byte: Duration,
    /// From the request to the last byte.
    pub whole: Duration,
    /// Maximum number of requests.
    pub tries: u32,
}

/// The limits of a source; the defaults are in [`crate::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Master and media playlists. `tries` only limits attempts before the start.
    pub playlist: Budget,
    /// Segments and initialization sections.
    pub segment: Budget,
    /// Keys that decrypt segments.
    pub key: Budget,
    /// First delay of every backoff.
    pub retry_step: Duration,
    /// Minimum interval between two loads of a playlist.
    pub reload_min: Duration,
    /// Maximum number of concurrent downloads.
    pub in_flight: usize,
    /// Live: segments on disk or in progress that the receiver has not taken yet.
    pub ahead_live: usize,
    /// ENDLIST: segments on disk or in progress that the receiver has not taken yet.
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

/// Where an earlier run ended: the last segment that the caller recorded.
///
/// Audio of a separate rendition needs no entry: which of it belongs to a main segment follows from its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Index of the next segment to deliver.
    pub next_index: u64,
    /// The last delivered segment.
    pub identity: Identity,
    /// Its sequence number in the playlist.
    pub media_sequence: u64,
    /// Its EXTINF in the playlist.
    pub duration: Duration,
    /// Whether it came from a live stream: then ENDLIST after it is an unexpected end.
    #[serde(default)]
    pub live: bool,
}

impl Resume {
    /// Resumes after this segment.
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
