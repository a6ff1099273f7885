//! Scripts that drive the web pages in Chromium, each in its own process. A script may request an action from the test
//! (such as killing a server) and waits for the reply; at its end it returns a result.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A running script; killed on drop, which also ends its browser.
pub struct Script {
    child: Child,
    answers: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    complaints: JoinHandle<String>,
}

impl Script {
    /// Starts a script of `tests/browser` with these arguments.
    pub fn start(script: &str, given: &Value) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
        assert!(
            folder.join("node_modules").exists(),
            "{} has no node_modules; scripts/test makes it",
            folder.display()
        );
        let mut child = Command::new("node")
            .arg(folder.join(script))
            .arg(given.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = child.stderr.take().unwrap();
        let complaints = tokio::spawn(async move {
            let mut text = String::new();
            errors.read_to_string(&mut text).await.ok();
            text
        });
        Self { answers: child.stdin.take().unwrap(), child, told, complaints }
    }

    /// The script's next request.
    ///
    /// # Panics
    /// With the script's output, if it ends first or is silent for `limit`.
    pub async fn next(&mut self, limit: Duration) -> Value {
        match timeout(limit, self.told.next_line()).await {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}")),
            Ok(_) => {
                let complaints = (&mut self.complaints).await.unwrap();
                panic!("it failed: {complaints}")
            }
            Err(_) => panic!("it said nothing for {limit:?}"),
        }
    }

    /// Replies to the script's request.
    pub async fn answer(&mut self, answer: &Value) {
        self.answers.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
    }

    /// The script's result, after it has succeeded.
    pub async fn result(mut self, limit: Duration) -> Value {
        let mut told = self.next(limit).await;
        let status = timeout(limit, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}: {}", self.complaints.await.unwrap());
        told["result"].take()
    }
}
