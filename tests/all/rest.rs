//! A script that uses REST on a real stream: start, on air, status, storage, stop, clean, start again. All responses
//! are checked against the OpenAPI file.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outboard_tests::clients::Rest;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::{assert_same_packets, hashes, monotonic, of_entries};
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use serde_json::{Value, json};

const STATUS: &str = "/api/pipeline/status";

/// Polls the status until it matches.
async fn until(rest: &Rest, host: &Host, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = async {
        loop {
            last = rest.get(STATUS).await.1;
            if wanted(&last) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), found).await;
    assert!(found.is_ok(), "not {what}: {last:#}: {:#?}", host.log());
    last
}

fn size_of(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(facts) if facts.is_dir() => size_of(&entry.path()),
            Ok(facts) => facts.len(),
            Err(_) => 0,
        })
        .sum()
}

#[tokio::test]
async fn a_script_starts_watches_stops_and_cleans() {
    let programme = entries(&Clip::small(40), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let processor = Processor::start(ServerKind::Node, "echo", &["delay=200"]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let (host, url) = Host::serve(storage.path(), &[]).await;
    let rest = Rest::new(&url, None);
    assert_eq!(rest.get("/api/health").await.0, 200);
    let (status, none) = rest.get(STATUS).await;
    assert_eq!((status, &none["isRunning"]), (200, &json!(false)), "{none}");

    let start = json!({
        "sourceUrl": origin.url, "streamId": "script", "bufferDuration": 4, "audioProcessorUrl": processor.url(),
        "srsRtmpUrl": nginx.url("key-secret"),
    });
    let (status, started) = rest.post("/api/pipeline/start", &start).await;
    assert_eq!((status, &started["isRunning"]), (200, &json!(true)), "{started}");
    assert_eq!(rest.post("/api/pipeline/start", &start).await.0, 200, "the same again");
    let mut other = start.clone();
    other["bufferDuration"] = json!(6);
    assert_eq!(rest.post("/api/pipeline/start", &other).await.0, 409);

    let on_air = until(&rest, &host, "on air", |status| {
        status["phase"] == "on-air"
            && status["onAir"] == true
            && status["stats"]["fragmentsPublished"].as_u64() >= Some(3)
    })
    .await;
    assert_eq!((&on_air["streamId"], &on_air["sourceUrl"]), (&json!("script"), &json!(origin.url)));
    assert_eq!((&on_air["health"]["state"], &on_air["lastError"]), (&json!("healthy"), &Value::Null), "{on_air}");
    let stats = &on_air["stats"];
    let count = |name: &str| stats[name].as_f64().unwrap();
    assert!(count("batchesProcessed") >= count("fragmentsPublished"), "{stats}");
    assert!(count("segmentsFetched") >= 2.0 * count("batchesProcessed"), "{stats}");
    assert!(count("bytesProcessed") > 10_000.0 && count("currentBufferSize") <= 6.0, "{stats}");
    // The processor alone takes 200 ms.
    assert!(count("avgProcessingTime") >= 0.2 && count("avgProcessingTime") < 10.0, "{stats}");
    assert!(on_air["uptime"].as_u64() >= Some(8), "{on_air}");
    assert_eq!(rest.get("/api/health").await.0, 200);

    let (status, stopped) = rest.post("/api/pipeline/stop", &json!({})).await;
    assert_eq!((status, &stopped["streamId"]), (200, &json!("script")), "{stopped}");
    until(&rest, &host, "stopped", |status| status["isRunning"] == false && status["phase"] == "stopped").await;
    assert_eq!(rest.post("/api/pipeline/stop", &json!({ "drain": false })).await.0, 200, "stopped again");
    // Everything fetched was sent, every packet once.
    let source: Vec<_> = of_entries(&programme, "v").concat();
    let air = monotonic(&nginx.files(1, "key-secret")[0], "v");
    assert!(air.len() >= 3 * 100, "{} pictures", air.len());
    assert_same_packets(&hashes(&air), &hashes(&source)[..air.len()], "v");

    // Log files grow during the check.
    let media = || size_of(&storage.path().join("default")) - size_of(&storage.path().join("default/logs"));
    let stored = async || {
        let stats = rest.get("/api/storage/stats").await.1;
        let media = stats["totalSize"].as_u64().unwrap() - stats["breakdown"]["logs"].as_u64().unwrap();
        (media, stats)
    };
    let counted = async {
        while stored().await.0 != media() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(90), counted).await;
    let (before, full) = stored().await;
    assert!(counted.is_ok(), "{before} of {}: {full}", media());
    let kinds = full["breakdown"].as_object().unwrap();
    assert_eq!(kinds.values().map(|bytes| bytes.as_u64().unwrap()).sum::<u64>(), full["totalSize"]);
    for kind in ["originalSegments", "videoFragments", "audioFragments", "processedAudio"] {
        assert!(kinds[kind].as_u64() > Some(1000), "{kind}: {full}");
    }
    assert_eq!(kinds["remuxedOutput"], 0, "it is written only if `keep.output` asks for it: {full}");
    assert!(full["availableSpace"].as_u64() > Some(0) && full["fileCount"].as_u64() > Some(20), "{full}");

    let preview = format!("{url}/preview/script/");
    let playlist = reqwest::get(format!("{preview}index.m3u8")).await.unwrap().text().await.unwrap();
    assert!(playlist.starts_with("#EXTM3U") && playlist.contains("#EXT-X-ENDLIST"), "{playlist}");
    let part = reqwest::Client::new().get(format!("{preview}batch/0/original")).header("range", "bytes=4-7").send();
    let part = part.await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().as_ref()), (206, &b"ftyp"[..]));

    let keep = |dry: bool| json!({ "keepLast": 1, "streamId": "script", "dryRun": dry });
    let (_, plan) = rest.post("/api/storage/clean", &keep(true)).await;
    assert_eq!((stored().await.0, media()), (before, before), "a dry run removed something");
    let (status, cleaned) = rest.post("/api/storage/clean", &keep(false)).await;
    assert_eq!((status, &cleaned["removedBatches"]), (200, &plan["removedBatches"]), "{cleaned}");
    assert!(cleaned["removedBatches"].as_u64() >= Some(2), "{cleaned}");
    assert_eq!(cleaned["freedBytes"], plan["freedBytes"], "{cleaned}");
    let left = before - cleaned["freedBytes"].as_u64().unwrap();
    assert_eq!((stored().await.0, media()), (left, left));
    assert_eq!(rest.post("/api/storage/clean", &keep(false)).await.1["removedBatches"], 0);

    // A stopped pipeline accepts other settings, and continues after what was on air.
    assert_eq!(rest.post("/api/pipeline/start", &other).await.0, 200);
    until(&rest, &host, "on air again", |status| status["onAir"] == true).await;
    assert_eq!(rest.post("/api/pipeline/stop", &json!({ "streamId": "script", "drain": false })).await.0, 200);
    until(&rest, &host, "stopped at once", |status| status["phase"] == "stopped").await;
    rest.fits().await;
    host.signal(Signal::SIGTERM);
    let ended = host.ended(Duration::from_secs(90)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.lines_with("key-secret"), 0, "{:#?}", ended.log);
}
