//! Clients of a running server: one that keeps what it was answered and holds it against the OpenAPI file, and
//! schemathesis, which makes up requests from a description.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Speaks REST.
pub struct Rest {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    answers: Mutex<Vec<Value>>,
}

impl Rest {
    /// Calls a server at this URL, with a token or without.
    pub fn new(base: &str, token: Option<&str>) -> Self {
        outboard::tls::install();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { http, base: base.to_owned(), token: token.map(str::to_owned), answers: Mutex::default() }
    }

    /// Asks.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    /// Sends a JSON body.
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

    /// Every answer so far is one that the OpenAPI file describes.
    ///
    /// # Panics
    /// If one is not.
    pub async fn fits(&self) {
        let answers = Value::Array(self.answers.lock().unwrap().clone()).to_string();
        let mut child = Command::new(program("python"))
            .arg(folder().join("validate.py"))
            .arg(openapi())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(answers.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The OpenAPI file.
pub fn openapi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/openapi.json")
}

/// Holds the GraphQL examples of documents, named from the project's root, against the schema; what was found, and whether
/// all of them fit.
pub async fn check_documents(documents: &[&str]) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let run = Command::new(program("python"))
        .arg(folder().join("check_documents.py"))
        .arg(root.join("host/schema.graphql"))
        .args(documents.iter().map(|document| root.join(document)))
        .output();
    let output = run.await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs schemathesis with these arguments; its output, and whether it found nothing.
pub async fn schemathesis(arguments: &[&str], limit: Duration) -> (bool, String) {
    // It keeps what it learns in its folder; a run must not know of another.
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
        Ok(output) => {
            let output = output.unwrap();
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        }
        Err(_) => panic!("schemathesis still runs after {limit:?}"),
    }
}

/// Makes up `examples` requests of each field of the GraphQL schema; what it printed, and whether every answer was as
/// promised.
pub async fn fuzz_graphql(url: &str, token: &str, seed: &str, examples: &str, limit: Duration) -> (bool, String) {
    let mut child = Command::new(program("python"))
        .arg(folder().join("fuzz_graphql.py"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/schema.graphql"))
        .args([url, seed, examples])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).await.unwrap();
    match tokio::time::timeout(limit, child.wait_with_output()).await {
        Ok(output) => {
            let output = output.unwrap();
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        }
        Err(_) => panic!("the requests made up for GraphQL still run after {limit:?}"),
    }
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
