//! Leaks of secrets into messages and logs, with a receiver that quotes them and forges log lines. Headers and other
//! hosts are tested in `source_cases/addresses`.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard::redact::{LEFT_OUT, steers};
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::receiver::fake::{FakeServer, GOOD, Script};
use outboard_tests::server::Server;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(90);

/// All texts below the folders of logs.
fn logs(storage: &Path) -> String {
    let mut folders = vec![storage.to_owned()];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_string_lossy().contains(".log") => text += &std::fs::read_to_string(path).unwrap(),
                false => {}
            }
        }
    }
    text
}

#[tokio::test]
async fn a_short_key_tears_no_holes_and_no_receiver_writes_lines_of_ours() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let origin = LiveOrigin::start(entries(&Clip::small(24), false)).await;
    // The key of the first is a letter of nearly every word; the second quotes it; the third forges a line.
    let quoting = "NetStream.Publish.Denied: a is taken";
    let forging = "NetStream.Publish.Denied\r\n2030-01-01T00:00:00Z ERROR forged \u{1b}[2J\u{9b}";
    let said = [("a", "NetStream.Publish.Denied"), ("a", quoting), ("long-key", forging)];
    let mut receivers = Vec::new();
    for (key, words) in said {
        let receiver = FakeServer::start(move |_| Script { refuse_publish: Some(words), ..GOOD }).await;
        receivers.push((receiver.url(key), receiver));
    }
    let destinations: Vec<Value> = receivers.iter().map(|(url, _)| json!({ "url": url })).collect();
    let settings = json!({ "source": { "url": origin.url }, "destinations": destinations, "batchSeconds": 2 });
    let id = server.create(None, "secrets", &settings, true).await;
    let refused = |status: &Value| {
        let destinations = status["destinations"].as_array().unwrap();
        destinations.len() == 3 && destinations.iter().all(|one| one["problem"].is_string())
    };
    let status = server.until(None, &id, "refused by all", PATIENCE, refused).await;
    let problems: Vec<&str> =
        status["destinations"].as_array().unwrap().iter().map(|one| one["problem"].as_str().unwrap()).collect();
    assert!(problems[0].contains("refused publish: NetStream.Publish.Denied"), "whole words: {problems:?}");
    assert!(problems[1].contains(LEFT_OUT) && !problems[1].contains("is taken"), "{problems:?}");
    assert!(problems[2].contains("forged"), "{problems:?}");
    assert!(problems.iter().all(|problem| !problem.contains(steers)), "{problems:?}");

    let console = server.log();
    assert!(console.iter().any(|line| line.contains("forged")), "{console:#?}");
    assert!(console.iter().all(|line| !line.contains(steers)), "{console:#?}");
    assert!(console.iter().all(|line| !line.starts_with("2030")), "{console:#?}");
    assert!(!console.iter().any(|line| line.contains("is taken")), "{console:#?}");
    server.process().signal(nix::sys::signal::Signal::SIGTERM);
    server.into_process().ended(PATIENCE).await;
    let files = logs(storage.path());
    assert!(files.contains("forged") && !files.contains("is taken"), "{files}");
    assert!(files.lines().all(|line| !line.contains(steers)), "{files}");
}
