//! The type of the server's own status.

use async_graphql::SimpleObject;

use crate::graphql::context::Result;
use crate::graphql::scalars::{BigInt, DateTime};
use crate::limits;
use outboard_base::unix_time::now_ms;
use outboard_control::Control;
use outboard_control::access::Actor;
use outboard_control::samples::process::ProcessSample;

/// The current state of the server.
#[derive(Debug, Clone, SimpleObject)]
pub struct Server {
    /// Time of these values.
    pub at: DateTime,
    /// Version of Outboard that runs.
    pub version: String,
    /// Version of the ffmpeg that the server runs.
    pub ffmpeg_version: String,
    /// Version of the built-in wasmtime.
    pub wasmtime_version: String,
    /// Time at which the server was started.
    pub started_at: DateTime,
    /// Time since the start of the server, in seconds.
    pub uptime_seconds: f64,
    /// Number of pipelines visible to the caller.
    pub pipelines: BigInt,
    /// Number of these pipelines whose desired state is `RUNNING`.
    pub pipelines_running: BigInt,
    /// Number of these pipelines that are on air.
    pub pipelines_on_air: BigInt,
    /// Resident memory of the server process, in bytes. Null for callers of one tenant, and where the system does not tell it.
    pub rss_bytes: Option<BigInt>,
    /// Number of child processes, such as ffmpeg. Null for callers of one tenant, and where the system does not tell it.
    pub child_processes: Option<BigInt>,
    /// Limits of the API and of the pipelines.
    pub limits: Vec<Limit>,
}

/// A limit of the server.
#[derive(Debug, Clone, SimpleObject)]
pub struct Limit {
    /// Name of the limit.
    pub name: String,
    /// Value of the limit.
    pub value: BigInt,
    /// Unit of the value.
    pub unit: String,
}

// === from the core ===

/// The fixed limits of requests, so that clients can respect them. Configured limits apply in addition.
const LIMITS: &[(&str, usize, &str)] = &[
    ("graphqlBody", limits::GRAPHQL_BODY_BYTES_MAX, "bytes"),
    ("graphqlComplexity", limits::GRAPHQL_COMPLEXITY_MAX, "values"),
    ("graphqlDepth", limits::GRAPHQL_DEPTH_MAX, "fields"),
    ("graphqlRootFields", limits::GRAPHQL_ROOT_FIELDS_MAX, "fields"),
    ("graphqlAliases", limits::GRAPHQL_ALIASES_MAX, "aliases"),
    ("graphqlFields", limits::GRAPHQL_SELECTIONS_MAX, "fields"),
    ("graphqlPage", limits::GRAPHQL_PAGE_MAX, "edges"),
    ("graphqlRequestsAtOnce", limits::GRAPHQL_ANSWERS_MAX, "requests"),
    ("graphqlSubscriptions", limits::GRAPHQL_SUBSCRIPTIONS_MAX, "subscriptions"),
    ("graphqlConnections", limits::GRAPHQL_SOCKETS_MAX, "connections"),
    ("graphqlOperationsPerConnection", limits::GRAPHQL_SOCKET_OPERATIONS_MAX, "operations"),
    ("logLinesKeptPerStream", outboard_logs::limits::LOG_RING_RECORDS, "lines"),
];

/// The server now, as a caller may see it.
///
/// # Errors
/// The caller may not see pipelines.
pub fn now(control: &Control, actor: &Actor) -> Result<Server> {
    let pipelines = control.pipelines().list(actor, None)?;
    let running = pipelines.iter().filter(|entry| entry.desired_running()).count();
    let on_air = pipelines.iter().filter(|entry| entry.snapshot().on_air()).count();
    let (uptime, started_ms) = control.status().uptime();
    let limit = |(name, value, unit): (&str, usize, &str)| Limit {
        name: name.to_owned(),
        value: value.into(),
        unit: unit.to_owned(),
    };
    let history = control.host().database().history();
    let set = [
        ("batchesKeptInJournal", history.batches as usize, "batches"),
        ("eventsKeptPerStream", history.events as usize, "events"),
    ];
    // What the host uses as a whole is not a tenant's to know.
    let process = if actor.tenant.is_none() { ProcessSample::take() } else { ProcessSample::default() };
    Ok(Server {
        at: DateTime(now_ms()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ffmpeg_version: control.host().ffmpeg().to_owned(),
        wasmtime_version: outboard_stage::WASMTIME_VERSION.to_owned(),
        started_at: DateTime(started_ms),
        uptime_seconds: uptime.as_secs_f64(),
        pipelines: pipelines.len().into(),
        pipelines_running: running.into(),
        pipelines_on_air: on_air.into(),
        rss_bytes: process.resident_bytes.map(BigInt::from),
        child_processes: process.children.map(BigInt::from),
        limits: LIMITS.iter().copied().chain(set).map(limit).collect(),
    })
}
