//! Harness: exchange. Real Socket.IO servers as processors: Node's `socket.io`, Python's `python-socketio`.
//!
//! Each is a child process on a free port of 127.0.0.1; it listens when `start` returns, and ends with its guard. It
//! reports events as JSON lines, which a test waits for by name.
#![allow(clippy::expect_used, clippy::panic, reason = "a harness stops the test at the first thing that is wrong")]

mod framer;
mod tone;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use framer::FragmentFramer;
pub use tone::{fmp4, wav};

/// Longest wait for something that a processor does at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The Socket.IO server library on which a processor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Node's `socket.io`, version 4.
    Node,
    /// The Python package `python-socketio`, version 5.
    Python,
}

/// A running processor, which reports events as JSON lines. Dropping it kills the process.
#[derive(Debug)]
pub struct Processor {
    /// The port on which it listens.
    pub port: u16,
    scheme: &'static str,
    events: mpsc::Receiver<Value>,
    child: Child,
    lines: JoinHandle<()>,
}

impl Processor {
    /// Starts a processor in this mode with these `KEY=VALUE` settings (see `tests/processors/*/server.*`).
    pub async fn start(kind: ServerKind, mode: &str, settings: &[&str]) -> Self {
        match kind {
            ServerKind::Node => Self::node("server.js", mode, settings).await,
            ServerKind::Python => {
                let python = folder().join("python/.venv/bin/python");
                let how = "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt, in tests/processors/python";
                must_exist(&python, how);
                Self::run(&python, &folder().join("python/server.py"), mode, settings).await
            }
        }
    }

    /// Starts a processor with the dialect `sts` (see `tests/processors/node/sts.js`), on Node's `socket.io` 4.
    pub async fn sts(mode: &str, settings: &[&str]) -> Self {
        Self::node("sts.js", mode, settings).await
    }

    async fn node(script: &str, mode: &str, settings: &[&str]) -> Self {
        let folder = folder().join("node");
        must_exist(&folder.join("node_modules"), "npm ci --ignore-scripts, in tests/processors/node");
        Self::run(Path::new("node"), &folder.join(script), mode, settings).await
    }

    async fn run(program: &Path, script: &Path, mode: &str, settings: &[&str]) -> Self {
        let mut child = Command::new(program)
            .arg(script)
            .arg(mode)
            .args(settings)
            // It stops when this pipe closes, and therefore also when the test is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        let mut output = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let (sender, events) = mpsc::channel(1024);
        let lines = tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        });
        let tls = settings.iter().any(|setting| setting.starts_with("cert="));
        let mut this = Self { port: 0, scheme: if tls { "https" } else { "http" }, events, child, lines };
        let port = this.saw("listening").await["port"].as_u64().expect("a port");
        this.port = u16::try_from(port).expect("a port");
        this
    }

    /// The URL for a pipeline's settings.
    pub fn url(&self) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}", self.scheme, self.port)
    }

    /// Waits until the processor reports this event; ignores others.
    pub async fn saw(&mut self, event: &str) -> Value {
        self.saw_until(event).await.pop().unwrap_or_default()
    }

    /// Waits until the processor reports this event; returns all reports so far, this one last.
    pub async fn saw_until(&mut self, event: &str) -> Vec<Value> {
        let wait = async {
            let mut all = Vec::new();
            loop {
                let next = self.events.recv().await.unwrap_or_else(|| panic!("the processor ended before {event:?}"));
                let found = next["event"] == event;
                all.push(next);
                if found {
                    return all;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("the processor saw no {event:?}"))
    }

    /// Sends an order to the processor, as one line on its standard input.
    pub async fn order(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("stdin is piped");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("the processor reads");
    }

    /// Kills it (SIGKILL) and waits until it has ended.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.lines.abort();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("processors")
}

fn must_exist(path: &Path, how: &str) {
    assert!(path.exists(), "{} is missing; run once: {how} (scripts/test does it)", path.display());
}
