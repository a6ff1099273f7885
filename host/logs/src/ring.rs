//! The newest lines of one stream, limited in number and bytes. Any number of readers share them without copying.
//!
//! Lines are numbered from 0 as they arrive (their *place*). A reader remembers the next place to read. A slow reader
//! learns how many lines it missed, and costs nothing in the meantime.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use super::bucket::Bucket;
use super::filter::Filter;
use super::record::LogRecord;
use crate::limits::{
    LOG_HOST_LINES_BURST, LOG_HOST_LINES_PER_SECOND, LOG_LINES_BURST, LOG_LINES_PER_SECOND, LOG_RING_BYTES,
    LOG_RING_RECORDS,
};

/// The owner of the lines: a tenant's stream, a tenant, or the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: Option<Arc<str>>,
    pub(super) stream: Option<Arc<str>>,
}

/// The shared rate limit of all streams of a tenant.
pub(super) type Share = Arc<Mutex<Bucket>>;

#[derive(Debug)]
pub(super) struct Ring {
    pub(super) key: Key,
    lines: RwLock<Lines>,
    rate: Mutex<Bucket>,
    share: Option<Share>,
    left_out: AtomicU64,
}

#[derive(Debug)]
struct Lines {
    records: VecDeque<Arc<LogRecord>>,
    /// Place of the oldest stored line.
    first: u64,
    bytes: usize,
    /// Maximum bytes of the stored lines.
    most: usize,
}

impl Lines {
    fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    fn get(&self, place: u64) -> Option<&Arc<LogRecord>> {
        self.records.get(usize::try_from(place.checked_sub(self.first)?).ok()?)
    }

    fn trim(&mut self) {
        while self.records.len() > LOG_RING_RECORDS || self.bytes > self.most {
            let Some(oldest) = self.records.pop_front() else { return };
            self.first += 1;
            self.bytes -= oldest.bytes();
        }
    }
}

impl Ring {
    /// `share`: the common rate limit of all streams of the tenant.
    pub(super) fn new(key: Key, share: Option<Share>) -> Self {
        let rate = match key.tenant {
            Some(_) => Bucket::new(LOG_LINES_PER_SECOND, LOG_LINES_BURST),
            None => Bucket::new(LOG_HOST_LINES_PER_SECOND, LOG_HOST_LINES_BURST),
        };
        let lines = Lines { records: VecDeque::new(), first: 0, bytes: 0, most: LOG_RING_BYTES };
        Self { key, lines: RwLock::new(lines), rate: Mutex::new(rate), share, left_out: AtomicU64::new(0) }
    }

    /// Whether a line may be written now; counts refused lines.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut own = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        if own.take(now) {
            let share = self.share.as_ref();
            if share.is_none_or(|share| share.lock().unwrap_or_else(PoisonError::into_inner).take(now)) {
                return true;
            }
            own.give_back();
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Returns and resets the number of refused lines.
    pub(super) fn take_left_out(&self) -> u64 {
        self.left_out.swap(0, Ordering::Relaxed)
    }

    /// Adds a line and sets its id, so that ids rise from line to line.
    pub(super) fn push(&self, mut record: LogRecord, ids: &AtomicU64) -> Arc<LogRecord> {
        let mut lines = self.write();
        record.id = ids.fetch_add(1, Ordering::Relaxed);
        let record = Arc::new(record);
        lines.bytes += record.bytes();
        lines.records.push_back(record.clone());
        lines.trim();
        record
    }

    /// Sets the maximum bytes.
    pub(super) fn set_most(&self, bytes: usize) {
        let mut lines = self.write();
        lines.most = bytes.min(LOG_RING_BYTES);
        lines.trim();
    }

    /// Bytes of the stored lines.
    pub(super) fn bytes(&self) -> usize {
        self.read().bytes
    }

    /// Id of the newest stored line.
    pub(super) fn newest(&self) -> Option<u64> {
        self.read().records.back().map(|record| record.id)
    }

    /// The next matching line from `place` on; `place` moves past it. Also returns how many lines from `place` on were
    /// removed unread.
    pub(super) fn next(&self, place: &mut u64, filter: &Filter) -> (u64, Option<Arc<LogRecord>>) {
        let lines = self.read();
        let missed = lines.first.saturating_sub(*place);
        *place += missed;
        while let Some(record) = lines.get(*place) {
            if filter.lets_through(record) {
                return (missed, Some(record.clone()));
            }
            *place += 1;
        }
        (missed, None)
    }

    /// The place of the first line with this id or a later one; the end if there is none.
    pub(super) fn place_of(&self, id: u64) -> u64 {
        let lines = self.read();
        lines.first + lines.records.partition_point(|record| record.id < id) as u64
    }

    /// The place after the newest line.
    pub(super) fn end(&self) -> u64 {
        self.read().end()
    }

    /// The last `most` matching lines before the id `before`, newest first.
    pub(super) fn last(&self, before: u64, most: usize, filter: &Filter) -> Vec<Arc<LogRecord>> {
        let lines = self.read();
        let records = lines.records.iter().rev().skip_while(|record| record.id >= before);
        records.filter(|record| filter.lets_through(record)).take(most).cloned().collect()
    }

    /// The first `most` matching lines after the id `after`.
    pub(super) fn first(&self, after: u64, most: usize, filter: &Filter) -> Vec<Arc<LogRecord>> {
        let lines = self.read();
        let from = lines.records.partition_point(|record| record.id <= after);
        lines.records.iter().skip(from).filter(|record| filter.lets_through(record)).take(most).cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Lines> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lines> {
        self.lines.write().unwrap_or_else(PoisonError::into_inner)
    }
}
