//! Clients of a running server: a REST client that checks its responses against the OpenAPI file, and schemathesis,
//! which generates requests from a description.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A REST client that records its responses.
pub struct Rest {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    answers: Mutex<Vec<Value>>,
}

impl Rest {
    /// Calls a server at this URL, with or without a token.
    pub fn new(base: &str, token: Option<&str>) -> Self {
        outboard::tls::install();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { http, base: base.to_owned(), token: token.map(str::to_owned), answers: Mutex::default() }
    }

    /// Sends a GET request.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    /// Sends a POST request with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call("POST", path, Some(body)).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = response.status().as_u16();
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
        let plain = path.split('?').next().unwrap();
        let answer = json!({ "method": method, "path": plain, "status": status, "body": body });
        self.answers.lock().unwrap().push(answer);
        (status, body)
    }

    /// Checks that the OpenAPI file describes every response so far.
    ///
    /// # Panics
    /// If a response does not match.
    pub async fn fits(&self) {
        let answers = Value::Array(self.answers.lock().unwrap().clone()).to_string();
        let (well, found) = python("validate.py", &[openapi()], &answers).await;
        assert!(well, "{found}");
    }
}

/// The path of the OpenAPI file.
pub fn openapi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/api/openapi.json")
}

/// The path of the GraphQL schema.
fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/api/schema.graphql")
}

/// Checks the GraphQL examples of documents, with paths relative to the project's root, against the schema; returns
/// whether all are valid, and the output.
pub async fn check_documents(documents: &[&str]) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut arguments = vec![schema()];
    arguments.extend(documents.iter().map(|document| root.join(document)));
    python("check_documents.py", &arguments, "").await
}

/// Runs schemathesis with these arguments; returns whether it found nothing, and its output.
pub async fn schemathesis(arguments: &[&str], limit: Duration) -> (bool, String) {
    // It stores what it learns in its folder, and a run must not depend on another one.
    let dir = tempfile::tempdir().unwrap();
    let run = Command::new(program("st"))
        .arg("run")
        .args(arguments)
        .current_dir(dir.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(limit, run).await {
        Ok(output) => outcome(output.unwrap()),
        Err(_) => panic!("schemathesis still runs after {limit:?}"),
    }
}

/// Generates `examples` requests for each field of the GraphQL schema; returns whether every response was as described,
/// and the output.
pub async fn fuzz_graphql(url: &str, token: &str, seed: &str, examples: &str, limit: Duration) -> (bool, String) {
    let arguments = [schema(), url.into(), seed.into(), examples.into()];
    match tokio::time::timeout(limit, python("fuzz_graphql.py", &arguments, token)).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("the requests made up for GraphQL still run after {limit:?}"),
    }
}

/// Runs a Python script with this input; returns whether it succeeded, and its output.
async fn python(script: &str, arguments: &[PathBuf], input: &str) -> (bool, String) {
    let mut child = Command::new(program("python"))
        .arg(folder().join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    outcome(child.wait_with_output().await.unwrap())
}

fn outcome(output: Output) -> (bool, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

fn program(name: &str) -> PathBuf {
    let path = folder().join(".venv/bin").join(name);
    let how =
        "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt, in tests/clients/python";
    assert!(path.exists(), "{} is missing; run once: {how} (scripts/test does it)", path.display());
    path
}
