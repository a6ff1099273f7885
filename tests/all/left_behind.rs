//! A host that is killed leaves no processes behind: everything that it started ends with it.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::processes::{Process, below, until_none, with_argument};
use outboard_tests::receiver::free_port;
use outboard_tests::server::Server;
use serde_json::{Value, json};

/// Limit for a demo to be on air, including the encoding of its clip.
const ON_AIR_LIMIT: Duration = Duration::from_secs(180);
/// Limit for processes to end that nobody waits for.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Kills the server; soon all its processes have ended, and all others that name its storage.
async fn assert_nothing_stays(server: &mut Server, wanted: &[&str]) {
    let deadline = Instant::now() + ON_AIR_LIMIT;
    let started = loop {
        let started = below(server.process().pid());
        // A destination that nobody accepts is restarted repeatedly.
        if wanted.iter().all(|word| started.iter().any(|process| process.line.contains(word))) {
            break started;
        }
        assert!(Instant::now() < deadline, "{wanted:?} are not all among {started:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    server.kill().await;
    let storage = server.storage().display().to_string();
    let left = || -> Vec<Process> {
        let known = started.iter().filter(|process| process.runs()).cloned();
        // Processes that started after the list was made.
        known.chain(with_argument(&storage)).collect()
    };
    until_none("a process of a killed server", GONE_WITHIN, left).await;
}

#[tokio::test]
async fn the_demo_ends_with_its_server() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    let started = server.graphql(None, "mutation { startDemo { id } }", &Value::Null).await;
    let demo = started.data("startDemo")["id"].as_str().unwrap().to_owned();
    server.until(None, &demo, "on air", ON_AIR_LIMIT, |status| status["onAir"] == true).await;
    // The process that loops its clip, and the receiver.
    assert_nothing_stays(&mut server, &["-stream_loop -1", "rtmp://127.0.0.1:"]).await;
}

/// A process that writes a file, and one that waits for a caller.
#[tokio::test]
async fn destinations_of_ffmpeg_end_with_their_server() {
    let origin = LiveOrigin::start(entries(&Clip::small(120), false)).await;
    let (storage, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = out.path().join("out.ts");
    let listens = format!("srt://127.0.0.1:{}?mode=listener", free_port());
    let mut server = Server::start(storage.path()).await;
    let settings = json!({
        "source": { "url": origin.url },
        "destinations": [{ "url": format!("file:{}", file.display()) }, { "url": listens }],
        "batchSeconds": 4,
    });
    let id = server.create(None, "tv", &settings, true).await;
    let written = |status: &Value| status["destinations"][0]["counters"]["video"].as_u64() > Some(60);
    server.until(None, &id, "written", ON_AIR_LIMIT, written).await;
    assert_nothing_stays(&mut server, &[file.to_str().unwrap(), &listens]).await;
}
