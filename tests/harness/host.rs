//! The host as a user runs it: the `outboard` binary as a child process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::compiled;

/// The binary that was built with these tests.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("outboard");
    assert!(path.exists(), "{} is missing: run ./scripts/test, or cargo build -p outboard", path.display());
    path
}

/// An optimised build for tests that measure time, named by an environment variable. Without it, those tests use the
/// build made with the tests, whose times have little meaning.
pub fn optimised() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("OUTBOARD_RELEASE_BINARY").filter(|path| !path.is_empty())?);
    assert!(path.is_file(), "OUTBOARD_RELEASE_BINARY: there is no {}", path.display());
    Some(path.canonicalize().unwrap())
}

/// What the echo processor prints before its URL.
const ECHO_READY: &str = "echo processor on ";

/// What the server prints before its address.
const SERVE_READY: &str = "serving http://";

/// A running `outboard` process, with its output so far.
pub struct Host {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    stdout: Arc<Mutex<String>>,
}

/// The result of a run.
#[derive(Debug)]
pub struct Ended {
    /// Exit status of the process.
    pub status: ExitStatus,
    /// All text that the process wrote to standard output.
    pub stdout: String,
    /// All lines of its log, which it writes to standard error.
    pub log: Vec<String>,
}

impl Ended {
    /// The JSON line at the end of standard output.
    pub fn report(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_else(|| panic!("no report: {:#?}", self.log));
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{last:?}: {error}"))
    }

    /// A count of the report.
    pub fn count(&self, name: &str) -> u64 {
        self.report()[name].as_u64().unwrap_or_else(|| panic!("{name} in {}", self.report()))
    }

    /// Number of log lines that contain `text`.
    pub fn lines_with(&self, text: &str) -> usize {
        self.log.iter().filter(|line| line.contains(text)).count()
    }
}

impl Host {
    /// Runs `outboard run` with these options and a storage folder.
    pub fn run(storage: &Path, options: &[&str]) -> Self {
        compiled::put_into(storage);
        let mut arguments = vec!["run", "--storage", storage.to_str().unwrap(), "--log-level", "info,outboard=debug"];
        arguments.extend(options);
        Self::spawn(&arguments)
    }

    /// Runs `outboard` with these arguments.
    pub fn spawn(arguments: &[&str]) -> Self {
        Self::spawn_with(arguments, &[])
    }

    /// Runs `outboard` with these arguments and environment variables.
    pub fn spawn_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn_program(&binary(), arguments, variables)
    }

    /// Runs this build of `outboard` with these arguments and environment variables.
    pub fn spawn_program(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let stdout: Arc<Mutex<String>> = Arc::default();
        let (lines, text) = (log.clone(), stdout.clone());
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut out = child.stdout.take().unwrap();
        let readers = vec![
            tokio::spawn(async move {
                while let Ok(Some(line)) = errors.next_line().await {
                    lines.lock().unwrap().push(line);
                }
            }),
            tokio::spawn(async move {
                let mut all = String::new();
                out.read_to_string(&mut all).await.ok();
                text.lock().unwrap().push_str(&all);
            }),
        ];
        Self { child, log, readers, stdout }
    }

    /// Runs the echo processor on a free port with these faults. Also returns its URL.
    pub async fn echo(delay_ms: u32, faults: &[&str]) -> (Self, String) {
        let delay = delay_ms.to_string();
        let mut arguments = vec!["echo", "--listen", "127.0.0.1:0", "--delay-ms", &delay];
        faults.iter().for_each(|fault| arguments.extend(["--fault", fault]));
        let echo = Self::spawn(&arguments);
        echo.until(ECHO_READY, Duration::from_secs(90)).await;
        let url = echo.log().iter().find_map(|line| Some(line.split_once(ECHO_READY)?.1.to_owned()));
        (echo, url.unwrap())
    }

    /// Runs `outboard serve` on this storage and a free port, with these environment variables. Also returns its URL,
    /// without a slash at its end.
    pub async fn serve(storage: &Path, variables: &[(&str, &str)]) -> (Self, String) {
        Self::serve_program(&binary(), storage, variables).await
    }

    /// [`Self::serve`] with this build of `outboard`.
    pub async fn serve_program(program: &Path, storage: &Path, variables: &[(&str, &str)]) -> (Self, String) {
        compiled::put_into(storage);
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--storage", storage.to_str().unwrap()];
        let arguments = [&arguments[..], &["--log-level", "info,outboard=debug"]].concat();
        let server = Self::spawn_program(program, &arguments, variables);
        server.until(SERVE_READY, Duration::from_secs(60)).await;
        let url = server.log().iter().find_map(|line| {
            let from = line.find(SERVE_READY)? + SERVE_READY.len() - "http://".len();
            Some(line.get(from..)?.split(['\u{1b}', ' ']).next()?.trim_end_matches('/').to_owned())
        });
        (server, url.unwrap())
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Log lines so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a log line contains `text`.
    pub async fn until(&self, text: &str, limit: Duration) {
        let found = async {
            while !self.log.lock().unwrap().iter().any(|line| line.contains(text)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(limit, found).await;
        assert!(waited.is_ok(), "{text:?} was not logged in {limit:?}: {:#?}", self.log());
    }

    /// Kills it with SIGKILL.
    pub async fn kill(mut self) -> Vec<String> {
        self.child.kill().await.unwrap();
        self.log()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits until it has ended.
    pub async fn ended(mut self, limit: Duration) -> Ended {
        let status = match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("still running after {limit:?}: {:#?}", self.log()),
        };
        for reader in std::mem::take(&mut self.readers) {
            reader.await.unwrap();
        }
        let stdout = self.stdout.lock().unwrap().clone();
        Ended { status, stdout, log: self.log() }
    }
}
