//! `outboard serve`: bare for now. Status page, health, and the pipeline of the configuration; the control plane follows.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use axum::response::Json;
use axum::{Router, routing::get};
use clap::Args;
use serde_json::json;

use super::{Ending, Progress, run};
use crate::api::assets;
use crate::config::{self, Layers};
use crate::telemetry;

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Settings from a TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Serves until a signal; runs the configured pipeline, if there is one, until then.
pub async fn run(_args: &ServeArgs, layers: Layers) -> anyhow::Result<Ending> {
    let (host, pipeline) = match config::check(layers, false) {
        Ok(checked) => checked,
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    let progress = Progress::new();
    telemetry::start(&host.log_level, host.log_json, progress.bars());
    let listener = tokio::net::TcpListener::bind(&host.server.listen)
        .await
        .with_context(|| format!("cannot listen on {} (server.listen)", host.server.listen))?;
    anyhow::ensure!(
        listener.local_addr()?.ip().is_loopback(),
        "server.listen: {} is not a loopback address; without sign-in, which comes with the control plane, \
         outboard serves this machine only",
        host.server.listen
    );
    tracing::info!("serving http://{}/", listener.local_addr()?);
    let started = Instant::now();
    let health = move || async move {
        Json(
            json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "uptimeSeconds": started.elapsed().as_secs() }),
        )
    };
    let app = Router::new().route("/api/health", get(health)).fallback(assets::serve);
    let stop = run::stop_signal();
    let serving =
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future());
    if let Some(pipeline) = pipeline {
        run::drive(&host, pipeline, None, progress).await?;
    }
    serving.await??;
    Ok(Ending::Done)
}
