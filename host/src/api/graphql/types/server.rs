//! The server itself.

use async_graphql::SimpleObject;

use crate::api::graphql::scalars::{BigInt, DateTime};

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
