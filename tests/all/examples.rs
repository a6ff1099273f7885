//! The programs of docs/examples.md work as written: both processors, the query, and the subscriptions with curl and
//! with graphql-ws.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first thing that is wrong")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use outboard_tests::clients::Rest;
use outboard_tests::host::Host;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// The address of the server in the examples.
const EXAMPLE: &str = "127.0.0.1:3000";
/// Limit for a program to start, or to print its first line.
const PATIENCE: Duration = Duration::from_secs(120);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The code blocks of the page with this language, in order.
fn blocks(mark: &str) -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/examples.md")).unwrap();
    let fenced = page.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap());
    fenced.filter(|(marked, _)| *marked == mark).map(|(_, code)| format!("{code}\n")).collect()
}

fn start(program: &Path, arguments: &[&str], folder: &Path, variables: &[(&str, &str)]) -> Child {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}; scripts/setup installs it", program.display()))
}

/// The first line of an output that contains this text.
async fn line_with(output: impl AsyncRead + Unpin, text: &str) -> String {
    let mut lines = BufReader::new(output).lines();
    let mut seen = Vec::new();
    let found = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("no {text:?} in {seen:#?}"));
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {text:?} in time"))
}

/// Runs the demo with a processor that prints this line with its address.
async fn the_demo_is_processed_by(listening: &str) {
    let (_, url) = listening.split_once("http://").unwrap();
    let url = format!("http://{}", url.split_whitespace().next().unwrap());
    let options = ["--processor", &url, "--port", "0", "--rtmp-port", "0"];
    let demo = Host::spawn(&[&["demo", "--batches", "2", "--batch-seconds", "2"][..], &options].concat());
    let ended = demo.ended(Duration::from_secs(180)).await;
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    assert_eq!((ended.count("processed"), ended.count("packets_lost")), (2, 0), "{:#?}", ended.log);
}

#[tokio::test]
async fn the_processor_in_node_processes() {
    let folder = repository().join("tests/processors/node");
    let code = &blocks("js")[0];
    let mut child = start(Path::new("node"), &["--input-type=module", "--eval", code], &folder, &[("PORT", "0")]);
    let line = line_with(child.stdout.take().unwrap(), "http://127.0.0.1:").await;
    the_demo_is_processed_by(&line).await;
}

#[tokio::test]
async fn the_processor_in_python_processes() {
    let folder = repository().join("tests/processors/python");
    let code = &blocks("python")[0];
    let mut child = start(&folder.join(".venv/bin/python"), &["-c", code], &folder, &[("PORT", "0")]);
    let line = line_with(child.stderr.take().unwrap(), "http://127.0.0.1:").await;
    the_demo_is_processed_by(&line).await;
}

#[tokio::test]
async fn the_clients_get_answers() {
    let storage = tempfile::tempdir().unwrap();
    let (_host, url) = Host::serve(storage.path(), &[]).await;
    let address = url.trim_start_matches("http://");

    let query = blocks("sh").concat().replace(EXAMPLE, address);
    let Output { status, stdout, stderr } = Command::new("sh").args(["-euc", &query]).output().await.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    assert_eq!(serde_json::from_slice::<Value>(&stdout).unwrap(), json!({ "data": { "pipelines": [] } }));

    let follow = blocks("bash").concat().replace(EXAMPLE, address);
    let mut curl = start(Path::new("bash"), &["-c", &format!("exec {follow}")], storage.path(), &[]);
    let event = line_with(curl.stdout.take().unwrap(), "data:").await;
    let told: Value = serde_json::from_str(event.split_once("data:").unwrap().1).unwrap();
    assert!(told["data"]["server"]["uptimeSeconds"].is_number(), "{event}");

    // A stopped pipeline has a status too, which can be followed.
    let create = json!({ "query": r#"mutation { createPipeline(input: { streamId: "tv1", settings: {
        source: { url: "https://example.com/live/master.m3u8" }
        destinations: [{ url: "rtmp://127.0.0.1/live/my-key" }] } }) { id } }"# });
    let (status, answer) = Rest::new(&url, None).post("/graphql", &create).await;
    assert_eq!((status, &answer["data"]["createPipeline"]["id"]), (200, &json!("default:tv1")), "{answer}");
    let node = &blocks("js")[1];
    let folder = repository().join("tests/clients/node");
    let socket = format!("ws://{address}/graphql");
    let variables = [("OUTBOARD_URL", socket.as_str())];
    let mut follow = start(Path::new("node"), &["--input-type=module", "--eval", node], &folder, &variables);
    let line = line_with(follow.stdout.take().unwrap(), "default:tv1").await;
    assert!(line.contains("off air"), "{line}");
}
