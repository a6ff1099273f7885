//! Lines of a pipeline's tasks, programs and components carry the pipeline's tenant and stream.

use std::sync::Arc;
use std::time::Duration;

use outboard_ffmpeg as ffmpeg;
use outboard_ffmpeg::limits::FFMPEG_LOG_LINES;
use outboard_logs::limits::LOG_QUERY_MAX;
use outboard_logs::{Filter, Item, LogHub, LogRecord, Take, Value};
use outboard_media::flv::FileHeader;
use tokio_util::sync::CancellationToken;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, registry};

use crate::pipeline::air::pipe::Pipe;
use crate::pipeline::air::target::Target;
use crate::pipeline::exchange::fake::FakeFramer;
use crate::pipeline::exchange::{Exchange, ExchangeConfig, Readers};

/// Longest wait for what comes soon.
const PATIENCE: Duration = Duration::from_secs(120);

/// A hub that receives the events of this thread.
fn hearing() -> (LogHub, DefaultGuard) {
    let hub = LogHub::new();
    let guard = set_default(registry().with(EnvFilter::new("info")).with(hub.layer()));
    (hub, guard)
}

/// Lines of the stream from this origin.
fn of(hub: &LogHub, target: &str) -> Vec<Arc<LogRecord>> {
    let filter = Filter::of_tenant("a").stream(Some("tv".into())).target(Some(target.into()));
    hub.query(&filter, Take::First(LOG_QUERY_MAX), None, None).records
}

fn pipeline() -> tracing::Span {
    info_span!("pipeline", tenant = "a", stream = "tv")
}

#[tokio::test]
async fn what_ffmpeg_writes_is_the_batchs() {
    let (hub, _guard) = hearing();
    let run = async {
        let mut command = ffmpeg::command("file");
        command.args(["-f", "mpegts", "-i", "/nonexistent/in.ts", "-f", "null", "-"]);
        ffmpeg::output("demux", command, 1024, PATIENCE).await.unwrap_err();
    };
    run.instrument(pipeline().in_scope(|| info_span!("batch", batch = 5_u64))).await;
    let lines = of(&hub, "ffmpeg");
    assert_eq!(lines.first().map(|line| line.batch), Some(Some(5)), "{lines:?}");
    assert!(lines[0].message.contains("/nonexistent/in.ts"), "{lines:?}");
    assert_eq!(lines[0].fields[0], ("run", Value::Text("demux".into())));
}

#[tokio::test]
async fn a_run_that_writes_much_is_cut_short() {
    let (hub, _guard) = hearing();
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "for n in $(seq 500); do echo line $n >&2; done; exit 1");
    let command = ffmpeg::Command::of(program);
    let run = ffmpeg::output("demux", command, 1024, PATIENCE);
    run.instrument(pipeline()).await.unwrap_err();
    let lines = of(&hub, "ffmpeg");
    let most = usize::try_from(FFMPEG_LOG_LINES).unwrap();
    assert_eq!(lines.len(), most + 1);
    assert_eq!(&*lines[most - 1].message, format!("line {most}"));
    assert!(lines[most].fields.contains(&("left_out", Value::Uint(500 - FFMPEG_LOG_LINES))), "{:?}", lines[most]);
}

#[tokio::test]
async fn a_destinations_ffmpeg_speaks_without_its_secrets() {
    let (hub, _guard) = hearing();
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "echo \"$@\" >&2; echo SECRET-SECRET is wrong >&2; exit 3");
    let target = Target::parse("srt://127.0.0.1:9?passphrase=SECRET-SECRET").unwrap();
    let header = FileHeader { audio: true, video: true };
    let pipe = Pipe::spawn(&program, &target, header).instrument(pipeline()).await;
    pipe.unwrap().ended().await;
    let lines = of(&hub, "ffmpeg");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].message.contains("-f mpegts") && !lines[0].message.contains("SECRET"), "{lines:?}");
    assert_eq!(&*lines[1].message, outboard_base::redact::LEFT_OUT);
}

#[tokio::test]
async fn the_exchanges_task_is_the_pipelines() {
    let (hub, _guard) = hearing();
    let mut feed = hub.subscribe(Filter::of_host().target(Some("exchange".into())), 0);
    // The port was just closed, so nothing listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = ExchangeConfig::new(format!("http://127.0.0.1:{port}"));
    let cancel = CancellationToken::new();
    let start = Exchange::start(config, "tv", Box::new(FakeFramer::default()), Readers::default(), &cancel);
    let exchange = start.instrument(pipeline()).await.unwrap();
    let Item::Record(line) = tokio::time::timeout(PATIENCE, feed.next()).await.unwrap().unwrap() else {
        panic!("a line")
    };
    assert_eq!((line.tenant.as_deref(), line.stream.as_deref()), (Some("a"), Some("tv")), "{line:?}");
    exchange.shutdown().await;
}

fn script(dir: &std::path::Path, body: &str) -> std::path::PathBuf {
    let program = dir.join("talker");
    std::fs::write(&program, format!("#!/bin/bash\n{body}\n")).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    program
}
