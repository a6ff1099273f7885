//! The preview as served: a browser plays the stream while it goes on air, and each batch's audio can be fetched before
//! and after the processor.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries, packets};
use outboard_tests::receiver::nginx::Nginx;
use serde_json::{Value, json};

/// Seconds that the browser must play.
const PLAYED: f64 = 14.0;
/// Fragments that must exist before it begins, so that it need not wait for them.
const HEAD_START: usize = 5;

async fn text(url: &str) -> Option<String> {
    let answer = reqwest::get(url).await.unwrap();
    answer.status().is_success().then_some(())?;
    Some(answer.text().await.unwrap())
}

/// Plays a playlist with hls.js in Chromium; see `tests/browser/preview.mjs`.
async fn play(url: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    assert!(folder.join("node_modules").exists(), "run npm ci --ignore-scripts in tests/browser first");
    let mut command = tokio::process::Command::new("node");
    command.arg(folder.join("preview.mjs")).args([url, &PLAYED.to_string()]).kill_on_drop(true);
    let out = tokio::time::timeout(Duration::from_secs(90), command.output()).await.unwrap().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[tokio::test]
async fn a_browser_plays_what_goes_on_air_while_it_goes_on_air() {
    outboard::tls::install();
    let origin = LiveOrigin::start(entries(&Clip::small(80), false)).await;
    let (_echo, processor) = Host::echo(100, &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let dir = storage.path().display().to_string();
    let variables = [("OUTBOARD_SERVER__LISTEN", "127.0.0.1:0"), ("OUTBOARD_STORAGE__DIR", dir.as_str())];
    let server = Host::spawn_with(&["serve"], &variables);
    server.until("serving http://", Duration::from_secs(90)).await;
    let log = server.log();
    let line = log.iter().find(|line| line.contains("serving http://")).unwrap();
    let address = line.split("serving ").nth(1).unwrap().split_whitespace().next().unwrap().trim_end_matches('/');
    let wish = json!({
        "sourceUrl": origin.url, "streamId": "tv", "bufferDuration": 4, "audioProcessorUrl": processor,
        "srsRtmpUrl": nginx.url("preview"),
    });
    let start = reqwest::Client::new().post(format!("{address}/api/pipeline/start"));
    let answer = start.header("content-type", "application/json").body(wish.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());

    let preview = format!("{address}/preview/tv");
    assert_eq!(reqwest::get(format!("{preview}/index.m3u8")).await.unwrap().status(), 404, "nothing is on air yet");
    let filled = async {
        let listed = |text: String| text.lines().filter(|line| line.starts_with("#EXTINF")).count();
        while text(&format!("{preview}/index.m3u8")).await.map_or(0, listed) < HEAD_START {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), filled).await.is_ok(), "{:#?}", server.log());
    let seen = play(&format!("{preview}/index.m3u8")).await;
    assert_eq!((&seen["supported"], &seen["errors"]), (&json!(true), &json!([])), "{seen}");
    assert!(seen["played"].as_f64().unwrap() >= PLAYED && seen["frames"].as_u64().unwrap() > 300, "{seen}");
    assert_eq!((&seen["width"], seen["buffered"].as_array().unwrap().len()), (&json!(320), 1), "without a gap: {seen}");
    assert!(seen["files"].as_array().unwrap().len() >= 3, "over several batches: {seen}");
    let sequences: Vec<u64> = seen["sequences"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "each once and in order: {seen}");

    let newest = seen["files"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let batch = newest.trim_end_matches("/output.mp4");
    for media in ["original", "processed", "output", "video"] {
        let answer = reqwest::get(format!("{preview}/{batch}/{media}")).await.unwrap();
        assert!(answer.status().is_success(), "{media}: {}", answer.status());
        let file = storage.path().join(media);
        std::fs::write(&file, answer.bytes().await.unwrap()).unwrap();
        let stream = if media == "video" { "v" } else { "a" };
        assert!(packets(&file, stream).len() > 50, "{media}");
    }
    let foreign = reqwest::get(format!("{address}/preview/acme:tv/index.m3u8")).await.unwrap();
    let absent = reqwest::get(format!("{address}/preview/nobody/index.m3u8")).await.unwrap();
    assert_eq!((foreign.status().as_u16(), absent.status().as_u16()), (404, 404));
}
