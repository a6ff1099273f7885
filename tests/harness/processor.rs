//! Harness: exchange. Real Socket.IO servers as processors: Node's `socket.io`, Python's `python-socketio`.
//!
//! Each is a child process on a free port of 127.0.0.1; it is there when `start` returns, and dies with its guard. What it
//! sees it tells as JSON lines, which a test waits for by name.
#![allow(clippy::expect_used, clippy::panic, reason = "a harness stops the test at the first thing that is wrong")]

mod framer;
mod tone;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use framer::FragmentFramer;
pub use tone::{fmp4, wav};

/// Longest wait for something that a processor has to do at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Node's `socket.io` 4.
    Node,
    /// `python-socketio` 5.
    Python,
}

/// A processor that runs.
#[derive(Debug)]
pub struct Processor {
    /// Where it listens.
    pub port: u16,
    scheme: &'static str,
    events: mpsc::Receiver<Value>,
    child: Child,
    lines: JoinHandle<()>,
}

impl Processor {
    /// Starts a processor in this mode with these `KEY=VALUE` settings (see `tests/processors/*/server.*`).
    pub async fn start(kind: Kind, mode: &str, settings: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("processors");
        let (program, script) = match kind {
            Kind::Node => {
                must_exist(&folder.join("node/node_modules"), "npm ci --ignore-scripts, in tests/processors/node");
                (PathBuf::from("node"), folder.join("node/server.js"))
            }
            Kind::Python => {
                let python = folder.join("python/.venv/bin/python");
                let how = "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt, in tests/processors/python";
                must_exist(&python, how);
                (python, folder.join("python/server.py"))
            }
        };
        let mut child = Command::new(program)
            .arg(script)
            .arg(mode)
            .args(settings)
            // It stops when this pipe closes, so also when the test is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("the {kind:?} processor does not start: {error}"));
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

    /// The URL to give to a pipeline.
    pub fn url(&self) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}", self.scheme, self.port)
    }

    /// Waits until the processor tells this event; passes over others.
    pub async fn saw(&mut self, event: &str) -> Value {
        let wait = async {
            loop {
                let next = self.events.recv().await.unwrap_or_else(|| panic!("the processor ended before {event:?}"));
                if next["event"] == event {
                    return next;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("the processor saw no {event:?}"))
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.lines.abort();
    }
}

fn must_exist(path: &Path, how: &str) {
    assert!(path.exists(), "{} is missing; run once: {how} (scripts/test does it)", path.display());
}
