//! `outboard run`: one pipeline in the foreground.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Ending, Progress};
use crate::config::{self, HostConfig, Layers};
use crate::limits::SHUTDOWN_HANGS_AFTER;
use crate::pipeline::cause::Origin;
use crate::pipeline::{Host, Owner, Pipeline, PipelineError, Stop};
use crate::settings::PipelineConfig;
use crate::telemetry;
use crate::watchdog::Watchdog;

/// Options of `run`; each overrides the environment and the configuration file.
#[derive(Debug, Args, Default)]
pub struct RunArgs {
    /// URL of the HLS playlist (master or media).
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// URL of the audio processor (Socket.IO). Without one, the original audio goes on air.
    #[arg(long, value_name = "URL")]
    pub processor: Option<String>,
    /// URL of a destination: rtmp://, rtmps://, srt://, udp:// or file:. Repeat for several destinations.
    #[arg(long, value_name = "URL")]
    pub to: Vec<String>,
    /// Length of a batch, in seconds, 2 to 120.
    #[arg(long, value_name = "N")]
    pub batch_seconds: Option<String>,
    /// Stop after N batches on air and print one JSON line.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batches: Option<u64>,
    /// ID of the stream in storage, fragments and logs.
    #[arg(long, value_name = "ID")]
    pub stream_id: Option<String>,
    /// Storage directory for segments, batches and the journal.
    #[arg(long, value_name = "DIR")]
    pub storage: Option<String>,
    /// URL of a second playlist with the same content, used while the first is stale or unavailable.
    #[arg(long, value_name = "URL")]
    pub backup_source: Option<String>,
    /// Use the variant with the highest bitrate up to this one, in bits per second.
    #[arg(long, value_name = "BPS")]
    pub max_bandwidth: Option<String>,
    /// Use the variant with this resolution, such as 1280x720.
    #[arg(long, value_name = "WxH")]
    pub resolution: Option<String>,
    /// Use the audio of this language, such as de or deu, if the source has several.
    #[arg(long, value_name = "CODE")]
    pub audio_language: Option<String>,
    /// Use the audio with this PID (MPEG-TS) or track_ID (fMP4).
    #[arg(long, value_name = "N")]
    pub audio_pid: Option<String>,
    /// Start a live stream N segments before the end of its playlist, 1 to 1000.
    #[arg(long, value_name = "N")]
    pub live_edge: Option<String>,
    /// Additional request header for the source, "Name: value". Repeat for several headers.
    #[arg(long, value_name = "HEADER")]
    pub header: Vec<String>,
    /// What to do when a live source ends: stop after sending all buffered media, or wait until the source is back.
    #[arg(long, value_name = "stop|wait")]
    pub when_ended: Option<String>,
    /// How to handle media that accumulated during an outage: send all of it, or resume at the live edge.
    #[arg(long, value_name = "all|live")]
    pub catch_up: Option<String>,
    /// When air starts: auto (when the first reply has arrived), or N seconds after the first batch is complete.
    #[arg(long, value_name = "auto|N")]
    pub hold: Option<String>,
    /// Reserve time for slow replies, in seconds.
    #[arg(long, value_name = "N")]
    pub cushion_seconds: Option<String>,
    /// Number of batches to keep after they were on air.
    #[arg(long, value_name = "N")]
    pub keep_batches: Option<String>,
    /// Maximum number of unanswered fragments, 1 to 16.
    #[arg(long, value_name = "N")]
    pub in_flight: Option<String>,
    /// Component file to use instead of a bundled stage: batching=FILE, framing=FILE or remux_planning=FILE.
    #[arg(long, value_name = "KIND=FILE")]
    pub stage: Vec<String>,
    /// Settings of a stage as a JSON object: batching=JSON, framing=JSON or remux_planning=JSON.
    #[arg(long, value_name = "KIND=JSON")]
    pub stage_settings: Vec<String>,
    /// Send N seconds of media per second. For tests with recordings, not for live streams.
    #[arg(long, value_name = "N", hide = true)]
    pub speed: Option<String>,
    /// TOML configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl RunArgs {
    /// Adds these options as the topmost layer of settings.
    pub fn on(&self, layers: Layers) -> Layers {
        let list = |values: &[String]| (!values.is_empty()).then(|| values.to_vec());
        let mut layers = layers
            .set("source.url", self.source.clone())
            .set("source.backup_url", self.backup_source.clone())
            .set("source.max_bandwidth", self.max_bandwidth.clone())
            .set("source.resolution", self.resolution.clone())
            .set("source.audio_language", self.audio_language.clone())
            .set("source.audio_pid", self.audio_pid.clone())
            .set("source.live_edge", self.live_edge.clone())
            .set("source.headers", list(&self.header))
            .set("source.when_ended", self.when_ended.clone())
            .set("source.catch_up", self.catch_up.clone())
            .set("processor.url", self.processor.clone())
            .set("processor.in_flight", self.in_flight.clone())
            .set("air.to", list(&self.to))
            .set("pipeline.batch_seconds", self.batch_seconds.clone())
            .set("pipeline.stream_id", self.stream_id.clone())
            .set("pipeline.hold", self.hold.clone())
            .set("pipeline.cushion_seconds", self.cushion_seconds.clone())
            .set("pipeline.keep_batches", self.keep_batches.clone())
            .set("air.speed", self.speed.clone())
            .set("storage.dir", self.storage.clone());
        for stage in &self.stage {
            let (kind, file) = stage.split_once('=').unwrap_or((stage, ""));
            layers = layers.set(&format!("stages.{}", kind_key(kind)), Some(file.to_owned()));
        }
        for settings in &self.stage_settings {
            let (kind, json) = settings.split_once('=').unwrap_or((settings, ""));
            layers = layers.set(&format!("stages.{}_settings", kind_key(kind)), Some(json.to_owned()));
        }
        layers
    }
}

/// Also accepts `remux-planning`, the spelling of the contract and the API.
fn kind_key(kind: &str) -> String {
    kind.trim().replace('-', "_")
}

/// Checks all settings, then runs until the source ends, a signal arrives, or `--batches` is reached.
pub async fn run(args: &RunArgs, layers: Layers) -> anyhow::Result<Ending> {
    match config::check(args.on(layers), true) {
        Ok((host, Some(pipeline))) => {
            let progress = Progress::new();
            telemetry::start(&host.log_level, host.log_json, progress.bars());
            drive(&host, pipeline.pipeline, args.batches, progress).await
        }
        Ok((_, None)) => Ok(Ending::Failed),
        Err(problems) => Ok(Ending::Refused(problems)),
    }
}

/// Runs a checked pipeline until it ends or a signal stops it.
pub async fn drive(
    host: &HostConfig,
    config: PipelineConfig,
    batches: Option<u64>,
    progress: Progress,
) -> anyhow::Result<Ending> {
    let stop = Stop::default();
    let watchdog: Arc<OnceLock<Watchdog>> = Arc::default();
    let signals = tokio::spawn(obey_signals(stop.clone(), watchdog.clone()));
    let shared = Host::open_with(&host.storage, host.limits()).await?;
    let started = watch_over(&shared, host)?;
    watchdog.get_or_init(|| started);
    let pipeline = Pipeline::load(&shared, Owner::default(), config, batches).await?;
    telemetry::write_below(&host.storage);
    let shown = progress.follow(pipeline.watch());
    let ended = pipeline.run(stop).await;
    signals.abort();
    drop(shown);
    let report = ended.map_err(|error| match error {
        error @ PipelineError::Stopped => anyhow::Error::from(error),
        error => anyhow::Error::msg(error.cause().to_string()),
    })?;
    Ok(if batches.is_some() { Ending::Reported(report) } else { Ending::Done })
}

/// First signal: stop fetching and send the buffered media. Second signal: exit at once; the journal allows to resume.
async fn obey_signals(stop: Stop, watchdog: Arc<OnceLock<Watchdog>>) {
    wait_for_signal().await;
    tracing::warn!("stopping after all buffered media was sent; a second signal stops immediately");
    stop.gently();
    wait_for_signal().await;
    tracing::warn!("stopping immediately; the next start resumes from here");
    if let Some(watchdog) = watchdog.get() {
        watchdog.ending(SHUTDOWN_HANGS_AFTER);
    }
    stop.at_once();
}

/// Watches the runtime that sends media, and the runtime for all other work.
pub(super) fn watch_over(host: &Host, config: &HostConfig) -> std::io::Result<Watchdog> {
    let runtimes = [("media", host.air()), ("main", tokio::runtime::Handle::current())];
    Watchdog::start(&runtimes, config.hang)
}

/// A token that the first signal cancels.
pub(super) fn stop_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        cancelled.cancel();
    });
    token
}

async fn wait_for_signal() {
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    if let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    } else {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_settings() {
        let args = RunArgs {
            source: Some("http://o.test/live.m3u8".into()),
            to: vec!["rtmp://h.test/live/a".into(), "file:///tmp/b.flv".into()],
            batch_seconds: Some("6".into()),
            header: vec!["X-A: 1".into()],
            live_edge: Some("2".into()),
            stage: vec!["framing=/x/f.wasm".into()],
            ..RunArgs::default()
        };
        let config = config::check(args.on(Layers::new()), true).unwrap().1.unwrap().pipeline;
        assert_eq!((config.destinations.len(), config.batch.as_secs()), (2, 6));
        assert_eq!(config.source.headers, [("X-A".to_owned(), "1".to_owned())]);
        assert_eq!(config.source.live_edge, Some(2));
        assert!(config.stages.files.contains_key("framing") && config.processor.is_none());
        let with = |settings: &str| RunArgs { stage_settings: vec![settings.into()], ..RunArgs::default() };
        let check = |settings: &str| config::check(with(settings).on(args.on(Layers::new())), true);
        let config = check(r#"remux-planning={"duck_db":12}"#).unwrap().1.unwrap().pipeline;
        assert_eq!(config.stages.settings["remux_planning"], serde_json::json!({ "duck_db": 12 }));
        for (wrong, problem) in [
            ("batching={", "stages.batching_settings: is not JSON"),
            ("batching=", "stages.batching_settings: is not JSON"),
            ("batching=7", "stages.batching_settings: must be a table"),
            ("batch={}", "stages.batch_settings: is not a setting of outboard; did you mean stages.batching_settings?"),
        ] {
            let told = check(wrong).unwrap_err().to_string();
            assert!(told.starts_with(problem), "{wrong}: {told}");
        }
        let bad = RunArgs { stage: vec!["frmaing=x".into()], ..args };
        let problems = config::check(bad.on(Layers::new()), true).unwrap_err().to_string();
        assert!(problems.contains("stages.frmaing"), "{problems}");
    }
}
