//! `outboard demo`: the main job on one machine, with nothing to configure.
//!
//! A live HLS source, the echo processor and an RTMP receiver are started on loopback, on free ports where the usual ones
//! are taken; the pipeline runs between them, and a page shows what the receiver gets.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::run::{self, RunArgs};
use super::{Ending, Progress, complain};
use crate::config::{self, Layers};
use crate::demo::{CUSHION_SECONDS, Places, USUAL_PORTS};
use crate::telemetry;

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

/// Starts the parts, then the pipeline; ends them again.
pub async fn run(args: &DemoArgs, layers: Layers) -> anyhow::Result<Ending> {
    let temporary = tempfile::Builder::new().prefix("outboard-demo-").tempdir()?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let dir = dir.canonicalize()?;

    let places = Places::find(USUAL_PORTS).await?;
    let (source, page, to) = (places.source(), places.page(), places.destination());
    let run_args = RunArgs {
        source: Some(source.clone()),
        processor: Some(places.processor()),
        to: vec![to.clone()],
        batch_seconds: Some(args.batch_seconds.clone()),
        stream_id: Some("demo".into()),
        storage: Some(dir.join("storage").display().to_string()),
        cushion_seconds: Some(CUSHION_SECONDS.to_string()),
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
    let (stop, processor) = (run::stop_signal(), places.processor());
    let Some(parts) = stop.run_until_cancelled(places.start(&dir, args.delay_ms)).await else {
        return Ok(Ending::Done);
    };
    let parts = parts?;
    complain(&format!(
        "source     {source} (live HLS, 720p30 with a clock and a beep)\n\
         processor  {processor} (echoes after {} ms)\n\
         receiver   {to}\n\
         WATCH      {page} (picture in about {} s; also {page}received/live.m3u8)",
        args.delay_ms,
        args.batch_seconds.parse::<u64>().unwrap_or(0) + 12,
    ));
    let ended = run::drive(&host, pipeline, args.batches, progress).await;
    parts.stop().await;
    ended
}
