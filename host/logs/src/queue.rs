//! The way from those who log to the one thread that writes files and wakes readers: bounded, and nobody waits to get in.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::record::LogRecord;
use super::ring::Key;
use crate::limits::LOG_QUEUE_LINES;

/// What the thread is to do, in this order.
#[derive(Debug)]
pub(super) enum Job {
    /// Write a line.
    Line(Arc<LogRecord>),
    /// Remove a stream's files, or without one all of the tenant's, then answer.
    Forget(Key, oneshot::Sender<()>),
    /// Answer.
    Flush(SyncSender<()>),
}

/// What there is to do now.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) jobs: VecDeque<Job>,
    /// Where files go from now on.
    pub(super) root: Option<PathBuf>,
    /// There are new lines...
    pub(super) news: bool,
    /// ...for these groups of readers.
    pub(super) groups: u64,
    /// This is all that follows.
    pub(super) closed: bool,
}

#[derive(Debug, Default)]
struct State {
    work: Work,
    /// Files are written.
    writing: bool,
    /// Somebody waits for an answer.
    urgent: bool,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    more: Condvar,
}

impl Queue {
    /// Adds a line and whom to wake for it. False if it will not be written because too many wait already.
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

    /// Adds what somebody waits for.
    pub(super) fn ask(&self, job: Job) {
        let mut state = self.lock();
        state.work.jobs.push_back(job);
        state.urgent = true;
        drop(state);
        self.more.notify_one();
    }

    /// Files are written below `root` from the next line on.
    pub(super) fn open(&self, root: PathBuf) {
        let mut state = self.lock();
        state.work.root = Some(root);
        state.writing = true;
    }

    /// The thread ends after what is there now.
    pub(super) fn close(&self) {
        self.lock().work.closed = true;
        self.more.notify_one();
    }

    /// All there is to do, as soon as there is anything; nothing at `until`.
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

    /// Waits so long, or until somebody waits for an answer.
    pub(super) fn pause(&self, wait: Duration) {
        let may = |state: &mut State| !state.urgent && !state.work.closed;
        drop(self.more.wait_timeout_while(self.lock(), wait, may));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
