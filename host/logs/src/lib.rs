//! The log: what tracing's events become for people and for the API.
//!
//! In: events, through the [`HubLayer`] in tracing's subscriber; whom they are about comes from the fields `tenant`,
//! `stream` and `batch` of the event or the spans around it. Out: the newest lines of each stream in memory
//! ([`LogHub::query`]), live feeds ([`LogHub::subscribe`]) and rolling files below the storage folder. The console is
//! [`telemetry`]'s.
//!
//! A line belongs to its tenant; a [`Filter`] made for a tenant never lets another's pass, nor the host's own. One who logs
//! never waits: what is over a stream's or a tenant's rate is left out and counted, a full queue to the files likewise,
//! and readers have a place in the ring, not a queue: a slow one loses the oldest lines and is told how many. Limits:
//! [`limits`]. Uses `outboard-base` only, and never knows what a pipeline, a stage or a request is.

pub mod limits;
// starts logging for the process
pub mod telemetry;

mod bucket;

// a line and who may read it
mod filter;
mod record;

// from tracing
mod layer;

// where lines are kept
mod hub;
mod ring;

// to readers and files
mod feed;
mod files;
mod queue;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::sync::oneshot;

pub use feed::{Feed, Item};
pub use filter::Filter;
pub use layer::HubLayer;
pub use record::{Level, LogRecord, Value};

use crate::limits::LOG_QUERY_MAX;
use files::Files;
use hub::Shared;
use queue::Job;
use ring::Key;

/// The log of a process. Cheap to clone; feeds end with the last one.
#[derive(Debug, Clone)]
pub struct LogHub(Arc<Owner>);

/// Ends the thread.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    failures: Arc<AtomicU64>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// Which end of what passes the filter is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// The oldest so many.
    First(usize),
    /// The newest so many.
    Last(usize),
}

/// Lines that were asked for, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The lines.
    pub records: Vec<Arc<LogRecord>>,
    /// There are more in the direction that was taken from.
    pub more: bool,
}

/// What the log has counted since the start, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Lines that were taken in.
    pub lines: u64,
    /// Lines over a stream's or tenant's rate, in no ring, file or console.
    pub left_out: u64,
    /// Lines that are in no file because too many waited to be written.
    pub unwritten: u64,
    /// Lines that are in no file because it could not be written.
    pub failed: u64,
    /// Bytes of the lines in memory.
    pub bytes: usize,
    /// Streams with lines in memory, and tenants and the host with lines of their own.
    pub streams: usize,
    /// Feeds.
    pub subscribers: usize,
}

impl LogHub {
    /// Starts a log, with nothing in it.
    #[expect(clippy::new_without_default, reason = "it starts a thread")]
    pub fn new() -> Self {
        let shared = Arc::new(Shared::new());
        let failures = Arc::new(AtomicU64::new(0));
        let files = Files::new(failures.clone());
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("logs".into());
        if let Err(error) = thread.spawn(move || writer::run(&of_thread, files)) {
            // Lines are kept and can be asked for.
            tracing::error!(%error, "no thread for the log: no files and no live feed");
            shared.close();
        }
        Self(Arc::new(Owner { shared, failures }))
    }

    /// What feeds it, for tracing's subscriber.
    pub fn layer(&self) -> HubLayer {
        HubLayer(self.clone())
    }

    /// From now on lines of streams are written to files below `storage`.
    pub fn open(&self, storage: &Path) {
        self.shared().queue.open(storage.to_owned());
    }

    /// Lines in memory that pass, at most [`LOG_QUERY_MAX`]; after the id `after` and before the id `before`.
    pub fn query(&self, filter: &Filter, take: Take, after: Option<u64>, before: Option<u64>) -> Page {
        let rings = self.shared().rings_for(filter);
        let (after_id, before_id) = (after.unwrap_or(0), before.unwrap_or(u64::MAX));
        let (Take::First(most) | Take::Last(most)) = take;
        let most = most.min(LOG_QUERY_MAX);
        let within = |record: &Arc<LogRecord>| record.id > after_id && record.id < before_id;
        // One more than wanted: is there more?
        let found = rings.iter().flat_map(|ring| match take {
            Take::First(_) => ring.first(after_id, most + 1, filter),
            Take::Last(_) => ring.last(before_id, most + 1, filter),
        });
        let mut records: Vec<_> = found.filter(within).collect();
        records.sort_unstable_by_key(|record| record.id);
        let over = records.len().saturating_sub(most);
        match take {
            Take::First(_) => records.truncate(most),
            Take::Last(_) => drop(records.drain(..over)),
        }
        Page { records, more: over > 0 }
    }

    /// Follows what passes: the last `last` lines first (at most [`LOG_QUERY_MAX`]), then each new one.
    pub fn subscribe(&self, filter: Filter, last: usize) -> Feed {
        Feed::new(self.shared().clone(), filter, last.min(LOG_QUERY_MAX))
    }

    /// Lets go of a stream's lines in memory and removes its files. For a pipeline that is deleted and writes no more.
    pub async fn forget(&self, tenant: &str, stream: &str) {
        self.remove(Key { tenant: Some(tenant.into()), stream: Some(stream.into()) }).await;
    }

    /// Lets go of all lines of a tenant in memory and removes its files. For one that is deleted, whose name another may
    /// get.
    pub async fn forget_tenant(&self, tenant: &str) {
        self.remove(Key { tenant: Some(tenant.into()), stream: None }).await;
    }

    async fn remove(&self, key: Key) {
        self.shared().remove(&key);
        let (done, answer) = oneshot::channel();
        // Without the thread there are no files either.
        if !self.shared().closed() {
            self.shared().queue.ask(Job::Forget(key, done));
            let _ = answer.await;
        }
    }

    /// Waits until the lines so far are in their files, at most so long. For the end of the process.
    pub fn flush(&self, limit: Duration) -> bool {
        let (done, answer) = sync_channel(1);
        self.shared().queue.ask(Job::Flush(done));
        !self.shared().closed() && answer.recv_timeout(limit).is_ok()
    }

    /// What it has counted.
    pub fn counts(&self) -> LogCounts {
        let shared = self.shared();
        let (bytes, streams) = shared.held();
        LogCounts {
            lines: shared.counts.lines.load(Ordering::Relaxed),
            left_out: shared.counts.left_out.load(Ordering::Relaxed),
            unwritten: shared.counts.unwritten.load(Ordering::Relaxed),
            failed: self.0.failures.load(Ordering::Relaxed),
            bytes,
            streams,
            subscribers: shared.counts.subscribers.load(Ordering::Relaxed),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

#[cfg(test)]
mod tests;
