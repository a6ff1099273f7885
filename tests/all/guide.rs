//! The guide in docs/stages.md works from nothing to on air: its shell blocks run one after the other as written, its
//! changes are applied, and in the end its stage decides in a stream on air.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outboard_tests::clients::Rest;
use outboard_tests::host::{Host, binary};
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::receiver::nginx::Nginx;
use serde_json::json;
use tokio::process::Command;

/// The address of the server in the examples.
const EXAMPLE: &str = "127.0.0.1:3000";
/// Limit for building a stage, and for a demo of three batches.
const PATIENCE: Duration = Duration::from_secs(240);

/// The fenced blocks of the guide: language and text.
fn blocks() -> Vec<(String, String)> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/stages.md");
    let document = std::fs::read_to_string(document).unwrap();
    let fenced = document.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).map(|(mark, text)| (mark.into(), format!("{text}\n"))).collect()
}

/// One script of all blocks.
fn script() -> String {
    let mut script = String::new();
    for (mark, text) in blocks() {
        match mark.as_str() {
            "sh" => script.push_str(&text),
            "diff" => script.push_str(&format!("git apply <<'CHANGE'\n{text}CHANGE\n")),
            _ => {}
        }
    }
    // Uses the dependencies built by scripts/stages; without them this takes half a minute more.
    let built = binary().parent().unwrap().parent().unwrap().join("stages/tools/rust");
    if built.is_dir() {
        script = script.replacen("cd my-cuts\n", &format!("cd my-cuts\nln -s '{}' target\n", built.display()), 1);
    }
    script
}

#[tokio::test]
async fn the_guide_leads_from_nothing_to_on_air() {
    let storage = tempfile::tempdir().unwrap();
    let (host, url) = Host::serve(storage.path(), &[]).await;
    let origin = LiveOrigin::start(entries(&Clip::small(120), false)).await;
    let nginx = Nginx::start();
    // The pipeline whose stage the guide swaps.
    let pipeline =
        json!({ "streamId": "tv", "sourceUrl": origin.url, "srsRtmpUrl": nginx.url("tv"), "bufferDuration": 4 });
    let rest = Rest::new(&url, None);
    let (status, answer) = rest.post("/api/pipeline/start", &pipeline).await;
    assert_eq!(status, 200, "{answer}");
    let on_air = async {
        while rest.get("/api/pipeline/status").await.1["onAir"] != true {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, on_air).await.is_ok(), "{:#?}", host.log());

    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = script().replace(EXAMPLE, url.trim_start_matches("http://"));
    let mut command = Command::new("bash");
    command.args(["-euxo", "pipefail", "-c", &script]).current_dir(folder.path()).env("PATH", path).kill_on_drop(true);
    // A build outside this workspace.
    for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        command.env_remove(name);
    }
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let (answer, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{answer}\n{told}");
    assert!(
        answer.contains("cuts_where_a_break_begins_and_ends_and_not_in_it ... ok"),
        "the change and its test are in: {answer}"
    );
    assert!(answer.contains("my-cuts.wasm: ok, a batching stage: my-cuts 0.1.0"), "{answer}");
    assert!(answer.contains(r#""batches":3"#) && answer.contains(r#""packets_lost":0"#), "{answer}");
    assert!(answer.contains(r#""name":"batching-duration""#), "the server lists what it has: {answer}");

    assert!(answer.contains(" calls, the slowest"), "it took the recorded calls: {answer}");
    let query = "{ pipeline(id: \"tv\") { status { stages { name } } swaps { edges { node { state reason } } } } }";
    let swapped = async {
        loop {
            let (_, told) = rest.post("/graphql", &json!({ "query": query })).await;
            let pipeline = &told["data"]["pipeline"];
            assert_ne!(pipeline["swaps"]["edges"][0]["node"]["state"], "REFUSED", "{told}");
            if pipeline["status"]["stages"].to_string().contains("my-cuts") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, swapped).await.is_ok(), "{:#?}", host.log());

    host.signal(Signal::SIGTERM);
    assert!(host.ended(Duration::from_secs(90)).await.status.success());
}
