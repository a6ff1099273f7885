//! Settings: from `outboard.toml`, `OUTBOARD_SECTION__KEY` in the environment and the command line, in that order;
//! checked as a whole before any I/O, with every problem named at once.

use crate::stage::{ChildCompiler, Compiler, FailurePolicy};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::limits::{
    API_CONNECTIONS_MAX, API_CONNECTIONS_OF_PEER, BATCH_SECONDS_DEFAULT, BATCH_SECONDS_MAX, BATCH_SECONDS_MIN,
    FFMPEG_PROCESSES_MAX, FFMPEG_PROCESSES_MIN, HANG_SECONDS_DEFAULT, HANG_SECONDS_MAX, HANG_SECONDS_MIN,
    HEADER_HOSTS_MAX, HISTORY_BATCHES, HISTORY_BATCHES_DEFAULT, HISTORY_EVENTS, HISTORY_EVENTS_DEFAULT,
    LIVE_EDGE_SEGMENTS_MAX,
};
use crate::pipeline::HostLimits;
use crate::pipeline::air::target::Target;
use crate::pipeline::source::HeaderHost;
use crate::store::database::History;
use crate::store::files;

mod compiling;
mod destinations;
mod keys;
mod layers;
pub mod printable;

pub use compiling::compiling;
pub use destinations::{Destination, names as destination_names};
pub use keys::{Keys, nearest_of};
pub use layers::Layers;
pub use outboard_base::{Problem, Problems};

/// What a process is told besides its pipeline.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Where everything is kept (`storage.dir`).
    pub storage: PathBuf,
    /// The API (`server.…`).
    pub server: ServerConfig,
    /// Filter for logs (`log.level`), in tracing's directives.
    pub log_level: String,
    /// `text` or `json` (`log.format`).
    pub log_json: bool,
    /// ffmpeg processes of all pipelines at once (`limits.ffmpeg_processes`); `None`: by the machine's cores.
    pub ffmpeg_processes: Option<usize>,
    /// Bytes of the disk that stay free (`storage.min_free`); `None`: by its size.
    pub min_free: Option<u64>,
    /// What the database keeps of each stream (`storage.history_batches`, `storage.history_events`).
    pub history: History,
    /// How components are compiled that do not come with the host (`limits.compile_…`).
    pub compiler: ChildCompiler,
    /// Threads that have not run for so long end the process (`limits.hang_seconds`).
    pub hang: Duration,
}

impl HostConfig {
    /// Limits of what pipelines share.
    pub fn limits(&self) -> HostLimits {
        HostLimits {
            ffmpeg_processes: self.ffmpeg_processes,
            min_free: self.min_free,
            history: self.history,
            compiler: Compiler::Child(self.compiler.clone()),
        }
    }
}

/// How the API is served.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where it listens (`server.listen`).
    pub listen: String,
    /// A token is asked for even on loopback (`server.auth = "token"`).
    pub needs_token: bool,
    /// Pages of these origins may call it (`server.cors_origins`).
    pub cors_origins: Vec<String>,
    /// Names under which it may be called besides loopback's (`server.hosts`); any, where a token is asked for.
    pub hosts: Vec<String>,
    /// Cookies are for https only (`server.secure_cookies`): behind a proxy that speaks TLS.
    pub secure_cookies: bool,
    /// Connections of one address at a time (`server.connections_per_peer`).
    pub connections_per_peer: usize,
    /// Addresses that this does not hold for (`server.trusted_proxies`): many clients come through each.
    pub trusted_proxies: Vec<IpNet>,
    /// What a new pipeline gets that `POST /api/pipeline/start` names only a source for (`defaults.…`).
    pub defaults: Defaults,
}

/// Addresses for new pipelines where the REST call leaves them out.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The processor (`defaults.processor_url`); `None` where it is set to `none`: the original audio stays.
    pub processor_url: Option<String>,
    /// The destination without its last part, the stream id (`defaults.rtmp_base`).
    pub rtmp_base: String,
}

impl Defaults {
    /// The destination of a stream.
    pub fn destination(&self, stream_id: &str) -> String {
        format!("{}/{stream_id}", self.rtmp_base.trim_end_matches('/'))
    }
}

/// One pipeline, checked.
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// Names the stream in storage, fragments and logs.
    pub stream_id: String,
    /// Where the stream comes from.
    pub source: SourceConfig,
    /// Where the audio goes to and comes back from; `None`: the original stays.
    pub processor: Option<ProcessorConfig>,
    /// Where the stream goes on air.
    pub destinations: Vec<Destination>,
    /// Length of a batch.
    pub batch: Duration,
    /// When air starts.
    pub hold: Hold,
    /// Time in hand for slower replies; `None`: worked out from batch and segment length.
    pub cushion: Option<Duration>,
    /// Batches that are kept after they went on air.
    pub keep_batches: usize,
    /// Batches that went on air longer ago go; `None`: of any age.
    pub keep_age: Option<Duration>,
    /// The oldest batches that went on air go while all files are more; `None`: as many bytes as it takes.
    pub keep_bytes: Option<u64>,
    /// How many seconds of media go on air in a second: 1, or more to rehearse with a recording.
    pub speed: f64,
    /// The components that decide.
    pub stages: Stages,
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

impl WhenEnded {
    /// The word in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Stop => "stop",
        }
    }
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

impl CatchUp {
    /// The word in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Live => "live",
        }
    }
}

/// When air starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// When the first reply is in hand, plus the cushion.
    Auto,
    /// So long after the first batch is complete.
    After(Duration),
}

/// Settings of the source.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// The playlist.
    pub url: Url,
    /// Another one with the same content, for when the first goes stale.
    pub backup_url: Option<Url>,
    /// Highest variant up to this many bits a second.
    pub max_bandwidth: Option<u64>,
    /// The variant of this width and height.
    pub resolution: Option<(u32, u32)>,
    /// Segments before the end of a live playlist to start at; `None`: as the playlist says, else three target durations.
    pub live_edge: Option<u32>,
    /// Extra request headers.
    pub headers: Vec<(String, String)>,
    /// Hosts besides the source's own that they are sent to.
    pub header_hosts: Vec<String>,
    /// What to do when a live source ends; `None`: what is usual for the command.
    pub when_ended: Option<WhenEnded>,
    /// What becomes of media that has piled up (`source.catch_up`).
    pub catch_up: CatchUp,
}

/// Settings of the processor.
#[derive(Debug, Clone)]
pub struct ProcessorConfig {
    /// http, https, ws or wss.
    pub url: Url,
    /// Path of the Socket.IO endpoint; `None`: `/socket.io/`.
    pub path: Option<String>,
    /// Socket.IO namespace; `None`: the URL's path.
    pub namespace: Option<String>,
    /// Sent in Socket.IO's CONNECT.
    pub auth: Option<serde_json::Value>,
    /// Extra request headers.
    pub headers: Vec<(String, String)>,
    /// Fragments that may be under way at once.
    pub in_flight: usize,
}

/// Which components run, and with which settings.
#[derive(Debug, Clone, Default)]
pub struct Stages {
    /// By kind (`batching`, `framing`, `remux_planning`): a file instead of the bundled component.
    pub files: BTreeMap<&'static str, PathBuf>,
    /// By kind: settings as a JSON object.
    pub settings: BTreeMap<&'static str, serde_json::Value>,
    /// By kind: who goes on where it fails.
    pub on_failure: BTreeMap<&'static str, FailurePolicy>,
    /// By kind: the version before it.
    pub previous: BTreeMap<&'static str, PreviousStage>,
}

/// A version of a stage that was on air before.
#[derive(Debug, Clone)]
pub struct PreviousStage {
    /// Its file; `None`: the bundled component.
    pub file: Option<PathBuf>,
    /// Its settings as a JSON object.
    pub settings: Option<serde_json::Value>,
}

/// Kinds of stages, as they are named in settings.
pub const STAGE_KINDS: [&str; 3] = ["batching", "framing", "remux_planning"];

/// Batches that are kept unless set.
const KEEP_BATCHES: u64 = 5;
/// Fragments in flight unless set.
const IN_FLIGHT: u64 = 3;
/// The processor of a new pipeline that REST names none for.
const PROCESSOR_URL: &str = "http://localhost:5000";
/// Where a new pipeline goes on air that REST names no destination for: below this, under its stream id.
const RTMP_BASE: &str = "rtmp://localhost/live";
/// Where proxies may be that many clients come through, unless told otherwise: on this machine.
const TRUSTED_PROXIES: [&str; 2] = ["127.0.0.0/8", "::1"];
/// How a processor's address may begin.
const PROCESSOR_SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// Checks the settings of host and pipeline together. `needs_pipeline`: a source and a destination must be there.
pub fn check(layers: Layers, needs_pipeline: bool) -> Result<(HostConfig, Option<PipelineConfig>), Problems> {
    let (mut layers, known) = (layers, known());
    layers.refuse_strays(&known);
    let mut keys = layers.into_keys();
    let host = host(&mut keys);
    let pipeline =
        (needs_pipeline || keys.has_section("source") || keys.has_section("air")).then(|| pipeline(&mut keys));
    keys.finish(&known)?;
    Ok((host, pipeline.flatten()))
}

/// The path of every setting.
pub fn known() -> BTreeSet<String> {
    let mut keys = Layers::new().into_keys();
    host(&mut keys);
    pipeline(&mut keys);
    keys.asked()
}

fn host(keys: &mut Keys) -> HostConfig {
    let log_level = keys.text("log.level").unwrap_or_else(|| "info".into());
    if let Err(error) = EnvFilter::try_new(&log_level) {
        keys.problem("log.level", format!("{log_level:?} is not a level or filter: {error}"));
    }
    HostConfig {
        storage: PathBuf::from(keys.text("storage.dir").unwrap_or_else(|| "storage".into())),
        server: server(keys),
        log_level,
        log_json: keys.one_of("log.format", &["text", "json"]).as_deref() == Some("json"),
        min_free: keys.bytes("storage.min_free"),
        history: History {
            batches: keys.integer("storage.history_batches", HISTORY_BATCHES).unwrap_or(HISTORY_BATCHES_DEFAULT),
            events: keys.integer("storage.history_events", HISTORY_EVENTS).unwrap_or(HISTORY_EVENTS_DEFAULT),
        },
        compiler: compiling::compiler(keys),
        hang: Duration::from_secs(
            keys.integer("limits.hang_seconds", HANG_SECONDS_MIN..=HANG_SECONDS_MAX).unwrap_or(HANG_SECONDS_DEFAULT),
        ),
        ffmpeg_processes: keys
            .integer("limits.ffmpeg_processes", FFMPEG_PROCESSES_MIN as u64..=FFMPEG_PROCESSES_MAX as u64)
            .and_then(|count| usize::try_from(count).ok()),
    }
}

fn server(keys: &mut Keys) -> ServerConfig {
    let cors_origins = keys.list("server.cors_origins").unwrap_or_default();
    for (n, origin) in cors_origins.iter().enumerate() {
        let key = format!("server.cors_origins[{n}]");
        if let Some(url) = keys.parse_url(&key, origin, &["http", "https"])
            && url.origin().ascii_serialization() != *origin
        {
            keys.problem(&key, format!("{origin:?} is not an origin: scheme, host and port, without a path"));
        }
    }
    ServerConfig {
        listen: keys.text("server.listen").unwrap_or_else(|| "127.0.0.1:3000".into()),
        needs_token: keys.one_of("server.auth", &["auto", "token"]).as_deref() == Some("token"),
        cors_origins,
        hosts: keys.list("server.hosts").unwrap_or_default(),
        secure_cookies: keys.one_of("server.secure_cookies", &["true", "false"]).as_deref() == Some("true"),
        connections_per_peer: keys
            .integer("server.connections_per_peer", 1..=API_CONNECTIONS_MAX as u64)
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(API_CONNECTIONS_OF_PEER),
        trusted_proxies: trusted_proxies(keys),
        defaults: defaults(keys),
    }
}

fn trusted_proxies(keys: &mut Keys) -> Vec<IpNet> {
    let given = keys.list("server.trusted_proxies");
    let mut nets = Vec::new();
    for (n, text) in given.unwrap_or_else(|| TRUSTED_PROXIES.map(str::to_owned).into()).iter().enumerate() {
        // An address alone is a network of one.
        match text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(net) => nets.push(net),
            Err(_) => {
                let problem = format!("{text:?} is not an address or a network, such as 10.0.0.7 or 10.0.0.0/24");
                keys.problem(&format!("server.trusted_proxies[{n}]"), problem);
            }
        }
    }
    nets
}

fn defaults(keys: &mut Keys) -> Defaults {
    let processor_url = keys.text("defaults.processor_url").unwrap_or_else(|| PROCESSOR_URL.to_owned());
    let processor_url = (processor_url != "none").then_some(processor_url);
    if let Some(url) = &processor_url {
        keys.parse_url("defaults.processor_url", url, &PROCESSOR_SCHEMES);
    }
    let rtmp_base = keys.text("defaults.rtmp_base").unwrap_or_else(|| RTMP_BASE.to_owned());
    let defaults = Defaults { processor_url, rtmp_base };
    match Target::parse(&defaults.destination("live")) {
        Ok(Target::Rtmp(_)) => {}
        Ok(_) => keys.problem("defaults.rtmp_base", "must start with rtmp:// or rtmps://".into()),
        Err(error) => keys.problem("defaults.rtmp_base", error.to_string()),
    }
    defaults
}

fn pipeline(keys: &mut Keys) -> Option<PipelineConfig> {
    let stream_id = keys.text("pipeline.stream_id").unwrap_or_else(|| "live".into());
    if let Err(error) = files::check_name("stream id", &stream_id) {
        keys.problem("pipeline.stream_id", error.to_string());
    }
    let batch = keys
        .integer("pipeline.batch_seconds", BATCH_SECONDS_MIN.into()..=BATCH_SECONDS_MAX.into())
        .unwrap_or(BATCH_SECONDS_DEFAULT.into());
    let hold = hold(keys);
    let cushion = keys.seconds("pipeline.cushion_seconds", 0.0..=120.0);
    let keep_batches = keys.integer("pipeline.keep_batches", 0..=100_000).unwrap_or(KEEP_BATCHES);
    let keep_age = keys.integer("pipeline.keep_seconds", 1..=u64::from(u32::MAX)).map(Duration::from_secs);
    let keep_bytes = keys.bytes("pipeline.keep_bytes");
    let source = source(keys);
    let processor = processor(keys);
    let destinations = destinations::destinations(keys);
    let speed = keys.seconds("air.speed", 1.0..=50.0).map_or(1.0, |speed| speed.as_secs_f64());
    let stages = stages(keys);
    Some(PipelineConfig {
        stream_id,
        source: source?,
        processor,
        destinations,
        batch: Duration::from_secs(batch),
        hold,
        cushion,
        keep_batches: usize::try_from(keep_batches).unwrap_or(usize::MAX),
        keep_age,
        keep_bytes,
        speed,
        stages,
    })
}

fn hold(keys: &mut Keys) -> Hold {
    match keys.peek_text("pipeline.hold").as_deref() {
        None | Some("auto") => {
            keys.text("pipeline.hold");
            Hold::Auto
        }
        Some(_) => keys.seconds("pipeline.hold", 0.0..=600.0).map_or(Hold::Auto, Hold::After),
    }
}

fn source(keys: &mut Keys) -> Option<SourceConfig> {
    let url = keys.required_url("source.url", &["http", "https"]);
    let backup_url = keys.url("source.backup_url", &["http", "https"]);
    let max_bandwidth = keys.integer("source.max_bandwidth", 1..=u64::MAX);
    let resolution = keys.text("source.resolution").and_then(|text| {
        let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        if parsed.is_none() {
            keys.problem("source.resolution", format!("{text:?} is not width x height, such as 1920x1080"));
        }
        parsed
    });
    let live_edge = keys.integer("source.live_edge", 1..=LIVE_EDGE_SEGMENTS_MAX.into());
    let live_edge = live_edge.and_then(|segments| u32::try_from(segments).ok());
    let headers = keys.headers("source.headers");
    let header_hosts = keys.list("source.header_hosts").unwrap_or_default();
    if header_hosts.len() > HEADER_HOSTS_MAX {
        let count = header_hosts.len();
        keys.problem("source.header_hosts", format!("has {count} hosts; at most {HEADER_HOSTS_MAX} can be named"));
    }
    for problem in header_hosts.iter().filter_map(|host| HeaderHost::parse(host).err()) {
        keys.problem("source.header_hosts", problem);
    }
    let when_ended = keys.one_of("source.when_ended", &["wait", "stop"]).map(|word| match word.as_str() {
        "wait" => WhenEnded::Wait,
        _ => WhenEnded::Stop,
    });
    let catch_up = match keys.one_of("source.catch_up", &["all", "live"]).as_deref() {
        Some("live") => CatchUp::Live,
        _ => CatchUp::All,
    };
    Some(SourceConfig {
        url: url?,
        backup_url,
        max_bandwidth,
        resolution,
        live_edge,
        headers,
        header_hosts,
        when_ended,
        catch_up,
    })
}

fn processor(keys: &mut Keys) -> Option<ProcessorConfig> {
    let url = keys.url("processor.url", &PROCESSOR_SCHEMES);
    let path = keys.text("processor.path");
    let namespace = keys.text("processor.namespace");
    for (key, value) in [("processor.path", &path), ("processor.namespace", &namespace)] {
        if let Some(value) = value.as_deref().filter(|value| !value.starts_with('/')) {
            keys.problem(key, format!("{value:?} must start with '/'"));
        }
    }
    let auth = keys.printable_json("processor.auth");
    let headers = keys.headers("processor.headers");
    let in_flight = keys.integer("processor.in_flight", 1..=16).unwrap_or(IN_FLIGHT);
    let in_flight = usize::try_from(in_flight).unwrap_or(1);
    Some(ProcessorConfig { url: url?, path, namespace, auth, headers, in_flight })
}

fn stages(keys: &mut Keys) -> Stages {
    let mut stages = Stages::default();
    for kind in STAGE_KINDS {
        if let Some(path) = keys.text(&format!("stages.{kind}")) {
            stages.files.insert(kind, PathBuf::from(path));
        }
        let key = format!("stages.{kind}_settings");
        match keys.json(&key) {
            Some(settings) if settings.is_object() => {
                stages.settings.insert(kind, settings);
            }
            Some(_) => keys.problem(&key, "must be a table of settings".into()),
            None => {}
        }
    }
    stages
}

#[cfg(test)]
mod tests;
