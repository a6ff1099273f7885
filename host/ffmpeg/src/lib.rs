//! Runs ffmpeg: each process with a time limit, bounded output, and the end of its stderr for errors.
//!
//! Runs of pipelines wait for their [`Turn`] in the [`queue`] first; [`output`] and [`background`] are for the host's own runs
//! (version, doctor, demo). ffmpeg's stderr is logged under the target `ffmpeg`.
//!
//! `ffmpeg-sidecar` finds the binary and builds the command. The process itself is started by [`outboard_process`], because the
//! sidecar's processes need blocking threads, are not killed with their owner, and pass stdout to a parser instead of the caller.
//!
//! In: command lines, and the tenants that they run for. Out: their output, or [`FfmpegError`]. Limits: [`limits`]. It uses
//! `outboard-process` and `outboard-base`, and never depends on batches, segments or the places of files.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::Instant;

use outboard_process::{Child, Ended, LaunchError};

mod command;
pub mod limits;
pub mod queue;
mod stderr;

pub use command::{Command, command, confinement};
pub use queue::{Permit, Queue, Slots};
use stderr::Stderr;

/// Why an ffmpeg run failed.
#[derive(Debug, thiserror::Error)]
pub enum FfmpegError {
    /// The binary could not be started.
    #[error("{0} (install ffmpeg 5.1 or newer, or put it beside the outboard binary)")]
    Start(#[from] LaunchError),
    /// ffmpeg ended with an error.
    #[error("ffmpeg ({what}) failed with {status}: {stderr}")]
    Failed {
        /// The purpose of the run.
        what: &'static str,
        /// The exit status of the process.
        status: ExitStatus,
        /// The last part of its stderr.
        stderr: String,
    },
    /// ffmpeg was killed, because its time was over.
    #[error("ffmpeg ({what}) took longer than {limit:?} and was ended: {stderr}")]
    Timeout {
        /// The purpose of the run.
        what: &'static str,
        /// The time limit of the run.
        limit: Duration,
        /// The last part of its stderr.
        stderr: String,
    },
    /// ffmpeg's output could not be read, or was too large.
    #[error("output of ffmpeg ({what}): {source}")]
    Output {
        /// The purpose of the run.
        what: &'static str,
        /// The system's error, or the exceeded size.
        source: std::io::Error,
    },
    /// Too many runs of the tenant wait.
    #[error("{waiting} ffmpeg runs of this tenant wait already: too many pipelines for limits.ffmpeg_processes")]
    Busy {
        /// How many runs of the tenant wait.
        waiting: usize,
    },
}

/// Texts of ffmpeg and libc for a full disk or an exhausted quota.
const DISK_FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];
/// Texts of ffmpeg for a file whose end was not written; ffmpeg 5.1 then ends with success nevertheless.
const NOT_WRITTEN: [&str; 2] = ["Error closing file", "Error writing trailer"];

impl FfmpegError {
    /// True if ffmpeg could not write because the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Failed { stderr, .. } if DISK_FULL.iter().any(|words| stderr.contains(words)))
    }
}

/// Starts ffmpeg without pipes and without a time limit. It runs until it ends, or until the child is killed or dropped.
///
/// # Errors
/// [`FfmpegError::Start`].
pub async fn background(mut command: Command) -> Result<Child, FfmpegError> {
    command.confinement.cpu = None;
    command.launch(Stdio::null(), Stdio::null()).await
}

/// A running ffmpeg. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    what: &'static str,
    child: Child,
    stderr: Stderr,
    /// Its slot in the queue. Dropped after the process has ended.
    _permit: Option<Permit>,
}

/// The request of a pipeline's run for a slot in the queue.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The slots of the tenant.
    pub slots: &'a Slots,
    /// When the run should begin at the latest; `None`: no deadline.
    pub by: Option<Instant>,
}

impl Turn<'_> {
    /// Like [`output`], after waiting for a slot.
    ///
    /// # Errors
    /// [`FfmpegError`]; [`FfmpegError::Busy`] if too many runs of the tenant wait.
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

    /// Starts ffmpeg with its stdout on a pipe, after waiting for a slot. `what` names the run in errors.
    ///
    /// # Errors
    /// [`FfmpegError::Start`]; [`FfmpegError::Busy`] if too many runs of the tenant wait.
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
            Ok((Running { what, child, stderr: Stderr::by(what, stderr), _permit: None }, stdout))
        }
        _ => Err(FfmpegError::Output { what, source: std::io::Error::other("it is not connected") }),
    }
}

impl Running {
    /// Waits until ffmpeg ends. When `limit` is over, kills it with its process group.
    ///
    /// # Errors
    /// [`FfmpegError::Failed`] also if it ended with success but did not write everything.
    pub async fn finish(mut self, limit: Duration) -> Result<(), FfmpegError> {
        let what = self.what;
        let status = match self.child.wait_for(limit).await {
            Ok(Ended::Itself(status)) => status,
            Ok(Ended::Killed) => return Err(FfmpegError::Timeout { what, limit, stderr: self.stderr.all().await }),
            Err(source) => return Err(FfmpegError::Output { what, source }),
        };
        let stderr = self.stderr.all().await;
        let written = !DISK_FULL.iter().chain(&NOT_WRITTEN).any(|words| stderr.contains(words));
        if status.success() && written { Ok(()) } else { Err(FfmpegError::Failed { what, status, stderr }) }
    }

    /// Kills it with its process group, because its `limit` is over; returns the error that says so.
    pub async fn overdue(mut self, limit: Duration) -> FfmpegError {
        self.child.end().await;
        FfmpegError::Timeout { what: self.what, limit, stderr: self.stderr.all().await }
    }
}

/// Runs ffmpeg to its end and returns its stdout, at most `most` bytes. `what` names the run in errors.
///
/// # Errors
/// [`FfmpegError`]: it failed, took longer than `limit`, or wrote more.
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
///
/// # Errors
/// [`FfmpegError`] if ffmpeg cannot be run.
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
