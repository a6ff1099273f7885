//! What an origin can make us keep: cookies without end. How many are held is bounded in `net/cookies.rs` and tested there;
//! here, that a source has that jar.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard::limits::{COOKIE_BYTES_MAX, COOKIES_PER_HOST_MAX};
use outboard::pipeline::source::{SourceConfig, run};
use outboard_tests::origin::{Origin, Reply, ts};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Segments, each of which sets as many cookies as a client reads.
const SEGMENTS: usize = 60;
const COOKIES: usize = 40;

#[tokio::test]
async fn cookies_of_an_origin_are_bounded_in_number_and_size() {
    let origin = Origin::start().await;
    let mut playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n".to_owned();
    for segment in 0..SEGMENTS {
        let mut reply = Reply::ok(ts("a"));
        for n in 0..COOKIES {
            let value = "x".repeat(2000);
            reply = reply.header("set-cookie", &format!("c{segment}-{n}={value}; Path=/"));
        }
        let huge = "y".repeat(2 * COOKIE_BYTES_MAX);
        origin.put(&format!("/{segment}.ts"), reply.header("set-cookie", &format!("huge{segment}={huge}; Path=/")));
        playlist += &format!("#EXTINF:1,\n{segment}.ts\n");
    }
    origin.put("/x.m3u8", format!("{playlist}#EXT-X-ENDLIST\n"));
    let dir = tempfile::tempdir().unwrap();
    let config = SourceConfig::new(origin.url("/x.m3u8"), dir.path().join("stream"));
    let (sender, mut events) = mpsc::channel(16);
    let task = tokio::spawn(run(config, None, sender, CancellationToken::new()));
    let reading = async { while events.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap();
    task.await.unwrap().unwrap();

    let sent: Vec<String> = origin.log().iter().map(|asked| asked.header("cookie")).collect();
    let most = sent.iter().map(|cookies| cookies.split("; ").count()).max().unwrap();
    assert_eq!(most, COOKIES_PER_HOST_MAX, "all that is kept comes back, and no more");
    assert!(sent.iter().all(|cookies| !cookies.contains("huge")));
    let last = sent.last().unwrap();
    let newest = (SEGMENTS - 6..SEGMENTS).any(|segment| last.contains(&format!("c{segment}-")));
    assert!(newest && !last.contains("c0-0="), "the newest are kept");
}
