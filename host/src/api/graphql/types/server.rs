//! The server itself.

use async_graphql::SimpleObject;

use crate::api::graphql::context::Result;
use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::Control;
use crate::control::access::Actor;
use crate::limits;
use crate::unix_time::now_ms;

/// The server, now.
#[derive(Debug, Clone, SimpleObject)]
pub struct Server {
    /// When these numbers were read.
    pub at: DateTime,
    /// Its version.
    pub version: String,
    /// The version of ffmpeg that it runs.
    pub ffmpeg_version: String,
    /// The version of wasmtime that it is built with.
    pub wasmtime_version: String,
    /// When it was started.
    pub started_at: DateTime,
    /// How long it has been running, in seconds.
    pub uptime_seconds: f64,
    /// Pipelines that the caller may see.
    pub pipelines: BigInt,
    /// Of them, those that run.
    pub pipelines_running: BigInt,
    /// Of them, those that are on air.
    pub pipelines_on_air: BigInt,
    /// Memory of its process, in bytes; null for callers of one tenant.
    pub rss_bytes: Option<BigInt>,
    /// Its child processes, such as ffmpeg; null for callers of one tenant.
    pub child_processes: Option<BigInt>,
    /// What the API and the pipelines are bounded by.
    pub limits: Vec<Limit>,
}

/// A bound.
#[derive(Debug, Clone, SimpleObject)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// How much.
    pub value: BigInt,
    /// Of what.
    pub unit: String,
}

// === from the core ===

/// What bounds callers, so that they can be told before they run into it. What can be set comes on top.
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
    ("logLinesKeptPerStream", limits::LOG_RING_RECORDS, "lines"),
];

/// The server now, as a caller may see it.
///
/// # Errors
/// The caller may not see pipelines.
pub fn now(control: &Control, actor: &Actor) -> Result<Server> {
    let pipelines = control.pipelines(actor, None)?;
    let running = pipelines.iter().filter(|entry| entry.desired_running()).count();
    let on_air = pipelines.iter().filter(|entry| entry.snapshot().on_air()).count();
    let (uptime, started_ms) = control.uptime();
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
    Ok(Server {
        at: DateTime(now_ms()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ffmpeg_version: control.host().ffmpeg().to_owned(),
        wasmtime_version: env!("WASMTIME_VERSION").to_owned(),
        started_at: DateTime(started_ms),
        uptime_seconds: uptime.as_secs_f64(),
        pipelines: pipelines.len().into(),
        pipelines_running: running.into(),
        pipelines_on_air: on_air.into(),
        rss_bytes: None,
        child_processes: None,
        limits: LIMITS.iter().copied().chain(set).map(limit).collect(),
    })
}
