//! Where the stream comes from: the settings, their change, their check, and what a change does on air.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Origin, Url};

use super::checks::Checks;
use super::effect::{ChangeEffect, Part};
use super::headers::{self, Header, HeaderPatch, Known};
use super::patch::{named, origin, set};
use super::shown::{shown_headers, shown_url};
use crate::limits::{HEADER_HOSTS_MAX, LIVE_EDGE, MAX_BANDWIDTH};
use crate::load::identity;
use outboard_base::Problem;
use outboard_hls::HeaderHost;

/// How the URL of a source may begin.
const SCHEMES: [&str; 2] = ["http", "https"];

/// The HLS source of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// URL of the HLS playlist, master or media. May hold credentials.
    pub url: String,
    /// Another one with the same content, for when the first goes stale.
    pub backup_url: Option<String>,
    /// Highest variant up to this many bits per second.
    pub max_bandwidth: Option<u64>,
    /// The variant of this size, such as `1280x720`.
    pub resolution: Option<String>,
    /// A live stream starts so many segments before the end of its playlist; `None`: as the playlist says, else three
    /// target durations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_edge: Option<u32>,
    /// Sent with every request to the source's own origins.
    pub headers: Vec<Header>,
    /// Further hosts that they are sent to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub header_hosts: Vec<String>,
    /// What to do when a live source ends; `None`: what is usual for the command, [`WhenEnded::Wait`] for a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_ended: Option<WhenEnded>,
    /// What becomes of media that has piled up; `None`: all of it goes on air.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
}

/// What it means when a live source ends and nobody ordered it: its playlist got ENDLIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenEnded {
    /// An outage: the source is looked at again until it is back.
    Wait,
    /// The end: what is buffered goes on air, then the pipeline ends.
    Stop,
}

/// What becomes of media that has piled up while the source, the network or this process was away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// All of it goes on air; the stream is behind its source by as much from then on.
    #[default]
    All,
    /// It is skipped and counted; the stream goes on at the live edge.
    Live,
}

/// A change of the source.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SourcePatch {
    /// New value of [`Source::url`].
    pub url: Option<String>,
    /// New value of [`Source::backup_url`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub backup_url: Option<Option<String>>,
    /// New value of [`Source::max_bandwidth`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub max_bandwidth: Option<Option<u64>>,
    /// New value of [`Source::resolution`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub resolution: Option<Option<String>>,
    /// New value of [`Source::live_edge`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub live_edge: Option<Option<u32>>,
    /// All headers from now on; those not in the list are removed.
    pub headers: Option<Vec<HeaderPatch>>,
    /// All hosts besides the source's own that they are sent to; `null`: none.
    #[serde(deserialize_with = "named")]
    pub header_hosts: Option<Option<Vec<String>>>,
    /// See [`Source`]; `null`: the default.
    #[serde(deserialize_with = "named")]
    pub when_ended: Option<Option<WhenEnded>>,
    /// See [`Source`]; `null`: the default.
    #[serde(deserialize_with = "named")]
    pub catch_up: Option<Option<CatchUp>>,
}

/// A checked [`Source`].
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// The playlist.
    pub url: Url,
    /// Another one with the same content, for when the first goes stale.
    pub backup_url: Option<Url>,
    /// Highest variant up to this many bits per second.
    pub max_bandwidth: Option<u64>,
    /// The variant of this width and height.
    pub resolution: Option<(u32, u32)>,
    /// Segments before the end of a live playlist to start at; `None`: as the playlist says, else three target durations.
    pub live_edge: Option<u32>,
    /// Extra request headers: name and value.
    pub headers: Vec<(String, String)>,
    /// Hosts besides the source's own that they are sent to.
    pub header_hosts: Vec<String>,
    /// What to do when a live source ends; `None`: what is usual for the command.
    pub when_ended: Option<WhenEnded>,
    /// What becomes of media that has piled up.
    pub catch_up: CatchUp,
}

// === impl Source ===

impl Source {
    /// Checks all of it; `None` where there is no source without its URL.
    pub(super) fn resolve(&self, checks: &mut Checks) -> Option<SourceConfig> {
        let Self { url, backup_url, max_bandwidth, resolution, live_edge, headers, header_hosts, when_ended, catch_up } =
            self;
        let url = checks.url("source.url", url, &SCHEMES);
        let path = checks.name("source.backupUrl", "source.backup_url");
        let backup_url = backup_url.as_deref().and_then(|text| checks.url(path, text, &SCHEMES));
        let path = checks.name("source.maxBandwidth", "source.max_bandwidth");
        let max_bandwidth = checks.whole(path, *max_bandwidth, &MAX_BANDWIDTH);
        let path = checks.name("source.liveEdge", "source.live_edge");
        let live_edge = checks.whole(path, live_edge.map(u64::from), &LIVE_EDGE);
        Some(SourceConfig {
            backup_url,
            max_bandwidth,
            resolution: resolution.as_deref().and_then(|text| resolve_resolution(text, checks)),
            live_edge: live_edge.and_then(|segments| u32::try_from(segments).ok()),
            headers: headers::resolve(headers, "source.headers", checks),
            header_hosts: resolve_hosts(header_hosts, checks),
            when_ended: *when_ended,
            catch_up: catch_up.unwrap_or_default(),
            url: url?,
        })
    }

    /// These settings with a change.
    pub(super) fn patch(&mut self, patch: SourcePatch, problems: &mut Vec<Problem>) {
        let before = self.origins();
        if let Some(url) = patch.url {
            self.url = url;
        }
        set(&mut self.backup_url, patch.backup_url);
        set(&mut self.max_bandwidth, patch.max_bandwidth);
        set(&mut self.resolution, patch.resolution);
        set(&mut self.live_edge, patch.live_edge);
        set(&mut self.when_ended, patch.when_ended);
        set(&mut self.catch_up, patch.catch_up);
        let hosts_before = self.header_hosts.clone();
        if let Some(hosts) = patch.header_hosts {
            self.header_hosts = hosts.unwrap_or_default();
        }
        let elsewhere = self.origins().iter().any(|origin| !before.contains(origin))
            || self.header_hosts.iter().any(|host| !hosts_before.contains(host));
        let known = Known { headers: &self.headers, elsewhere };
        self.headers = known.patched("source.headers", patch.headers, problems);
    }

    /// Every server that is sent the headers.
    fn origins(&self) -> Vec<Option<Origin>> {
        [Some(&self.url), self.backup_url.as_ref()].into_iter().flatten().map(|url| origin(url)).collect()
    }

    pub(super) fn effect(&self, new: &Self, effect: &mut ChangeEffect) {
        let Self { url, backup_url, max_bandwidth, resolution, live_edge, headers, header_hosts, when_ended, catch_up } =
            self;
        effect.restart("source.url", *url != new.url);
        effect.restart("source.backupUrl", *backup_url != new.backup_url);
        effect.restart("source.maxBandwidth", *max_bandwidth != new.max_bandwidth);
        effect.restart("source.resolution", *resolution != new.resolution);
        // Only a stream that begins looks at it.
        effect.live(Part::Beside, *live_edge != new.live_edge);
        effect.restart("source.headers", *headers != new.headers);
        effect.restart("source.headerHosts", *header_hosts != new.header_hosts);
        effect.restart("source.whenEnded", *when_ended != new.when_ended);
        effect.restart("source.catchUp", *catch_up != new.catch_up);
        let identity = |url: &str| Url::parse(url).ok().map(|url| identity(&url));
        effect.anew = identity(url) != identity(&new.url);
    }

    /// Without secrets.
    pub(super) fn shown(&self) -> Value {
        let Self { url, backup_url, max_bandwidth, resolution, live_edge, headers, header_hosts, when_ended, catch_up } =
            self;
        json!({
            "url": shown_url(url),
            "backupUrl": backup_url.as_deref().map(shown_url),
            "maxBandwidth": max_bandwidth,
            "resolution": resolution,
            "liveEdge": live_edge,
            "headers": shown_headers(headers),
            "headerHosts": header_hosts,
            "whenEnded": when_ended,
            "catchUp": catch_up,
        })
    }
}

fn resolve_resolution(text: &str, checks: &mut Checks) -> Option<(u32, u32)> {
    const PATH: &str = "source.resolution";
    let text = checks.text(PATH, text);
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    if parsed.is_none() {
        checks.wrong(PATH, format!("{text:?} is not width x height, such as 1920x1080"));
    }
    parsed
}

fn resolve_hosts(hosts: &[String], checks: &mut Checks) -> Vec<String> {
    let path = checks.name("source.headerHosts", "source.header_hosts");
    if hosts.len() > HEADER_HOSTS_MAX {
        checks.wrong(path, format!("has {} hosts; the limit is {HEADER_HOSTS_MAX}", hosts.len()));
    }
    let mut resolved = Vec::new();
    for (n, host) in hosts.iter().enumerate() {
        let host = checks.text(&format!("{path}[{n}]"), host);
        if let Err(problem) = HeaderHost::parse(&host) {
            checks.wrong(path, problem);
        }
        resolved.push(host);
    }
    resolved
}

impl WhenEnded {
    /// All, with the word in settings.
    pub const WORDS: [(&'static str, Self); 2] = [("wait", Self::Wait), ("stop", Self::Stop)];
}

impl CatchUp {
    /// All, with the word in settings.
    pub const WORDS: [(&'static str, Self); 2] = [("all", Self::All), ("live", Self::Live)];
}
