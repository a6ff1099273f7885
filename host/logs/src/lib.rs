//! The log: makes tracing events available to people and to the API.
//!
//! In: events, through the [`HubLayer`] in tracing's subscriber. The fields `tenant`, `stream` and `batch` of the event
//! or of the enclosing spans tell what they are about. Out: the newest lines of each stream in memory
//! ([`LogHub::query`]), live feeds ([`LogHub::subscribe`]) and rolling files below the storage folder. [`telemetry`]
//! writes the console.
//!
//! A line belongs to its tenant; a [`Filter`] made for a tenant never matches lines of another tenant or of the host.
//! Logging never waits: lines over the rate of a stream or a tenant are dropped and counted, as are lines for a full
//! file queue. A reader holds a position in the ring, not a queue: a slow reader loses the oldest lines and learns how
//! many. Limits: [`limits`]. Uses `outboard-base` only; does not depend on pipelines, stages or requests.

pub mod limits;
// starts logging for the process
pub mod telemetry;

mod bucket;

// a line, and who may read it
mod filter;
mod record;

// input from tracing
mod layer;

// storage of lines
mod hub;
mod ring;

// output to readers and files
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

/// The log of a process. Cheap to clone; feeds end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct LogHub(Arc<Owner>);

/// Ends the thread when dropped.
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

/// From which end matching lines are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// The oldest lines, up to this number.
    First(usize),
    /// The newest lines, up to this number.
    Last(usize),
}

/// The result of a query, in the order of ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The matching lines, with rising ids.
    pub records: Vec<Arc<LogRecord>>,
    /// Whether more lines match in the direction of the query.
    pub more: bool,
}

/// Counts since the start, and current sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Lines that were accepted.
    pub lines: u64,
    /// Lines over the rate of a stream or tenant, which are in no ring, file or console.
    pub left_out: u64,
    /// Lines that are in no file because the queue was full.
    pub unwritten: u64,
    /// Lines that are in no file because writing failed.
    pub failed: u64,
    /// Bytes of the lines in memory.
    pub bytes: usize,
    /// Number of streams, tenants and hosts that have lines in memory.
    pub streams: usize,
    /// Number of live feeds.
    pub subscribers: usize,
}

impl LogHub {
    /// Starts an empty log.
    #[expect(clippy::new_without_default, reason = "it starts a thread")]
    pub fn new() -> Self {
        let shared = Arc::new(Shared::new());
        let failures = Arc::new(AtomicU64::new(0));
        let files = Files::new(failures.clone());
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("logs".into());
        if let Err(error) = thread.spawn(move || writer::run(&of_thread, files)) {
            // Lines are still stored in memory and can be queried.
            tracing::error!(%error, "cannot start the log's thread: no log files and no live feed");
            shared.close();
        }
        Self(Arc::new(Owner { shared, failures }))
    }

    /// The layer for tracing's subscriber that feeds this log.
    pub fn layer(&self) -> HubLayer {
        HubLayer(self.clone())
    }

    /// Writes the following lines of streams to files below `storage`.
    pub fn open(&self, storage: &Path) {
        self.shared().queue.open(storage.to_owned());
    }

    /// Matching lines in memory, at most [`LOG_QUERY_MAX`], after the id `after` and before the id `before`.
    pub fn query(&self, filter: &Filter, take: Take, after: Option<u64>, before: Option<u64>) -> Page {
        let rings = self.shared().rings_for(filter);
        let (after_id, before_id) = (after.unwrap_or(0), before.unwrap_or(u64::MAX));
        let (Take::First(most) | Take::Last(most)) = take;
        let most = most.min(LOG_QUERY_MAX);
        let within = |record: &Arc<LogRecord>| record.id > after_id && record.id < before_id;
        // One more line than wanted, to know whether there are more.
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

    /// Follows matching lines: first the last `last` lines (at most [`LOG_QUERY_MAX`]), then each new one.
    pub fn subscribe(&self, filter: Filter, last: usize) -> Feed {
        Feed::new(self.shared().clone(), filter, last.min(LOG_QUERY_MAX))
    }

    /// Removes a stream's lines from memory and its files. For a deleted pipeline that writes no more.
    pub async fn forget(&self, tenant: &str, stream: &str) {
        self.remove(Key { tenant: Some(tenant.into()), stream: Some(stream.into()) }).await;
    }

    /// Removes all lines of a tenant from memory and its files. For a deleted tenant, whose name may be used again.
    pub async fn forget_tenant(&self, tenant: &str) {
        self.remove(Key { tenant: Some(tenant.into()), stream: None }).await;
    }

    async fn remove(&self, key: Key) {
        self.shared().remove(&key);
        let (done, answer) = oneshot::channel();
        // Without the thread there are no files.
        if !self.shared().closed() {
            self.shared().queue.ask(Job::Forget(key, done));
            let _ = answer.await;
        }
    }

    /// Waits, at most for `limit`, until all lines so far are in their files. Called at the end of the process.
    pub fn flush(&self, limit: Duration) -> bool {
        let (done, answer) = sync_channel(1);
        self.shared().queue.ask(Job::Flush(done));
        !self.shared().closed() && answer.recv_timeout(limit).is_ok()
    }

    /// Reads the counts since the start and the current sizes.
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
