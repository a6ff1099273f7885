//! The HTTP API: one router for GraphQL, REST, metrics, previews and the web pages.
//!
//! In: requests. Out: what [`Control`] answers, translated. Who is calling is found out in [`auth`], what they may do is
//! decided by its services; handlers hold no rules of their own. Bodies, waits and connections are bounded here, see [`limits`].
//!
//! It uses `outboard-control` and the crates below it, and decides nothing.

use std::sync::Arc;

use axum::Router;
use tokio_util::sync::CancellationToken;

use outboard_config::{Defaults, ServerConfig};
use outboard_control::Control;

pub mod answer;
pub mod assets;
pub mod auth;
pub mod graphql;
pub mod layers;
pub mod limits;
mod metrics;
pub mod openmetrics;
pub mod peers;
pub mod preview;
mod preview_response;
pub mod rest;
mod retaining_body;
pub mod runtime;
pub mod server;
pub mod session;
mod stages;
mod stall_timeout;

use auth::CallerPolicy;

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The core that GraphQL, REST and the pages share.
    pub control: Control,
    /// Who may call without a token, and from which pages.
    pub caller_policy: Arc<CallerPolicy>,
    /// How the UI signs in.
    pub sessions: Arc<session::Sessions>,
    /// Which pipelines REST started last.
    pub latest: Arc<rest::Latest>,
    /// What a REST call leaves out of a new pipeline.
    pub defaults: Arc<Defaults>,
    /// Cancelled when the server is to end: streams end then, too.
    pub stop: CancellationToken,
    /// The last look at whether the host can work.
    checked: Arc<rest::Checked>,
    /// The GraphQL schema with its limits and slots.
    pub graphql: graphql::Endpoint,
    origins: Arc<[String]>,
}

// === impl Api ===

impl Api {
    /// `loopback`: only this machine can connect. `stop` ends all streams.
    pub fn new(control: Control, config: &ServerConfig, loopback: bool, stop: CancellationToken) -> Self {
        Self {
            graphql: graphql::Endpoint::new(control.clone(), stop.clone()),
            control,
            caller_policy: Arc::new(CallerPolicy::new(config, loopback)),
            sessions: Arc::new(session::Sessions::new(config.secure_cookies)),
            latest: Arc::default(),
            defaults: Arc::new(config.defaults.clone()),
            stop,
            checked: Arc::default(),
            origins: config.cors_origins.as_slice().into(),
        }
    }
}

/// Everything that the server answers.
pub fn router(api: Api) -> Router {
    let routes = rest::router(&api).merge(graphql::router()).merge(metrics::router());
    layers::around_all(routes, &api.origins).with_state(api)
}
