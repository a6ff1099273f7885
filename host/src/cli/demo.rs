//! `outboard demo`: the main job on one machine, with nothing to configure.
//!
//! A live HLS source, the echo processor and an RTMP receiver are started on loopback, on free ports where the usual ones
//! are taken; the pipeline runs between them, and a page shows what the receiver gets.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::run::{self, RunArgs};
use super::{Ending, Progress, complain};
use crate::config::{self, Layers};
use crate::echo::{Echo, EchoConfig};
use crate::telemetry;

mod receiver;
mod site;
mod source;

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop after so many batches on air and print one JSON line.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batches: Option<u64>,
    /// Length of a batch in seconds, 2 to 120.
    #[arg(long, value_name = "N", default_value = "6")]
    pub batch_seconds: String,
    /// Milliseconds that the processor takes.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub delay_ms: u64,
    /// A component file instead of a bundled stage: batching=FILE, framing=FILE or remux_planning=FILE.
    #[arg(long, value_name = "KIND=FILE")]
    pub stage: Vec<String>,
    /// Keep everything in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Port of the page, the processor and the receiver where they are free.
const PORTS: [u16; 3] = [8090, 5000, 1935];
/// The demo's segments are short and the machine may be slow.
const CUSHION_SECONDS: &str = "3";

/// Starts the parts, then the pipeline; ends them again.
pub async fn run(args: &DemoArgs, layers: Layers) -> anyhow::Result<Ending> {
    let temporary = tempfile::Builder::new().prefix("outboard-demo-").tempdir()?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let dir = dir.canonicalize()?;

    let [page, processor, receiver] = [free(PORTS[0]).await?, free(PORTS[1]).await?, free(PORTS[2]).await?];
    let (page_addr, rtmp_port) = (page.local_addr()?, receiver.local_addr()?.port());
    let processor_addr = processor.local_addr()?;
    // Their servers bind by themselves.
    drop((processor, receiver));
    let to = format!("rtmp://127.0.0.1:{rtmp_port}/live/demo");
    let run_args = RunArgs {
        source: Some(format!("http://{page_addr}/source/live.m3u8")),
        processor: Some(format!("http://{processor_addr}")),
        to: vec![to.clone()],
        batch_seconds: Some(args.batch_seconds.clone()),
        stream_id: Some("demo".into()),
        storage: Some(dir.join("storage").display().to_string()),
        cushion_seconds: Some(CUSHION_SECONDS.into()),
        stage: args.stage.clone(),
        ..RunArgs::default()
    };
    let (host, pipeline) = match config::check(run_args.on(layers), true) {
        Ok((host, Some(pipeline))) => (host, pipeline),
        Ok((_, None)) => return Ok(Ending::Failed),
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    let progress = Progress::new();
    telemetry::start(&host.log_level, host.log_json, progress.bars());

    complain("making half a minute of test picture and sound (once)");
    let stop = run::stop_signal();
    let Some(source) = stop.run_until_cancelled(source::Source::start(&dir.join("source"))).await else {
        return Ok(Ending::Done);
    };
    let source = source?;
    let receiver = receiver::Receiver::start(&dir.join("received"), rtmp_port).await?;
    let echo = Echo::start(EchoConfig { delay_ms: args.delay_ms, ..EchoConfig::new(processor_addr) }).await?;
    let site = site::serve(page, &dir);
    complain(&format!(
        "source     http://{page_addr}/source/live.m3u8 (live HLS, 720p30 with a clock and a beep)\n\
         processor  {} (echoes after {} ms)\n\
         receiver   {to}\n\
         WATCH      http://{page_addr}/ (picture in about {} s; also http://{page_addr}/received/live.m3u8)",
        echo.url(),
        args.delay_ms,
        args.batch_seconds.parse::<u64>().unwrap_or(0) + 12,
    ));
    let ended = run::drive(&host, pipeline, args.batches, progress).await;
    site.abort();
    echo.shutdown().await;
    receiver.stop().await;
    source.stop().await;
    ended
}

/// A listener on the usual port, or on any other if that is taken.
async fn free(usual: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", usual)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await.context("no free port on 127.0.0.1"),
    }
}
