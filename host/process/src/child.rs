//! A running child, which owns its whole process group.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::limits::CHILD_REAPED;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Itself(ExitStatus),
    /// Its time was over and it was killed.
    Killed,
}

/// A child process. What it started is in its process group and ends with it: when it ends by itself, when it is killed,
/// and when this is dropped.
#[derive(Debug)]
pub struct Child {
    /// Its input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Its messages, if those are a pipe.
    pub stderr: Option<ChildStderr>,
    inner: tokio::process::Child,
    /// Until it is reaped; after that the number may be another's.
    group: Option<Pid>,
    #[cfg(target_os = "linux")]
    handle: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
}

impl Child {
    pub(super) fn new(mut inner: tokio::process::Child) -> Self {
        let group = inner.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        #[cfg(target_os = "linux")]
        let handle = group.and_then(super::linux::handle);
        Self {
            stdin: inner.stdin.take(),
            stdout: inner.stdout.take(),
            stderr: inner.stderr.take(),
            inner,
            group,
            #[cfg(target_os = "linux")]
            handle,
        }
    }

    /// Its process id, which is its group's too, until it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// Waits until it ends, and ends what is left of its group. Cancel-safe.
    ///
    /// # Errors
    /// The system does not tell how it ended.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        // Its number must not be free before the group that bears it is killed: the end is seen first, then the group
        // is ended, then the child is reaped.
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.handle.as_ref().filter(|_| self.group.is_some()) {
            handle.readable().await?.retain_ready();
            self.kill();
        }
        let status = self.inner.wait().await;
        let group = self.group.take();
        // Ended above; by now the number may be another's.
        #[cfg(target_os = "linux")]
        let group = group.filter(|_| self.handle.is_none());
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        status
    }

    /// As [`wait`](Self::wait); kills it when `limit` is over. A kill takes [`CHILD_REAPED`] at most.
    ///
    /// # Errors
    /// The system does not tell how it ended.
    pub async fn wait_for(&mut self, limit: Duration) -> io::Result<Ended> {
        match tokio::time::timeout(limit, self.wait()).await {
            Ok(status) => status.map(Ended::Itself),
            Err(_) => {
                self.end().await;
                Ok(Ended::Killed)
            }
        }
    }

    /// Kills it with all that it started, without waiting.
    pub fn kill(&mut self) {
        if let Some(group) = self.group {
            kill_process_group(group, Signal::KILL).ok();
        }
    }

    /// Kills it with all that it started, and waits until it is gone. At most [`CHILD_REAPED`].
    pub async fn end(&mut self) {
        self.kill();
        if tokio::time::timeout(CHILD_REAPED, self.wait()).await.is_err() {
            tracing::warn!(pid = self.id(), "a killed child is still there after {} s", CHILD_REAPED.as_secs());
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // tokio reaps it.
        self.kill();
    }
}
