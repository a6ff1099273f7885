//! The source: settings, change, check, and the effect of a change on air.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Origin, Url};

use super::change_effect::{ChangeEffect, Part};
use super::checks::Checks;
use super::headers::{self, Header, HeaderPatch, Known};
use super::hidden::{shown_headers, shown_url};
use super::patch_field::{named, origin, set};
use super::source_audio::SourceAudio;
use crate::limits::{HEADER_HOSTS_MAX, LIVE_EDGE, MAX_BANDWIDTH, PROGRAM};
use crate::load::identity;
use outboard_base::Problem;
use outboard_hls::HeaderHost;

/// The schemes of a source's URL.
const SCHEMES: [&str; 2] = ["http", "https"];

/// The HLS source of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// URL of the HLS playlist, master or media. May contain credentials.
    pub url: String,
    /// A second playlist with the same content, used while the first is stale.
    pub backup_url: Option<String>,
    /// Selects the highest variant up to this bitrate, in bits per second.
    pub max_bandwidth: Option<u64>,
    /// Selects the variant of this resolution, such as `1280x720`.
    pub resolution: Option<String>,
    /// Selects the audio, if the source has several.
    #[serde(skip_serializing_if = "SourceAudio::is_default")]
    pub audio: SourceAudio,
    /// Selects the programme of a transport stream by its program_number; `None`: the first one with video, else with audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<u32>,
    /// Number of segments before the end of the playlist at which a live stream starts; `None`: as in the playlist,
    /// else three target durations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_edge: Option<u32>,
    /// Additional headers of every request to the source's own origins.
    pub headers: Vec<Header>,
    /// Other hosts that also receive these headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub header_hosts: Vec<String>,
    /// What to do when a live source ends; `None`: the command's default, [`WhenEnded::Wait`] for a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_ended: Option<WhenEnded>,
    /// What to do with media that accumulated during an outage; `None`: send all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
}

/// What to do when a live source ends without a stop command: its playlist got ENDLIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenEnded {
    /// Treat it as an outage: poll the source until it is back.
    Wait,
    /// Send the buffered media, then end the pipeline.
    Stop,
}

/// What to do with media that accumulated while the source, the network or this process was unavailable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// Send all of it; the stream stays behind its source by the length of the outage.
    #[default]
    All,
    /// Skip and count it, and resume at the live edge.
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
    /// New value of [`Source::audio`] as a whole; `Some(None)`: nothing is selected.
    #[serde(deserialize_with = "named")]
    pub audio: Option<Option<SourceAudio>>,
    /// New value of [`Source::program`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub program: Option<Option<u32>>,
    /// New value of [`Source::live_edge`]; `Some(None)` removes it.
    #[serde(deserialize_with = "named")]
    pub live_edge: Option<Option<u32>>,
    /// The complete list of headers; those not in the list are removed.
    pub headers: Option<Vec<HeaderPatch>>,
    /// The complete list of other hosts that receive the headers; `null`: none.
    #[serde(deserialize_with = "named")]
    pub header_hosts: Option<Option<Vec<String>>>,
    /// New value of [`Source::when_ended`]; `Some(None)`: the default.
    #[serde(deserialize_with = "named")]
    pub when_ended: Option<Option<WhenEnded>>,
    /// New value of [`Source::catch_up`]; `Some(None)`: the default.
    #[serde(deserialize_with = "named")]
    pub catch_up: Option<Option<CatchUp>>,
}

/// A [`Source`] whose fields were checked, with its URLs parsed.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// URL of the playlist.
    pub url: Url,
    /// A second playlist with the same content, used while the first is stale.
    pub backup_url: Option<Url>,
    /// The highest variant up to this bitrate, in bits per second.
    pub max_bandwidth: Option<u64>,
    /// The variant of this width and height.
    pub resolution: Option<(u32, u32)>,
    /// Selects the audio, if the source has several.
    pub audio: SourceAudio,
    /// The programme of a transport stream, by its program_number.
    pub program: Option<u16>,
    /// Number of segments before the end of a live playlist to start at; `None`: as in the playlist, else three target
    /// durations.
    pub live_edge: Option<u32>,
    /// Additional request headers: name and value.
    pub headers: Vec<(String, String)>,
    /// Other hosts that also receive the headers.
    pub header_hosts: Vec<String>,
    /// What to do when a live source ends; `None`: the command's default.
    pub when_ended: Option<WhenEnded>,
    /// What to do with media that accumulated during an outage.
    pub catch_up: CatchUp,
}

// === impl Source ===

impl Source {
    /// Checks all fields; `None` if the URL is missing or invalid.
    pub(super) fn resolve(&self, checks: &mut Checks) -> Option<SourceConfig> {
        let Self {
            url,
            backup_url,
            max_bandwidth,
            resolution,
            audio,
            program,
            live_edge,
            headers,
            header_hosts,
            when_ended,
            catch_up,
        } = self;
        let url = checks.url("source.url", url, &SCHEMES);
        let path = checks.name("source.backupUrl", "source.backup_url");
        let backup_url = backup_url.as_deref().and_then(|text| checks.url(path, text, &SCHEMES));
        let path = checks.name("source.maxBandwidth", "source.max_bandwidth");
        let max_bandwidth = checks.whole(path, *max_bandwidth, &MAX_BANDWIDTH);
        let program = checks.whole("source.program", program.map(u64::from), &PROGRAM);
        let path = checks.name("source.liveEdge", "source.live_edge");
        let live_edge = checks.whole(path, live_edge.map(u64::from), &LIVE_EDGE);
        Some(SourceConfig {
            backup_url,
            max_bandwidth,
            resolution: resolution.as_deref().and_then(|text| resolve_resolution(text, checks)),
            audio: audio.resolve(checks),
            program: program.and_then(|number| u16::try_from(number).ok()),
            live_edge: live_edge.and_then(|segments| u32::try_from(segments).ok()),
            headers: headers::resolve(headers, "source.headers", checks),
            header_hosts: resolve_hosts(header_hosts, checks),
            when_ended: *when_ended,
            catch_up: catch_up.unwrap_or_default(),
            url: url?,
        })
    }

    /// Applies a change to these settings.
    pub(super) fn patch(&mut self, patch: SourcePatch, problems: &mut Vec<Problem>) {
        let before = self.origins();
        if let Some(url) = patch.url {
            self.url = url;
        }
        set(&mut self.backup_url, patch.backup_url);
        set(&mut self.max_bandwidth, patch.max_bandwidth);
        set(&mut self.resolution, patch.resolution);
        if let Some(audio) = patch.audio {
            self.audio = audio.unwrap_or_default();
        }
        set(&mut self.program, patch.program);
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

    /// Every server that receives the headers.
    fn origins(&self) -> Vec<Option<Origin>> {
        [Some(&self.url), self.backup_url.as_ref()].into_iter().flatten().map(|url| origin(url)).collect()
    }

    pub(super) fn effect(&self, new: &Self, effect: &mut ChangeEffect) {
        let Self {
            url,
            backup_url,
            max_bandwidth,
            resolution,
            audio,
            program,
            live_edge,
            headers,
            header_hosts,
            when_ended,
            catch_up,
        } = self;
        effect.restart("source.url", *url != new.url);
        effect.restart("source.backupUrl", *backup_url != new.backup_url);
        effect.restart("source.maxBandwidth", *max_bandwidth != new.max_bandwidth);
        effect.restart("source.resolution", *resolution != new.resolution);
        effect.restart("source.audio", *audio != new.audio);
        effect.restart("source.program", *program != new.program);
        // Only a starting stream uses it.
        effect.live(Part::Beside, *live_edge != new.live_edge);
        effect.restart("source.headers", *headers != new.headers);
        effect.restart("source.headerHosts", *header_hosts != new.header_hosts);
        effect.restart("source.whenEnded", *when_ended != new.when_ended);
        effect.restart("source.catchUp", *catch_up != new.catch_up);
        let identity = |url: &str| Url::parse(url).ok().map(|url| identity(&url));
        effect.anew = identity(url) != identity(&new.url);
    }

    /// The settings without secrets.
    pub(super) fn shown(&self) -> Value {
        let Self {
            url,
            backup_url,
            max_bandwidth,
            resolution,
            audio,
            program,
            live_edge,
            headers,
            header_hosts,
            when_ended,
            catch_up,
        } = self;
        json!({
            "url": shown_url(url),
            "backupUrl": backup_url.as_deref().map(shown_url),
            "maxBandwidth": max_bandwidth,
            "resolution": resolution,
            "audio": audio.shown(),
            "program": program,
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
    /// All values, with the word used in settings.
    pub const WORDS: [(&'static str, Self); 2] = [("wait", Self::Wait), ("stop", Self::Stop)];
}

impl CatchUp {
    /// All values, with the word used in settings.
    pub const WORDS: [(&'static str, Self); 2] = [("all", Self::All), ("live", Self::Live)];
}
