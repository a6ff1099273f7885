//! Logs and timings name their owner: every line of two tenants' pipelines in one process, in memory and in files, and
//! the durations of their steps.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::sync::Arc;
use std::time::Duration;

use outboard::config::{Layers, check};
use outboard::echo::{Echo, EchoConfig};
use outboard::logs::{Filter, LogHub, LogRecord, Take};
use outboard::pipeline::timings::Step;
use outboard::pipeline::{Host, Owner, Pipeline, Stop, Watch};
use outboard::settings::PipelineConfig;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// Delay of the processor per fragment, in milliseconds.
const DELAY_MS: u64 = 200;
const BATCHES: u64 = 3;

struct Run {
    hub: LogHub,
    storage: tempfile::TempDir,
    watches: Vec<Watch>,
}

fn config(source: &str, processor: &str, to: &str) -> PipelineConfig {
    let layers = Layers::new()
        .set("source.url", Some(source.to_owned()))
        .set("processor.url", Some(processor.to_owned()))
        .set("air.to", Some(vec![to.to_owned()]))
        .set("air.speed", Some("6".to_owned()))
        .set("pipeline.batch_seconds", Some("4".to_owned()))
        .set("pipeline.cushion_seconds", Some("5".to_owned()))
        .set("pipeline.stream_id", Some("tv".to_owned()));
    check(layers, true).unwrap().1.unwrap().pipeline
}

/// Runs the same stream for two tenants at the same time.
async fn run(level: LevelFilter) -> Run {
    let (hub, storage) = (LogHub::new(), tempfile::tempdir().unwrap());
    // One thread runs everything here, so it receives every event.
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(level).with(hub.layer()));
    let origin = LiveOrigin::vod(entries(&Clip::small(12), false)).await;
    let echo = EchoConfig { delay_ms: DELAY_MS, ..EchoConfig::new("127.0.0.1:0".parse().unwrap()) };
    let echo = Echo::start(echo).await.unwrap();
    let host = Host::open(storage.path()).await.unwrap();
    hub.open(host.storage().root());
    let mut watches = Vec::new();
    let mut runs = Vec::new();
    for tenant in ["a", "b"] {
        let to = format!("file://{}/{tenant}.flv", storage.path().display());
        let owner = Owner { tenant: tenant.to_owned(), ..Owner::default() };
        let config = config(&origin.url, &echo.url(), &to);
        let pipeline = Pipeline::load(&host, owner, config, Some(BATCHES)).await.unwrap();
        watches.push(pipeline.watch());
        runs.push(pipeline.run(Stop::default()));
    }
    for report in futures_util::future::join_all(runs).await {
        let report = report.unwrap();
        assert_eq!((report.batches, report.packets_lost), (BATCHES, 0));
    }
    echo.shutdown().await;
    assert!(hub.flush(Duration::from_secs(10)));
    Run { hub, storage, watches }
}

fn lines(hub: &LogHub, filter: Filter) -> Vec<Arc<LogRecord>> {
    hub.query(&filter, Take::Last(1000), None, None).records
}

#[tokio::test]
async fn every_line_of_a_pipeline_is_its_tenants_and_its_steps_are_timed() {
    let Run { hub, storage, watches } = run(LevelFilter::INFO).await;
    let steps = ["source", "batch", "demux", "exchange", "remux", "air", "release", "event", "pipeline"];
    let all = lines(&hub, Filter::of_host());
    for line in all.iter().filter(|line| steps.contains(&line.target)) {
        assert!(line.tenant.is_some() && line.stream.as_deref() == Some("tv"), "{line:?}");
    }
    for (tenant, other) in [("a", "b"), ("b", "a")] {
        let own = lines(&hub, Filter::of_tenant(tenant));
        for target in ["batch", "exchange", "remux", "air", "release"] {
            assert!(own.iter().any(|line| line.target == target), "nothing from {target}: {own:#?}");
        }
        let foreign = format!("/{other}.flv");
        for line in &own {
            assert_eq!(line.tenant.as_deref(), Some(tenant));
            assert!(!format!("{line:?}").contains(&foreign), "{line:?}");
        }
        for batch in 0..BATCHES {
            let of_it = lines(&hub, Filter::of_tenant(tenant).batch(Some(batch)));
            let says = |text: &str| of_it.iter().filter(|line| line.message.contains(text)).count();
            // On a busy machine a reply may be too late.
            let decided = says("processed audio") + says("original audio");
            assert_eq!((says("batch is complete"), decided), (1, 1), "{of_it:#?}");
            assert!(of_it.iter().any(|line| line.target == "release" && &*line.message == "on air"), "{of_it:#?}");
        }
        let text = std::fs::read_to_string(storage.path().join(tenant).join("logs/tv/outboard.log")).unwrap();
        let written: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            written.iter().map(|line| line["id"].as_u64().unwrap()).collect::<Vec<_>>(),
            own.iter().map(|line| line.id).collect::<Vec<_>>()
        );
    }
    for watch in watches {
        let timings = watch.timings().read();
        for (step, reading) in Step::ALL.iter().zip(timings.steps) {
            assert_eq!(reading.count(), BATCHES, "{step:?}");
            assert!(reading.sum_us > 0, "{step:?}");
        }
        let processed = watch.stats().processed;
        assert!(processed > 0 && timings.round_trip.count() == processed, "{timings:?}");
        assert_eq!(timings.time_left.count() + timings.overrun.count(), BATCHES);
        let exchange = timings.steps[Step::Exchange as usize];
        assert!(timings.round_trip.sum_us >= processed * DELAY_MS * 1000, "{timings:?}");
        assert!(exchange.sum_us >= timings.round_trip.sum_us, "{timings:?}");
        assert!(timings.steps[Step::OnAir as usize].sum_us > exchange.sum_us, "{timings:?}");
    }
}

#[tokio::test]
async fn warnings_know_whose_they_are_when_nothing_less_is_logged() {
    // Nothing listens there: the exchange logs a warning.
    let hub = LogHub::new();
    let level = LevelFilter::WARN;
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(level).with(hub.layer()));
    let origin = LiveOrigin::vod(entries(&Clip::small(4), false)).await;
    let storage = tempfile::tempdir().unwrap();
    let host = Host::open(storage.path()).await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let to = format!("file://{}/a.flv", storage.path().display());
    let config = config(&origin.url, &format!("http://127.0.0.1:{port}"), &to);
    let owner = Owner { tenant: "a".to_owned(), ..Owner::default() };
    Pipeline::load(&host, owner, config, Some(1)).await.unwrap().run(Stop::default()).await.unwrap();
    let away = lines(&hub, Filter::of_tenant("a").target(Some("exchange".into())));
    assert!(away.iter().any(|line| line.message.contains("no connection")), "{:#?}", lines(&hub, Filter::of_host()));
    let fallback = lines(&hub, Filter::of_tenant("a").batch(Some(0)));
    assert!(fallback.iter().any(|line| line.message.contains("original audio")), "{fallback:#?}");
}
