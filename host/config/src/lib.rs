//! Settings from `outboard.toml`, from `OUTBOARD_SECTION__KEY` in the environment and from the command line; later ones
//! override earlier ones. They are checked completely before any I/O, and all problems are reported at once.
//!
//! In: the layers. Out: a [`HostConfig`], and a [`Configured`] pipeline if there is one, or every [`Problem`]. It uses
//! `outboard-pipeline` and the crates below it, and does no I/O but to read the file. Limits: [`limits`].

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use crate::limits::{
    API_CONNECTIONS_MAX, API_CONNECTIONS_OF_PEER, HANG_SECONDS_DEFAULT, HANG_SECONDS_MAX, HANG_SECONDS_MIN,
};
use outboard_egress::target::Target;
use outboard_ffmpeg::limits::{FFMPEG_PROCESSES_MAX, FFMPEG_PROCESSES_MIN};
use outboard_pipeline::HostLimits;
use outboard_pipeline::settings::PROCESSOR_SCHEMES;
use outboard_stage::{ChildCompiler, Compiler};
use outboard_store::database::History;
use outboard_store::limits::{HISTORY_BATCHES, HISTORY_BATCHES_DEFAULT, HISTORY_EVENTS, HISTORY_EVENTS_DEFAULT};

mod compiling;
mod keys;
mod layers;
pub mod limits;
mod pipeline;
pub mod printable;

pub use compiling::compiling;
pub use keys::{Keys, nearest_of};
pub use layers::Layers;
pub use outboard_base::{Problem, Problems};
pub use pipeline::Configured;

/// The settings of a process, except those of its pipeline.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Folder of the database and the media files (`storage.dir`).
    pub storage: PathBuf,
    /// Settings of the API server (`server.…`).
    pub server: ServerConfig,
    /// Filter for logs (`log.level`), in tracing's syntax.
    pub log_level: String,
    /// True for `log.format = "json"`, false for `text`.
    pub log_json: bool,
    /// Maximum number of concurrent ffmpeg processes of all pipelines (`limits.ffmpeg_processes`); `None`: derived from
    /// the number of cores.
    pub ffmpeg_processes: Option<usize>,
    /// Free bytes to keep on the disk (`storage.min_free`); `None`: derived from the size of the disk.
    pub min_free: Option<u64>,
    /// What the database keeps per stream (`storage.history_batches`, `storage.history_events`).
    pub history: History,
    /// Limits for compiling components that are not bundled (`limits.compile_…`).
    pub compiler: ChildCompiler,
    /// The watchdog ends the process when threads have not run for this time (`limits.hang_seconds`).
    pub hang: Duration,
}

impl HostConfig {
    /// Limits of resources that pipelines share.
    pub fn limits(&self) -> HostLimits {
        HostLimits {
            ffmpeg_processes: self.ffmpeg_processes,
            min_free: self.min_free,
            history: self.history,
            compiler: Compiler::Child(self.compiler.clone()),
        }
    }
}

/// Settings of the API server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address to listen on (`server.listen`).
    pub listen: String,
    /// Whether a token is required even on loopback (`server.auth = "token"`).
    pub needs_token: bool,
    /// Origins whose pages may call the API (`server.cors_origins`).
    pub cors_origins: Vec<String>,
    /// Accepted host names besides those of loopback (`server.hosts`); any name is accepted if a token is required.
    pub hosts: Vec<String>,
    /// Whether cookies are for https only (`server.secure_cookies`), for use behind a proxy with TLS.
    pub secure_cookies: bool,
    /// Maximum number of connections per client address (`server.connections_per_peer`).
    pub connections_per_peer: usize,
    /// Addresses without that limit (`server.trusted_proxies`), because many clients connect through them.
    pub trusted_proxies: Vec<IpNet>,
    /// Defaults of `POST /api/pipeline/start` (`defaults.…`).
    pub defaults: Defaults,
}

/// Addresses for new pipelines whose REST request omits them.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The processor (`defaults.processor_url`); `None` if set to `none`: the original audio goes on air.
    pub processor_url: Option<String>,
    /// The destination without the stream id at its end (`defaults.rtmp_base`).
    pub rtmp_base: String,
}

impl Defaults {
    /// The destination of a stream.
    pub fn destination(&self, stream_id: &str) -> String {
        format!("{}/{stream_id}", self.rtmp_base.trim_end_matches('/'))
    }
}

/// Default processor of pipelines created over REST.
const PROCESSOR_URL: &str = "http://localhost:5000";
/// Default destination of pipelines created over REST; the stream id is appended.
const RTMP_BASE: &str = "rtmp://localhost/live";
/// Default addresses of proxies that many clients connect through: this machine.
const TRUSTED_PROXIES: [&str; 2] = ["127.0.0.0/8", "::1"];

/// Checks the settings of host and pipeline together. `needs_pipeline`: a source and a destination are required.
///
/// # Errors
/// Every problem, by the settings' keys.
pub fn check(layers: Layers, needs_pipeline: bool) -> Result<(HostConfig, Option<Configured>), Problems> {
    let (mut layers, known) = (layers, known());
    layers.refuse_strays(&known);
    let mut keys = layers.into_keys();
    let host = host(&mut keys);
    let pipeline =
        (needs_pipeline || keys.has_section("source") || keys.has_section("air")).then(|| pipeline::checked(&mut keys));
    keys.finish(&known)?;
    Ok((host, pipeline.flatten()))
}

/// The path of every setting.
pub fn known() -> BTreeSet<String> {
    let mut keys = Layers::new().into_keys();
    host(&mut keys);
    pipeline::read(&mut keys);
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
        // A single address is a network of one.
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

#[cfg(test)]
mod tests;
