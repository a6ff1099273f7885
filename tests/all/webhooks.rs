//! Webhooks, verified as receivers do: by Standard Webhooks' own libraries from PyPI and npm, called as in the examples
//! of docs/webhooks.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first thing that is wrong"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use outboard::control::webhooks::signature;
use outboard_tests::server::Server;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Longest wait for a request that must come: a failed delivery is repeated after about 5 s.
const SOON: Duration = Duration::from_secs(120);
/// The example of the Standard Webhooks specification.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A secret without `whsec_`: its bytes are the key.
const RAW: &str = "eigener Schlüssel, 三十二";

// === the libraries ===

/// The code in this language on the page for receivers.
fn example(language: &str) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/webhooks.md")).unwrap();
    let (_, code) = page.split_once(&format!("```{language}\n")).expect("an example");
    code.split_once("```").expect("its end").0.to_owned()
}

/// The verdicts of a program that reads cases from its standard input: `null` if the library refused the case, else the
/// event as the library parsed it.
fn verdicts(program: &Path, arguments: &[&str], folder: &Path, cases: &Value) -> Vec<Value> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}; scripts/setup installs it", program.display()));
    child.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{} failed", program.display());
    serde_json::from_slice(&output.stdout).expect("a list of verdicts")
}

/// The verdicts of both libraries on these cases (`secret`, `headers`, `body`): Python's, then Node's.
fn by_libraries(cases: &Value) -> [Vec<Value>; 2] {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let python = example("python")
        + r#"
import json, sys
from standardwebhooks import WebhookVerificationError

def verdict(case):
    try:
        return verify(case["secret"], case["headers"], case["body"].encode())
    except WebhookVerificationError:
        return None

print(json.dumps([verdict(case) for case in json.load(sys.stdin)]))
"#;
    let node = example("js")
        + r#"
import { readFileSync } from "node:fs";
import { WebhookVerificationError } from "standardwebhooks";

const verdict = ({ secret, headers, body }) => {
  try {
    return verify(secret, headers, Buffer.from(body));
  } catch (error) {
    if (error instanceof WebhookVerificationError) return null;
    throw error;
  }
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(verdict)));
"#;
    let folder = clients.join("python");
    let by_python = verdicts(&folder.join(".venv/bin/python"), &["-c", &python], &folder, cases);
    let arguments = ["--input-type=module", "-e", &node];
    let by_node = verdicts(&PathBuf::from("node"), &arguments, &clients.join("node"), cases);
    [by_python, by_node]
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn standard_webhooks_libraries_accept_what_we_sign_and_nothing_else() {
    let (body, now) = (r#"{"kind":"off-air","message":"drei Bücher, 三"}"#, now());
    let signed = |secret: &str, at: u64| signature(secret, "msg_1", at, body.as_bytes());
    let case = |secret: &str, id: &str, at: u64, signature: &str, body: &str| {
        let headers = json!({ "webhook-id": id, "webhook-timestamp": at.to_string(), "webhook-signature": signature });
        json!({ "secret": secret, "headers": headers, "body": body })
    };
    let good = signed(SECRET, now);
    // A secret of an earlier version in the URL-safe alphabet, and in the form that the libraries need according to the
    // page.
    let (former, translated) = ("whsec_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_", "whsec_+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/");
    let cases = [
        (case(SECRET, "msg_1", now, &good, body), true),
        (case(SECRET, "msg_1", now - 120, &signed(SECRET, now - 120), body), true),
        (case(RAW, "msg_1", now, &signed(RAW, now), body), true),
        (case(translated, "msg_1", now, &signed(former, now), body), true),
        // Changed in transit, sent again later, with another id, signed with another secret, in another form, without a
        // signature.
        (case(SECRET, "msg_1", now, &good, r#"{"kind":"on-air"}"#), false),
        (case(SECRET, "msg_1", now - 1, &good, body), false),
        (case(SECRET, "msg_1", now - 400, &signed(SECRET, now - 400), body), false),
        (case(SECRET, "msg_2", now, &good, body), false),
        (case(SECRET, "msg_1", now, &signed(RAW, now), body), false),
        (case(RAW, "msg_1", now, &good, body), false),
        (case(SECRET, "msg_1", now, &good.replace("v1,", "v2,"), body), false),
        (case(SECRET, "msg_1", now, "", body), false),
    ];
    let parsed: Value = serde_json::from_str(body).unwrap();
    let expected: Vec<Value> = cases.iter().map(|(_, good)| if *good { parsed.clone() } else { Value::Null }).collect();
    let given = Value::from_iter(cases.map(|(case, _)| case));
    let [python, node] = by_libraries(&given);
    assert_eq!(python, expected, "Python");
    assert_eq!(node, expected, "Node");
}

// === a server ===

/// A request as a receiver sees it.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A receiver that does not answer its first request, and accepts the others.
struct Receiver {
    address: SocketAddr,
    asked: watch::Receiver<Vec<Asked>>,
}

struct Taking {
    asked: watch::Sender<Vec<Asked>>,
    count: AtomicUsize,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = watch::channel(Vec::new());
        let taking = Arc::new(Taking { asked: sender, count: AtomicUsize::new(0) });
        tokio::spawn(axum::serve(listener, Router::new().fallback(take).with_state(taking)).into_future());
        Self { address, asked }
    }

    async fn until(&mut self, count: usize) -> Vec<Asked> {
        let enough = self.asked.wait_for(|asked| asked.len() >= count);
        tokio::time::timeout(SOON, enough)
            .await
            .unwrap_or_else(|_| panic!("fewer than {count} requests"))
            .unwrap()
            .clone()
    }
}

async fn take(State(taking): State<Arc<Taking>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let body = String::from_utf8(body.to_vec()).unwrap();
    taking.asked.send_modify(|asked| asked.push(Asked { path: uri.path().to_owned(), headers, body }));
    match taking.count.fetch_add(1, Ordering::SeqCst) {
        0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

#[tokio::test]
async fn what_a_server_sends_is_verified_by_standard_webhooks_libraries() {
    let storage = tempfile::tempdir().unwrap();
    let (server, mut receiver) = (Server::start(storage.path()).await, Receiver::start().await);
    let make = "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { secret webhook { id } } }";
    let test = "mutation($id: ID!) { testWebhook(id: $id) { id } }";
    let mut secrets = BTreeMap::new();
    for (sent, (name, secret)) in [("made", None), ("raw", Some(RAW))].into_iter().enumerate() {
        let url = format!("http://{}/{name}", receiver.address);
        let input = json!({ "name": name, "url": url, "secret": secret });
        let made = server.graphql(None, make, &json!({ "input": input })).await.data("createWebhook").clone();
        let shown = made["secret"].as_str().or(secret).unwrap().to_owned();
        secrets.insert(format!("/{name}"), shown);
        server.graphql(None, test, &json!({ "id": made["webhook"]["id"] })).await.data("testWebhook");
        // The first webhook's request is the failed one.
        receiver.until(sent + 1).await;
    }
    assert!(secrets["/made"].starts_with("whsec_"));
    let asked = receiver.until(3).await;

    let of = |path: &str| asked.iter().filter(|asked| asked.path == path).cloned().collect::<Vec<_>>();
    let (made, raw) = (of("/made"), of("/raw"));
    assert_eq!((made.len(), raw.len()), (2, 1), "{asked:#?}");
    assert_eq!(made[0].headers["webhook-id"], made[1].headers["webhook-id"], "the same delivery");
    assert_ne!(made[0].headers["webhook-id"], raw[0].headers["webhook-id"], "another delivery");
    assert_eq!(made[0].body, made[1].body);
    let at = |asked: &Asked| asked.headers["webhook-timestamp"].parse::<u64>().unwrap();
    assert!(at(&made[0]) < at(&made[1]), "each attempt has its own time: {made:#?}");
    let former: Vec<_> =
        asked.iter().flat_map(|asked| asked.headers.keys()).filter(|name| name.starts_with("x-")).collect();
    assert!(former.is_empty(), "{former:?}");

    let cases = asked
        .iter()
        .map(|asked| json!({ "secret": secrets[&asked.path], "headers": asked.headers, "body": asked.body }));
    let expected: Vec<Value> = asked.iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    assert!(expected.iter().all(|event| event["kind"] == "test"), "{expected:?}");
    let [python, node] = by_libraries(&cases.collect());
    assert_eq!(python, expected, "Python");
    assert_eq!(node, expected, "Node");
}
