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
    /// The child ended by itself, with this status.
    Itself(ExitStatus),
    /// The child was killed, because its time was over.
    Killed,
}

/// A child process. The processes that it starts are in its process group. They are killed with it: when it ends, when it is killed,
/// and when this is dropped.
#[derive(Debug)]
pub struct Child {
    /// Its standard input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if that is a pipe.
    pub stderr: Option<ChildStderr>,
    inner: tokio::process::Child,
    /// The process id until it is reaped; afterwards the id may be reused.
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

    /// Its process id, which is also that of its group; `None` after it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// Waits until it ends, then kills the rest of its group. Cancel-safe.
    ///
    /// # Errors
    /// The system's error if the exit status cannot be read.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        // The process id must not be reused before its group is killed: first the end is seen, then the group is killed, then the
        // child is reaped.
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.handle.as_ref().filter(|_| self.group.is_some()) {
            handle.readable().await?.retain_ready();
            self.kill();
        }
        let status = self.inner.wait().await;
        let group = self.group.take();
        // It has ended; the process id may be reused by now.
        #[cfg(target_os = "linux")]
        let group = group.filter(|_| self.handle.is_none());
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        status
    }

    /// Like [`wait`](Self::wait), but kills it when `limit` is over, which takes [`CHILD_REAPED`] at most.
    ///
    /// # Errors
    /// The system's error if the exit status cannot be read.
    pub async fn wait_for(&mut self, limit: Duration) -> io::Result<Ended> {
        match tokio::time::timeout(limit, self.wait()).await {
            Ok(status) => status.map(Ended::Itself),
            Err(_) => {
                self.end().await;
                Ok(Ended::Killed)
            }
        }
    }

    /// Kills it and its group, without waiting.
    pub fn kill(&mut self) {
        if let Some(group) = self.group {
            kill_process_group(group, Signal::KILL).ok();
        }
    }

    /// Kills it and its group, and waits until it has ended, for at most [`CHILD_REAPED`].
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
