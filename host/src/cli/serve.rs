//! `outboard serve`: runs the control plane and its API until a signal.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::{Ending, Progress, run};
use crate::api::peers::Peers;
use crate::api::runtime::ApiRuntime;
use crate::api::{self, Api};
use crate::config::{self, Configured, HostConfig, Layers};
use crate::control::Control;
use crate::control::runner::StopMode;
use crate::limits::{SHUTDOWN_HANGS_AFTER, SHUTDOWN_LIMIT};
use crate::pipeline::Host;
use crate::telemetry;

/// Command-line options of `outboard serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// TOML configuration file with further settings; options override it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address on which the API listens. Port 0 selects a free port.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Storage directory for the database and the media files.
    #[arg(long, value_name = "DIR")]
    pub storage: Option<String>,
}

impl ServeArgs {
    /// Adds these options as the topmost layer of settings.
    fn on(&self, layers: Layers) -> Layers {
        layers.set("server.listen", self.listen.clone()).set("storage.dir", self.storage.clone())
    }
}

/// Serves until a signal. The next start resumes the pipelines that run at that moment.
pub async fn run(args: &ServeArgs, layers: Layers) -> anyhow::Result<Ending> {
    let (config, pipeline) = match config::check(args.on(layers), false) {
        Ok(checked) => checked,
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    telemetry::start(&config.log_level, config.log_json, Progress::new().bars());
    let stop = run::stop_signal();
    let host = Host::open_with(&config.storage, config.limits()).await?;
    let watchdog = std::sync::Arc::new(run::watch_over(&host, &config)?);
    let (watched, stopped) = (watchdog.clone(), stop.clone());
    tokio::spawn(async move {
        stopped.cancelled().await;
        watched.ending(SHUTDOWN_HANGS_AFTER);
    });
    telemetry::write_below(&config.storage);
    let control = Control::open(host).await?;
    let threads = ApiRuntime::start().context("the threads that answer requests cannot be started")?;
    let served = serve(&config, pipeline, &control, &threads, stop).await;
    // Also when the server failed to start.
    watchdog.ending(SHUTDOWN_HANGS_AFTER);
    control.shutdown(StopMode::AtOnce, SHUTDOWN_LIMIT).await;
    // Dropped last: the shutdown has ended the work that requests started on these threads.
    drop(threads);
    served?;
    Ok(Ending::Done)
}

async fn serve(
    config: &HostConfig,
    pipeline: Option<Configured>,
    control: &Control,
    threads: &ApiRuntime,
    stop: tokio_util::sync::CancellationToken,
) -> anyhow::Result<()> {
    let listen = &config.server.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen} (server.listen)"))?;
    let address = listener.local_addr()?;
    let loopback = address.ip().is_loopback();
    if (!loopback || config.server.needs_token) && !control.tenancy().has_host_admin().await? {
        anyhow::bail!(no_admin(address, loopback, &config.storage));
    }
    if let Some(pipeline) = pipeline {
        let (stream_id, settings) = pipeline.kept(control.host().storage()).await?;
        control.pipelines().configure(&stream_id, settings).await?;
    }
    let api = Api::new(control.clone(), &config.server, loopback, stop.clone());
    // A socket belongs to the runtime that created it, so the listener is moved as a standard one.
    let listener = listener.into_std()?;
    let listener = {
        let handle = threads.handle();
        let _in = handle.enter();
        TcpListener::from_std(listener)?
    };
    tracing::info!("serving http://{address}/");
    let peers = Peers::new(&config.server);
    threads.handle().spawn(api::server::serve(listener, api::router(api), stop, peers)).await?;
    Ok(())
}

/// Explains how to create a token; required before other machines may connect.
fn no_admin(address: SocketAddr, loopback: bool, storage: &std::path::Path) -> String {
    let (why, other) = match loopback {
        true => (
            "server.auth is \"token\": tokens are required, also on this machine".to_owned(),
            "or set server.auth to \"auto\", which requires none on 127.0.0.1",
        ),
        false => (
            format!("server.listen: {address} can be reached from other machines, so tokens are required"),
            "or listen on 127.0.0.1, which requires none",
        ),
    };
    format!(
        "{why}, but there is no admin token yet. Create one with\n\n    outboard token create --role admin --storage {}\n\nand \
         start again; {other}",
        storage.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advised_where_there_is_no_token_fits_where_it_listens() {
        let told = |address: &str, loopback| no_admin(address.parse().unwrap(), loopback, "/srv/x".as_ref());
        let (far, near) = (told("0.0.0.0:3000", false), told("127.0.0.1:3000", true));
        assert!(far.contains("0.0.0.0:3000 can be reached") && far.contains("listen on 127.0.0.1"), "{far}");
        assert!(near.contains("server.auth") && !near.contains("or listen on"), "it does listen there: {near}");
        assert!([far, near].iter().all(|text| text.contains("token create --role admin --storage /srv/x")));
    }
}
