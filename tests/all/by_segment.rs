//! Work is spread over time: each segment is in the files of the open batch soon after it is there.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::{Duration, Instant};

use outboard::config::{Layers, check};
use outboard::echo::{Echo, EchoConfig};
use outboard::pipeline::{Host, Owner, Pipeline, PipelineError, Stop};
use outboard::settings::PipelineConfig;
use outboard_tests::media::{Clip, LiveOrigin, entries};

/// Limit for some segments of a live source to be demuxed.
const LIMIT: Duration = Duration::from_secs(120);
/// Segments that are in the files before the run is ended.
const SEGMENTS: usize = 3;

fn config(source: &str, processor: &str, to: &str, batch_seconds: u32) -> PipelineConfig {
    let layers = Layers::new()
        .set("source.url", Some(source.to_owned()))
        .set("processor.url", Some(processor.to_owned()))
        .set("air.to", Some(vec![to.to_owned()]))
        .set("pipeline.batch_seconds", Some(batch_seconds.to_string()))
        .set("pipeline.stream_id", Some("tv".to_owned()));
    check(layers, true).unwrap().1.unwrap().pipeline
}

/// Sizes of the files of a folder whose names end so, in bytes, in the order of their names.
fn sizes(dir: &Path, end: &str) -> Vec<u64> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(end)).collect();
    files.sort();
    files.iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).collect()
}

#[tokio::test]
async fn segments_are_demuxed_while_their_batch_is_open() {
    let origin = LiveOrigin::start(entries(&Clip::small(40), false)).await;
    let echo = Echo::start(EchoConfig::new("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let storage = tempfile::tempdir().unwrap();
    let to = format!("file://{}", storage.path().join("air.flv").display());
    let host = Host::open(&storage.path().join("storage")).await.unwrap();
    let (files, open) = {
        let files = host.storage().stream("default", "tv").unwrap();
        let open = files.batch(0);
        (files, open)
    };
    // A batch that is not cut within this test.
    let config = config(&origin.url, &echo.url(), &to, 120);
    let pipeline = Pipeline::load(&host, Owner::default(), config, None).await.unwrap();
    let (watch, stop) = (pipeline.watch(), Stop::default());
    let look = async {
        let until = Instant::now() + LIMIT;
        loop {
            let segments = sizes(&files.segments, ".ts");
            let demuxed: u64 = sizes(&open, ".fmp4.part").iter().sum();
            // A transport stream of small pictures is up to twice its packets.
            if segments.len() > SEGMENTS && demuxed * 3 > segments[..SEGMENTS].iter().sum() {
                break;
            }
            assert!(Instant::now() < until, "{demuxed} bytes are demuxed of segments of {segments:?} bytes");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(watch.stats().batches, 0, "a batch was cut");
        assert!(watch.stats().buffer_ms > 0, "what is open is told");
        stop.at_once();
    };
    let (ended, ()) = tokio::join!(pipeline.run(stop.clone()), look);
    assert!(matches!(ended, Err(PipelineError::Stopped)), "{ended:?}");
    echo.shutdown().await;
}
