//! The queue from writers of log lines to the one thread that writes files and wakes readers. Bounded; adding never
//! waits.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::record::LogRecord;
use super::ring::Key;
use crate::limits::LOG_QUEUE_LINES;

/// A job of the thread; jobs run in this order.
#[derive(Debug)]
pub(super) enum Job {
    /// Write a line to the file of its stream.
    Line(Arc<LogRecord>),
    /// Remove a stream's files, or without a stream all of the tenant's, then reply.
    Forget(Key, oneshot::Sender<()>),
    /// Reply once all earlier lines are written.
    Flush(SyncSender<()>),
}

/// The work that the thread takes in one go.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) jobs: VecDeque<Job>,
    /// The folder for files from now on.
    pub(super) root: Option<PathBuf>,
    /// Whether there are new lines.
    pub(super) news: bool,
    /// The groups of readers to wake for them.
    pub(super) groups: u64,
    /// Whether the queue is closed and no more work follows.
    pub(super) closed: bool,
}

#[derive(Debug, Default)]
struct State {
    work: Work,
    /// Lines are written to files.
    writing: bool,
    /// A caller waits for a reply.
    urgent: bool,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    more: Condvar,
}

impl Queue {
    /// Adds a line and the groups to wake for it. Returns false if the queue is full and the line will not be written
    /// to its file.
    pub(super) fn push(&self, record: Arc<LogRecord>, groups: u64) -> bool {
        let mut state = self.lock();
        (state.work.news, state.work.groups) = (true, state.work.groups | groups);
        let for_file = state.writing && record.tenant.is_some() && record.stream.is_some();
        let fits = state.work.jobs.len() < LOG_QUEUE_LINES;
        if for_file && fits {
            state.work.jobs.push_back(Job::Line(record));
        }
        drop(state);
        self.more.notify_one();
        fits || !for_file
    }

    /// Adds a job that a caller waits for.
    pub(super) fn ask(&self, job: Job) {
        let mut state = self.lock();
        state.work.jobs.push_back(job);
        state.urgent = true;
        drop(state);
        self.more.notify_one();
    }

    /// Writes the following lines to files below `root`.
    pub(super) fn open(&self, root: PathBuf) {
        let mut state = self.lock();
        state.work.root = Some(root);
        state.writing = true;
    }

    /// Ends the thread after the pending work.
    pub(super) fn close(&self) {
        self.lock().work.closed = true;
        self.more.notify_one();
    }

    /// Waits for work and returns all of it; returns none at `until`.
    pub(super) fn wait(&self, until: Instant) -> Work {
        let idle = |state: &mut State| state.work.jobs.is_empty() && !state.work.news && !state.work.closed;
        let wait = until.saturating_duration_since(Instant::now());
        let (mut state, _) =
            self.more.wait_timeout_while(self.lock(), wait, idle).unwrap_or_else(PoisonError::into_inner);
        state.urgent = false;
        let closed = state.work.closed;
        let work = std::mem::take(&mut state.work);
        state.work.closed = closed;
        work
    }

    /// Waits for this time, or until a caller waits for a reply.
    pub(super) fn pause(&self, wait: Duration) {
        let may = |state: &mut State| !state.urgent && !state.work.closed;
        drop(self.more.wait_timeout_while(self.lock(), wait, may));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
