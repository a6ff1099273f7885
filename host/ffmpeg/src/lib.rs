//! Runs ffmpeg: each process with a time limit, its output bounded and its last words kept.
//!
//! What pipelines run per batch takes its [`Turn`] in the [`queue`] first; [`output`] and [`background`] are for the host's
//! own runs (version, doctor, demo). What ffmpeg says is logged under the target `ffmpeg`.
//!
//! `ffmpeg-sidecar` finds the binary and builds the command. The process itself is started by [`outboard_process`]: the
//! sidecar's is driven by blocking threads, cannot be killed with its owner, and takes stdout for its own parser, where we
//! need the bytes.
//!
//! In: command lines and who asks. Out: their output, or [`FfmpegError`]. Limits: [`limits`]. It uses `outboard-process` and
//! `outboard-base`, and never knows batches, segments or where files lie.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::Instant;

use outboard_process::{Child, Ended, LaunchError};

mod command;
pub mod limits;
pub mod queue;
mod said;

pub use command::{Command, command, walls};
pub use queue::{Permit, Queue, Slots};
use said::Said;

/// Why an ffmpeg run failed.
#[derive(Debug, thiserror::Error)]
pub enum FfmpegError {
    /// The binary could not be started.
    #[error("{0} (install ffmpeg 5.1 or newer, or put it beside the outboard binary)")]
    Start(#[from] LaunchError),
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

/// Starts ffmpeg with nothing connected and without an end to its time, until it ends by itself, is killed or dropped.
pub async fn background(mut command: Command) -> Result<Child, FfmpegError> {
    command.walls.cpu = None;
    command.launch(Stdio::null(), Stdio::null()).await
}

/// A running ffmpeg. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    what: &'static str,
    child: Child,
    said: Said,
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
        command: Command,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<u8>, FfmpegError> {
        let _permit = self.slots.acquire(self.by).await?;
        output(what, command, most, limit).await
    }

    /// Starts ffmpeg with stdout on a pipe, once it is its turn. `what` names the job in errors.
    pub async fn spawn(self, what: &'static str, command: Command) -> Result<(Running, ChildStdout), FfmpegError> {
        let permit = self.slots.acquire(self.by).await?;
        let (mut running, stdout) = spawn(what, command).await?;
        running._permit = Some(permit);
        Ok((running, stdout))
    }
}

async fn spawn(what: &'static str, command: Command) -> Result<(Running, ChildStdout), FfmpegError> {
    let mut child = command.launch(Stdio::piped(), Stdio::piped()).await?;
    match (child.stdout.take(), child.stderr.take()) {
        (Some(stdout), Some(stderr)) => {
            Ok((Running { what, child, said: Said::by(what, stderr), _permit: None }, stdout))
        }
        _ => Err(FfmpegError::Output { what, source: std::io::Error::other("it is not connected") }),
    }
}

impl Running {
    /// Waits for the end; kills it, and all that it started, when `limit` is over.
    pub async fn finish(mut self, limit: Duration) -> Result<(), FfmpegError> {
        let what = self.what;
        let status = match self.child.wait_for(limit).await {
            Ok(Ended::Itself(status)) => status,
            Ok(Ended::Killed) => return Err(FfmpegError::Timeout { what, limit, stderr: self.said.all().await }),
            Err(source) => return Err(FfmpegError::Output { what, source }),
        };
        let stderr = self.said.all().await;
        let written = !DISK_FULL.iter().chain(&NOT_WRITTEN).any(|words| stderr.contains(words));
        if status.success() && written { Ok(()) } else { Err(FfmpegError::Failed { what, status, stderr }) }
    }

    /// Kills it, and all that it started: `limit`, which is over, was its time.
    pub async fn overdue(mut self, limit: Duration) -> FfmpegError {
        self.child.end().await;
        FfmpegError::Timeout { what: self.what, limit, stderr: self.said.all().await }
    }
}

/// Runs to the end and returns what it wrote to stdout, at most `most` bytes.
pub async fn output(
    what: &'static str,
    command: Command,
    most: usize,
    limit: Duration,
) -> Result<Vec<u8>, FfmpegError> {
    let (running, stdout) = spawn(what, command).await?;
    let mut bytes = Vec::new();
    let read = async {
        stdout.take(most as u64 + 1).read_to_end(&mut bytes).await?;
        if bytes.len() > most { Err(std::io::Error::other(format!("more than {most} bytes"))) } else { Ok(()) }
    };
    match tokio::time::timeout(limit, read).await {
        Ok(Ok(())) => running.finish(limit).await?,
        Ok(Err(source)) => return Err(FfmpegError::Output { what, source }),
        Err(_) => return Err(running.overdue(limit).await),
    }
    Ok(bytes)
}

/// The first line of `ffmpeg -version`, such as `ffmpeg version 5.1.9`.
pub async fn version() -> Result<String, FfmpegError> {
    let mut command = Command::bare();
    command.arg("-version");
    let text = output("version", command, 64 * 1024, Duration::from_secs(10)).await?;
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned())
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
            command.writes("/dev/full");
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
        // What ran out, and how much it was, though none of it was left when the run was ended.
        let text = error.to_string();
        assert!(text.starts_with("ffmpeg (test) took longer than 200ms and was ended"), "{text}");
    }

    #[tokio::test]
    async fn what_is_left_of_a_limit_is_not_what_is_told() {
        let endless = async || {
            let mut command = command("file,pipe");
            command.args(["-re", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-f", "null", "-"]);
            spawn("test", command).await.unwrap()
        };
        let (running, _stdout) = endless().await;
        let error = running.finish(Duration::from_millis(100)).await.unwrap_err().to_string();
        assert!(error.starts_with("ffmpeg (test) took longer than 100ms and was ended"), "{error}");
        let (running, _stdout) = endless().await;
        let error = running.overdue(Duration::from_secs(30)).await.to_string();
        assert!(error.starts_with("ffmpeg (test) took longer than 30s and was ended"), "{error}");
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
        let error = spawn("test", Command::of("/nonexistent/ffmpeg")).await.unwrap_err().to_string();
        assert!(error.contains("/nonexistent/ffmpeg") && error.contains("install"), "{error}");
    }
}
