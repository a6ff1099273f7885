//! Runs ffmpeg: each process with a time limit, its output bounded and its last words kept.
//!
//! What pipelines run per batch takes its [`Turn`] in the [`queue`] first; [`output`] and [`background`] are for the host's
//! own runs (version, doctor, demo). What ffmpeg says is logged under the target `ffmpeg`.
//!
//! `ffmpeg-sidecar` finds the binary and builds the command. The process itself is tokio's: the sidecar's is driven by
//! blocking threads, cannot be killed with its owner, and takes stdout for its own parser, where we need the bytes.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ffmpeg_sidecar::command::FfmpegCommand;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument;

use crate::limits::{FFMPEG_LOG_LINE_BYTES, FFMPEG_LOG_LINES, FFMPEG_MEMORY_BYTES, FFMPEG_STDERR_BYTES};
use crate::logs::Lines;

pub mod queue;

pub use queue::{Permit, Queue, Slots};

/// Why an ffmpeg run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FfmpegError {
    /// The binary could not be started.
    #[error("cannot start {program}: {source} (install ffmpeg 5.1 or newer, or put it beside the outboard binary)")]
    Start {
        /// What was to be run.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("ffmpeg ({what}) failed with {status}: {stderr}")]
    Failed {
        /// What it was doing.
        what: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote.
        stderr: String,
    },
    /// It was killed for taking too long.
    #[error("ffmpeg ({what}) took longer than {limit:?} and was ended: {stderr}")]
    Timeout {
        /// What it was doing.
        what: &'static str,
        /// The limit.
        limit: Duration,
        /// The last lines that it wrote.
        stderr: String,
    },
    /// Its output could not be read or was more than it should be.
    #[error("output of ffmpeg ({what}): {source}")]
    Output {
        /// What it was doing.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Its tenant has too many runs waiting.
    #[error("{waiting} ffmpeg runs of this tenant wait already: too many pipelines for limits.ffmpeg_processes")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
}

/// What ffmpeg and libc say where the disk, or what we may use of it, is full.
const DISK_FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];
/// What ffmpeg says when the end of a file could not be written: 5.1 ends with success all the same.
const NOT_WRITTEN: [&str; 2] = ["Error closing file", "Error writing trailer"];

impl FfmpegError {
    /// It could not write because the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Failed { stderr, .. } if DISK_FULL.iter().any(|words| stderr.contains(words)))
    }
}

/// A command with what every run of ours has: no stdin, no banner, errors only, the named protocols only.
///
/// `protocols` is ffmpeg's whitelist, such as `file,pipe`.
pub fn command(protocols: &str) -> FfmpegCommand {
    let mut command = FfmpegCommand::new();
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", protocols]);
    command
}

/// Starts ffmpeg with nothing connected, to run until it is killed or dropped.
pub fn background(mut command: FfmpegCommand) -> Result<Child, FfmpegError> {
    let mut process = process(&mut command);
    process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|source| not_started(&mut command, source))
}

/// A running ffmpeg. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    what: &'static str,
    child: Child,
    stderr: JoinHandle<String>,
    /// Its slot, free again when it has ended: dropped after the process.
    _permit: Option<Permit>,
}

/// When a pipeline's run is to begin: whose slots it takes, and by when.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The tenant's way into the queue.
    pub slots: &'a Slots,
    /// When it should begin at the latest; `None`: soon.
    pub by: Option<Instant>,
}

impl Turn<'_> {
    /// As [`output`], once it is its turn.
    pub async fn output(
        self,
        what: &'static str,
        command: FfmpegCommand,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<u8>, FfmpegError> {
        let _permit = self.slots.acquire(self.by).await?;
        output(what, command, most, limit).await
    }

    /// Starts ffmpeg with stdout on a pipe, once it is its turn. `what` names the job in errors.
    pub async fn spawn(
        self,
        what: &'static str,
        command: FfmpegCommand,
    ) -> Result<(Running, ChildStdout), FfmpegError> {
        let permit = self.slots.acquire(self.by).await?;
        let (mut running, stdout) = spawn(what, command)?;
        running._permit = Some(permit);
        Ok((running, stdout))
    }
}

fn spawn(what: &'static str, mut command: FfmpegCommand) -> Result<(Running, ChildStdout), FfmpegError> {
    let mut process = process(&mut command);
    process.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process.spawn().map_err(|source| not_started(&mut command, source))?;
    limit_memory(&child);
    match (child.stdout.take(), child.stderr.take()) {
        (Some(stdout), Some(stderr)) => {
            let stderr = tokio::spawn(tail(what, stderr).in_current_span());
            Ok((Running { what, child, stderr, _permit: None }, stdout))
        }
        _ => Err(not_started(&mut command, std::io::Error::other("its output is not connected"))),
    }
}

/// tokio's process for a command: without input, in a process group of its own, ended with its owner.
fn process(command: &mut FfmpegCommand) -> tokio::process::Command {
    let inner = command.as_inner_mut();
    let mut process = tokio::process::Command::new(inner.get_program());
    if let Some(dir) = inner.get_current_dir() {
        process.current_dir(dir);
    }
    // Ctrl-C at the terminal is for us alone: a batch under way is still to be finished.
    process.args(inner.get_args()).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    process
}

fn not_started(command: &mut FfmpegCommand, source: std::io::Error) -> FfmpegError {
    FfmpegError::Start { program: command.as_inner_mut().get_program().to_string_lossy().into_owned(), source }
}

impl Running {
    /// Waits for the end; kills it when `limit` is over.
    pub async fn finish(mut self, limit: Duration) -> Result<(), FfmpegError> {
        let what = self.what;
        let status = match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) => status.map_err(|source| FfmpegError::Output { what, source })?,
            Err(_) => {
                self.child.start_kill().ok();
                self.child.wait().await.ok();
                return Err(FfmpegError::Timeout { what, limit, stderr: self.last_words().await });
            }
        };
        let stderr = self.last_words().await;
        let written = !DISK_FULL.iter().chain(&NOT_WRITTEN).any(|words| stderr.contains(words));
        if status.success() && written { Ok(()) } else { Err(FfmpegError::Failed { what, status, stderr }) }
    }

    /// It took longer than `limit` already: kills it, unless it has just ended.
    pub async fn overdue(self, limit: Duration) -> Result<(), FfmpegError> {
        match self.finish(Duration::ZERO).await {
            Err(FfmpegError::Timeout { what, stderr, .. }) => Err(FfmpegError::Timeout { what, limit, stderr }),
            ended => ended,
        }
    }

    async fn last_words(&mut self) -> String {
        (&mut self.stderr).await.unwrap_or_default()
    }
}

/// Runs to the end and returns what it wrote to stdout, at most `most` bytes.
pub async fn output(
    what: &'static str,
    command: FfmpegCommand,
    most: usize,
    limit: Duration,
) -> Result<Vec<u8>, FfmpegError> {
    let (running, stdout) = spawn(what, command)?;
    let mut bytes = Vec::new();
    let read = async {
        stdout.take(most as u64 + 1).read_to_end(&mut bytes).await?;
        if bytes.len() > most { Err(std::io::Error::other(format!("more than {most} bytes"))) } else { Ok(()) }
    };
    match tokio::time::timeout(limit, read).await {
        Ok(Ok(())) => running.finish(limit).await?,
        Ok(Err(source)) => return Err(FfmpegError::Output { what, source }),
        Err(_) => running.overdue(limit).await?,
    }
    Ok(bytes)
}

/// The first line of `ffmpeg -version`, such as `ffmpeg version 5.1.9`.
pub async fn version() -> Result<String, FfmpegError> {
    let mut command = FfmpegCommand::new();
    command.arg("-version");
    let text = output("version", command, 64 * 1024, Duration::from_secs(10)).await?;
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned())
}

/// Bounds the child's address space; a runaway ffmpeg must not take the host with it.
fn limit_memory(child: &Child) {
    #[cfg(target_os = "linux")]
    if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
        let limit = rustix::process::Rlimit { current: Some(FFMPEG_MEMORY_BYTES), maximum: Some(FFMPEG_MEMORY_BYTES) };
        if let Err(error) = rustix::process::prlimit(Some(pid), rustix::process::Resource::As, limit) {
            tracing::debug!(%error, "no memory limit for ffmpeg");
        }
    }
}

/// Reads to the end, logs the first lines and keeps the last part, so that a flood of messages costs nothing.
async fn tail(what: &'static str, mut from: impl AsyncRead + Unpin) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = [0; 4096];
    let (mut lines, mut said) = (Lines::new(FFMPEG_LOG_LINE_BYTES), 0);
    let mut say = |line: &str| {
        said += 1;
        if said <= FFMPEG_LOG_LINES {
            tracing::info!(target: "ffmpeg", run = what, "{line}");
        }
    };
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        lines.feed(chunk.get(..n).unwrap_or_default(), &mut say);
        kept.extend_from_slice(chunk.get(..n).unwrap_or_default());
        let over = kept.len().saturating_sub(FFMPEG_STDERR_BYTES);
        kept.drain(..over);
    }
    lines.end(&mut say);
    if said > FFMPEG_LOG_LINES {
        tracing::info!(target: "ffmpeg", run = what, left_out = said - FFMPEG_LOG_LINES, "ffmpeg wrote more");
    }
    String::from_utf8_lossy(&kept).trim().replace('\n', " | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn says_its_version() {
        assert!(version().await.unwrap().starts_with("ffmpeg version"), "ffmpeg is needed for this test");
    }

    #[tokio::test]
    async fn a_failure_tells_what_ffmpeg_said() {
        let mut command = command("file");
        command.args(["-f", "mpegts", "-i", "/nonexistent/in.ts", "-f", "null", "-"]);
        let error = output("test", command, 1024, Duration::from_secs(10)).await.unwrap_err().to_string();
        assert!(error.contains("/nonexistent/in.ts"), "{error}");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_from_other_failures() {
        let run = |to: &'static str| async move {
            let mut command = command("file,pipe");
            command.args(["-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-f", "rawvideo", to]);
            output("test", command, 1000, Duration::from_secs(10)).await.unwrap_err()
        };
        let full = run("/dev/full").await;
        assert!(full.is_disk_full(), "{full}");
        assert!(!run("/nonexistent/out").await.is_disk_full());
    }

    #[tokio::test]
    async fn a_run_over_its_time_is_ended() {
        let mut command = command("file,pipe");
        command.args(["-re", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-f", "null", "-"]);
        let error = output("test", command, 1024, Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, FfmpegError::Timeout { .. }), "{error}");
    }

    #[tokio::test]
    async fn more_output_than_allowed_is_an_error() {
        let mut command = command("file,pipe");
        command.args(["-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-f", "rawvideo", "pipe:1"]);
        let error = output("test", command, 1000, Duration::from_secs(10)).await.unwrap_err();
        assert!(matches!(error, FfmpegError::Output { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_missing_binary_is_named() {
        let error = spawn("test", FfmpegCommand::new_with_path("/nonexistent/ffmpeg")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/ffmpeg") && error.contains("install"), "{error}");
    }
}
