//! External numbers that become delays, sizes and counts, here those of playlists. Those of processors, receivers and
//! registries are tested beside the code that parses them; `docs/security.md` lists the limits.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::{Duration, Instant};

use outboard::limits::RELOAD_WAIT_MAX;
use outboard::pipeline::source::{SourceConfig, SourceEvent, run};
use outboard_tests::origin::{Origin, Reply, ts};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longest wait for something that comes soon on any machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Names of the delivered segments, and how the source ended.
async fn delivered(origin: &Origin) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let mut config = SourceConfig::new(origin.url("/x.m3u8"), dir.path().join("stream"));
    config.bounds.reload_min = Duration::from_millis(10);
    config.bounds.retry_step = Duration::from_millis(1);
    let (sender, mut events) = mpsc::channel(16);
    let task = tokio::spawn(run(config, None, sender, CancellationToken::new()));
    let mut names = Vec::new();
    let reading = async {
        while let Some(event) = events.recv().await {
            if let SourceEvent::Segment(segment) = event {
                names.push(segment.identity.uri.rsplit('/').next().unwrap_or_default().to_owned());
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.map_err(|_| format!("it did not end, after {names:?}"))?;
    task.await.unwrap().map(|()| names).map_err(|error| error.to_string())
}

async fn origin(names: &[&str]) -> Origin {
    let origin = Origin::start().await;
    for name in names {
        origin.put(&format!("/{name}.ts"), Reply::ok(ts(name)));
    }
    origin
}

#[tokio::test]
async fn a_target_duration_of_an_hour_is_waited_for_no_longer_than_ours() {
    let origin = origin(&["a", "b"]).await;
    let first = "#EXTM3U\n#EXT-X-TARGETDURATION:3600\n#EXTINF:2,\na.ts\n";
    let second = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts\n#EXT-X-ENDLIST\n";
    origin.script("/x.m3u8", [first, second]);
    let began = Instant::now();
    assert_eq!(delivered(&origin).await, Ok(vec!["a.ts".to_owned(), "b.ts".to_owned()]));
    assert!(began.elapsed() < RELOAD_WAIT_MAX + PATIENCE / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn numbers_at_their_end_break_nothing() {
    const MOST: &str = "18446744073709551615";
    let heads = [
        format!("#EXT-X-MEDIA-SEQUENCE:{MOST}\n"),
        format!("#EXT-X-DISCONTINUITY-SEQUENCE:{MOST}\n"),
        "#EXT-X-START:TIME-OFFSET=1e308\n".to_owned(),
        "#EXT-X-START:TIME-OFFSET=-1e308\n".to_owned(),
        "#EXT-X-TARGETDURATION:1e308\n".to_owned(),
        format!("#EXT-X-TARGETDURATION:{MOST}\n"),
        "#EXT-X-PROGRAM-DATE-TIME:9999-12-31T23:59:59Z\n".to_owned(),
    ];
    for head in heads {
        let origin = origin(&["a", "b"]).await;
        let long = format!("#EXTINF:1e300,\na.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:{MOST},\nb.ts\n");
        origin.put("/x.m3u8", format!("#EXTM3U\n{head}{long}#EXT-X-ENDLIST\n"));
        let names = delivered(&origin).await.unwrap_or_else(|error| panic!("{head}: {error}"));
        assert!(names.ends_with(&["b.ts".to_owned()]), "{head}: {names:?}");
    }
    let origin = origin(&["a"]).await;
    origin.put("/x.m3u8", format!("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:{MOST}@{MOST}\na.ts\n#EXT-X-ENDLIST\n"));
    assert!(delivered(&origin).await.unwrap_err().contains("byte range"));
}

#[tokio::test]
async fn a_playlist_of_nothing_but_entries_or_keys_is_refused_or_read_soon() {
    let origin = origin(&["a"]).await;
    origin.put("/x.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}#EXT-X-ENDLIST\n", "a\n".repeat(1_000_000)));
    assert!(delivered(&origin).await.unwrap_err().contains("more than 100000 segments"));
    // Each format has its own key, which is looked up among the earlier ones.
    let keys: String = (0..100_000).map(|n| format!("#EXT-X-KEY:METHOD=X,KEYFORMAT=\"{n}\"\n")).collect();
    let none = "#EXT-X-KEY:METHOD=NONE\n";
    origin.put("/x.m3u8", format!("#EXTM3U\n{keys}{none}#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n"));
    let began = Instant::now();
    assert_eq!(delivered(&origin).await, Ok(vec!["a.ts".to_owned()]));
    assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
}
