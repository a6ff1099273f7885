//! Law 2: while the source delivers, no gap over 1 s reaches the destination, whatever the processor or a receiver
//! does. The original audio is on air exactly where it is due, and everything is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use outboard_tests::host::{Ended, Host};
use outboard_tests::media::{Clip, Entry, LiveOrigin, entries};
use outboard_tests::onair::{GapWatch, assert_same_packets, hashes, join_sessions, monotonic, of_entries};
use outboard_tests::over_borders::over_borders;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;

/// Longest gap that a viewer may see.
const GAP_MOST: Duration = Duration::from_secs(1);

fn start(programme: &LiveOrigin, processor: &str, nginx: &Nginx, storage: &tempfile::TempDir) -> Host {
    let to = nginx.url("silent");
    let options = ["--source", &programme.url, "--processor", processor, "--to", &to, "--batch-seconds", "2"];
    Host::run(storage.path(), &[&options[..], &["--batches", "100", "--cushion-seconds", "3"]].concat())
}

fn watch(nginx: &Nginx) -> GapWatch {
    let dir = nginx.record_dir(1);
    GapWatch::start(move || {
        let files = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        files.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
    })
}

/// How often each reason for original audio was logged.
fn reasons(ended: &Ended) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for line in ended.log.iter().filter(|line| line.contains("original audio")) {
        let why = line.split("original audio, ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or("?");
        *reasons.entry(why.to_owned()).or_default() += 1;
    }
    reasons
}

fn assert_aired(nginx: &Nginx, programme: &[Entry], streams: &[&str]) {
    for stream in streams {
        let source: Vec<_> = of_entries(programme, stream).concat();
        let air = monotonic(&nginx.files(1, "silent")[0], stream);
        assert_same_packets(&hashes(&air), &hashes(&source), stream);
    }
}

#[tokio::test]
async fn a_processor_that_misbehaves_in_every_way_is_not_heard() {
    let programme = entries(&Clip::small(36), false);
    // Frames of sound reach over the border of each batch.
    let packed = tempfile::tempdir().unwrap();
    let origin = LiveOrigin::start(over_borders(&programme, packed.path())).await;
    // Each batch is one fragment: 18 of them.
    let faults = [
        "drop@1",
        "fail@3",
        "garbage@5",
        "late:9000@7",
        "duplicate@8",
        "reorder@9..10",
        "disconnect@first:12",
        "truncate@14",
    ];
    let (_echo, url) = Host::echo(50, &faults).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let host = start(&origin, &url, &nginx, &storage);
    host.until("publishing", Duration::from_secs(90)).await;
    let gaps = watch(&nginx);
    let ended = host.ended(Duration::from_secs(120)).await;
    let longest = gaps.longest().await;

    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0);
    // An echo's audio equals the original: in either case the source is on air, and nothing twice.
    assert_aired(&nginx, &programme, &["v", "a"]);
    assert!(longest <= GAP_MOST, "{longest:?} without a packet: {:#?}", ended.log);
    assert!(ended.count("max_gap_ms") <= 1000, "{}", ended.report());
    // The faults without a usable reply, each where it was due and nowhere else.
    let reasons = reasons(&ended);
    assert_eq!(reasons.get("failed"), Some(&1), "{reasons:?}");
    assert_eq!(reasons.get("invalid"), Some(&2), "garbage and truncated: {reasons:?}");
    assert!((2..=3).contains(&reasons["late"]), "dropped, late, perhaps the one of the disconnect: {reasons:?}");
    let originals = reasons.values().sum::<usize>() as u64;
    assert_eq!((ended.count("original"), ended.count("batches")), (originals, 18), "{reasons:?}");
}

#[tokio::test]
async fn a_processor_that_is_silent_or_away_leaves_the_original_on_air() {
    let programme = entries(&Clip::small(16), false);
    for url in [None, Some("http://127.0.0.1:9")] {
        let origin = LiveOrigin::start(programme.clone()).await;
        let silent = Processor::start(ServerKind::Node, "silent", &[]).await;
        let nginx = Nginx::start();
        let storage = tempfile::tempdir().unwrap();
        let host = start(&origin, &url.map_or_else(|| silent.url(), Into::into), &nginx, &storage);
        host.until("publishing", Duration::from_secs(90)).await;
        let gaps = watch(&nginx);
        let ended = host.ended(Duration::from_secs(90)).await;
        assert!(ended.status.success(), "{:#?}", ended.log);
        let longest = gaps.longest().await;
        assert!(longest <= GAP_MOST, "{longest:?} without a packet: {:#?}", ended.log);
        assert_aired(&nginx, &programme, &["v", "a"]);
        let expected = if url.is_some() { "disconnected" } else { "late" };
        let reasons = reasons(&ended);
        // The breaker may open towards the end; it is counted under its own name.
        assert!(reasons[expected] >= 3, "{reasons:?}");
        assert_eq!((ended.count("processed"), ended.count("original")), (0, 8), "{reasons:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_restarts_misses_nothing() {
    let programme = entries(&Clip::small(30), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let (_echo, url) = Host::echo(50, &[]).await;
    let mut nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let host = start(&origin, &url, &nginx, &storage);
    host.until("on air batch=3", Duration::from_secs(60)).await;
    nginx.kill();
    host.until(" destination rtmp-", Duration::from_secs(90)).await;
    nginx.start_again();
    let ended = host.ended(Duration::from_secs(120)).await;

    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!((ended.count("packets_lost"), ended.count("original")), (0, 0), "{:#?}", ended.log);
    assert!(ended.count("max_gap_ms") <= 1000, "beyond the receiver's outage: {}", ended.report());
    for stream in ["v", "a"] {
        let source: Vec<_> = of_entries(&programme, stream).concat();
        let want = hashes(&source);
        let sessions: Vec<_> = [nginx.files(1, "silent"), nginx.files(2, "silent")]
            .concat()
            .iter()
            .map(|file| monotonic(file, stream))
            .collect();
        assert!(sessions.len() >= 2, "the receiver saw a second session");
        let (joined, repeats) = join_sessions(&sessions, &want, stream);
        assert_same_packets(&joined, &want, stream);
        // From the key frame before the acknowledged position: a group of pictures has 2 s here.
        let four_seconds = if stream == "v" { 120 } else { 190 };
        assert!(repeats.iter().all(|repeat| *repeat <= four_seconds), "{stream}: {repeats:?}");
    }
}
