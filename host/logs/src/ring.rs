//! The newest lines of one stream: bounded by number and bytes, read by any number of readers without a copy.
//!
//! Lines are counted from 0 as they come (their *place*); a reader remembers the place that it reads next, so one that
//! falls behind finds out how many lines it missed, and costs nothing while it does.

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

/// Whose lines: of a tenant's stream, of a tenant, or of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: Option<Arc<str>>,
    pub(super) stream: Option<Arc<str>>,
}

/// The rate of a tenant's streams together.
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
    /// Place of the oldest one that is kept.
    first: u64,
    bytes: usize,
    /// Bytes that may be kept.
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
    /// `share`: what all streams of the tenant may write together.
    pub(super) fn new(key: Key, share: Option<Share>) -> Self {
        let rate = match key.tenant {
            Some(_) => Bucket::new(LOG_LINES_PER_SECOND, LOG_LINES_BURST),
            None => Bucket::new(LOG_HOST_LINES_PER_SECOND, LOG_HOST_LINES_BURST),
        };
        let lines = Lines { records: VecDeque::new(), first: 0, bytes: 0, most: LOG_RING_BYTES };
        Self { key, lines: RwLock::new(lines), rate: Mutex::new(rate), share, left_out: AtomicU64::new(0) }
    }

    /// Whether a line may be written now; counts it where not.
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

    /// Lines that were not admitted since this was last asked.
    pub(super) fn take_left_out(&self) -> u64 {
        self.left_out.swap(0, Ordering::Relaxed)
    }

    /// Adds a line. It gets its id here, so that ids rise from line to line.
    pub(super) fn push(&self, mut record: LogRecord, ids: &AtomicU64) -> Arc<LogRecord> {
        let mut lines = self.write();
        record.id = ids.fetch_add(1, Ordering::Relaxed);
        let record = Arc::new(record);
        lines.bytes += record.bytes();
        lines.records.push_back(record.clone());
        lines.trim();
        record
    }

    /// Sets how many bytes may be kept.
    pub(super) fn set_most(&self, bytes: usize) {
        let mut lines = self.write();
        lines.most = bytes.min(LOG_RING_BYTES);
        lines.trim();
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.read().bytes
    }

    /// Id of the newest line that is kept.
    pub(super) fn newest(&self) -> Option<u64> {
        self.read().records.back().map(|record| record.id)
    }

    /// The next line from `place` on that passes; `place` moves on to it. Also how many lines from `place` on were not
    /// kept long enough to be looked at.
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

    /// The place behind the newest line.
    pub(super) fn end(&self) -> u64 {
        self.read().end()
    }

    /// The last `most` lines before the id `before` that pass, the newest first.
    pub(super) fn last(&self, before: u64, most: usize, filter: &Filter) -> Vec<Arc<LogRecord>> {
        let lines = self.read();
        let records = lines.records.iter().rev().skip_while(|record| record.id >= before);
        records.filter(|record| filter.lets_through(record)).take(most).cloned().collect()
    }

    /// The first `most` lines after the id `after` that pass.
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
