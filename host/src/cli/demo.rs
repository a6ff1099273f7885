//! `outboard demo`: a complete pipeline on one machine, without configuration.
//!
//! Starts a live HLS source, the echo processor and an RTMP receiver on loopback, on the default ports or, if those are
//! taken, on free ones. A pipeline connects them, and a web page plays what the receiver gets.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::run::{self, RunArgs};
use super::{Ending, Progress, complain};
use crate::config::{self, Layers};
use crate::demo::{CUSHION_SECONDS, Places, Port, USUAL_PORTS};
use crate::redact;
use crate::telemetry;

/// Command-line options of `outboard demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop after N batches on air and print one JSON line.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batches: Option<u64>,
    /// Length of a batch, in seconds, 2 to 120.
    #[arg(long, value_name = "N", default_value = "6")]
    pub batch_seconds: String,
    /// URL of a processor (Socket.IO) to use instead of the demo's echo processor.
    #[arg(long, value_name = "URL", conflicts_with_all = ["delay_ms", "echo_port"])]
    pub processor: Option<String>,
    /// Delay of the echo processor, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub delay_ms: u64,
    /// Port of the web page with the result; 0 selects a free port [default: 8090, or a free port]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Port of the echo processor; 0 selects a free port [default: 5000, or a free port]
    #[arg(long, value_name = "PORT")]
    pub echo_port: Option<u16>,
    /// Port of the RTMP receiver; 0 selects a free port [default: 1935, or a free port]
    #[arg(long, value_name = "PORT")]
    pub rtmp_port: Option<u16>,
    /// Component file to use instead of a bundled stage: batching=FILE, framing=FILE or remux_planning=FILE.
    #[arg(long, value_name = "KIND=FILE")]
    pub stage: Vec<String>,
    /// Settings of a stage as a JSON object: batching=JSON, framing=JSON or remux_planning=JSON.
    #[arg(long, value_name = "KIND=JSON")]
    pub stage_settings: Vec<String>,
    /// Directory for all files. Default: a temporary directory, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Starts the parts and the pipeline, and stops all of them at the end.
pub async fn run(args: &DemoArgs, layers: Layers) -> anyhow::Result<Ending> {
    let temporary = tempfile::Builder::new().prefix("outboard-demo-").tempdir()?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let dir = dir.canonicalize()?;

    let given = [(args.port, "--port"), (args.echo_port, "--echo-port"), (args.rtmp_port, "--rtmp-port")];
    let places = Places::find(std::array::from_fn(|n| match given[n] {
        (Some(port), option) => Port::Given(port, option),
        (None, _) => Port::Usual(USUAL_PORTS[n]),
    }));
    let places = places.await?;
    let (source, page, to) = (places.source(), places.page(), places.destination());
    let processor = args.processor.clone().unwrap_or_else(|| places.processor());
    let run_args = RunArgs {
        source: Some(source.clone()),
        processor: Some(processor.clone()),
        to: vec![to.clone()],
        batch_seconds: Some(args.batch_seconds.clone()),
        stream_id: Some("demo".into()),
        storage: Some(dir.join("storage").display().to_string()),
        cushion_seconds: Some(CUSHION_SECONDS.to_string()),
        stage: args.stage.clone(),
        stage_settings: args.stage_settings.clone(),
        ..RunArgs::default()
    };
    let (host, pipeline) = match config::check(run_args.on(layers), true) {
        Ok((host, Some(configured))) => (host, configured.pipeline),
        Ok((_, None)) => return Ok(Ending::Failed),
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    let progress = Progress::new();
    telemetry::start(&host.log_level, host.log_json, progress.bars());

    complain("encoding 30 s of test video and audio (once)");
    let stop = run::stop_signal();
    let shown = pipeline.processor.as_ref().map(|processor| redact::url(processor.url.as_str())).unwrap_or_default();
    let echo_delay = args.processor.is_none().then_some(args.delay_ms);
    let Some(parts) = stop.run_until_cancelled(places.start(&dir, echo_delay)).await else {
        return Ok(Ending::Done);
    };
    let parts = parts?;
    complain(&format!(
        "source     {source} (live HLS, 720p30 with a clock and a beep)\n\
         processor  {}\n\
         receiver   {to}\n\
         WATCH      {page} (picture in about {} s; also {page}received/live.m3u8)",
        echo_delay.map_or(shown, |ms| format!("{processor} (echoes after {ms} ms)")),
        args.batch_seconds.parse::<u64>().unwrap_or(0) + 12,
    ));
    let ended = run::drive(&host, pipeline, args.batches, progress).await;
    parts.stop().await;
    ended
}
