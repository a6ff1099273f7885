//! A running child process, which owns its whole process group.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::limits::CHILD_REAPED;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited on its own.
    Itself(ExitStatus),
    /// Its time limit expired and it was killed.
    Killed,
}

/// A child process. Its own children are in its process group and end with it: when it exits, when it is killed, and
/// when this is dropped.
#[derive(Debug)]
pub struct Child {
    /// Its standard input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if that is a pipe.
    pub stderr: Option<ChildStderr>,
    inner: tokio::process::Child,
    /// Its process group, until it is reaped; after that the number may be reused.
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

    /// Its process id, which is also its group's, until it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.inner.id()
    }

    /// Waits until it ends, and ends the rest of its group. Cancel safe.
    ///
    /// # Errors
    /// The operating system does not report how it ended.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        // Its number must stay in use until its group is killed: first the end is detected, then the group is killed,
        // then the child is reaped.
        #[cfg(target_os = "linux")]
        if let Some(handle) = self.handle.as_ref().filter(|_| self.group.is_some()) {
            handle.readable().await?.retain_ready();
            self.kill();
        }
        let status = self.inner.wait().await;
        let group = self.group.take();
        // Killed above; by now the number may be reused.
        #[cfg(target_os = "linux")]
        let group = group.filter(|_| self.handle.is_none());
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        status
    }

    /// [`wait`](Self::wait) with a time limit, after which it is killed. Killing takes at most [`CHILD_REAPED`].
    ///
    /// # Errors
    /// The operating system does not report how it ended.
    pub async fn wait_for(&mut self, limit: Duration) -> io::Result<Ended> {
        match tokio::time::timeout(limit, self.wait()).await {
            Ok(status) => status.map(Ended::Itself),
            Err(_) => {
                self.end().await;
                Ok(Ended::Killed)
            }
        }
    }

    /// Kills its process group, without waiting.
    pub fn kill(&mut self) {
        if let Some(group) = self.group {
            kill_process_group(group, Signal::KILL).ok();
        }
    }

    /// Kills its process group and waits until it has ended. At most [`CHILD_REAPED`].
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
