//! The state shared by the parts of the hub: the rings of all streams, the ids, and the readers to wake.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::watch;
use tracing::dispatcher::{self, WeakDispatch};

use super::bucket::Bucket;
use super::filter::Filter;
use super::queue::Queue;
use super::record::{Level, LogRecord, Value};
use super::ring::{Key, Ring, Share};
use crate::limits::{LOG_HUB_BYTES, LOG_RINGS_MAX, LOG_TENANT_LINES_BURST, LOG_TENANT_LINES_PER_SECOND};
use outboard_base::unix_time;

/// Target of the event that reports dropped lines on the console. The hub adds its own line.
pub(super) const TOLD: &str = "outboard::logs::left_out";

/// Groups of tenants whose readers are woken together, and one more for readers of the whole host.
const WAKES: usize = 64;

#[derive(Debug)]
pub(super) struct Shared {
    book: RwLock<Book>,
    /// Rises with every ring that is added or removed.
    edition: AtomicU64,
    ids: AtomicU64,
    pub(super) queue: Queue,
    wakes: Vec<watch::Sender<()>>,
    pub(super) counts: Counts,
    console: Mutex<Option<WeakDispatch>>,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Book {
    rings: HashMap<Key, Arc<Ring>>,
    shares: HashMap<Arc<str>, Share>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) lines: AtomicU64,
    pub(super) left_out: AtomicU64,
    pub(super) unwritten: AtomicU64,
    pub(super) subscribers: AtomicUsize,
}

impl Shared {
    pub(super) fn new() -> Self {
        let shared = Self {
            book: RwLock::default(),
            edition: AtomicU64::new(0),
            // Ids continue to rise after a restart, as long as the host writes less than one line per microsecond.
            ids: AtomicU64::new(unix_time::now_ms().saturating_mul(1000)),
            queue: Queue::default(),
            wakes: (0..=WAKES).map(|_| watch::Sender::new(())).collect(),
            counts: Counts::default(),
            console: Mutex::new(None),
            closed: AtomicBool::new(false),
        };
        shared.ring(&Key::default());
        shared
    }

    /// Whether a line of this tenant and stream may be written now.
    pub(super) fn admits(&self, key: &Key) -> bool {
        let admitted = self.ring(key).admits(Instant::now());
        if !admitted {
            self.counts.left_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Adds a line to its ring and queues it for the files and readers.
    pub(super) fn add(&self, mut record: LogRecord) {
        let key = Key { tenant: record.tenant.take(), stream: record.stream.clone() };
        let ring = self.ring(&key);
        record.tenant.clone_from(&ring.key.tenant);
        if ring.key.stream.is_some() {
            record.stream.clone_from(&ring.key.stream);
        }
        self.counts.lines.fetch_add(1, Ordering::Relaxed);
        let record = ring.push(record, &self.ids);
        // The host's own lines go to readers of the whole host, who are always woken.
        let groups = record.tenant.as_deref().map_or(0, |tenant| 1 << group_of(tenant));
        if !self.queue.push(record, groups) {
            self.counts.unwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds a line, in the ring and on the console, for each stream that exceeded its rate since the last call.
    pub(super) fn tell_left_out(&self) {
        for ring in self.rings(|_| true) {
            let left_out = ring.take_left_out();
            if left_out == 0 {
                continue;
            }
            let Key { tenant, stream } = ring.key.clone();
            let said = "log lines were dropped: the rate limit was exceeded";
            let console = self.console.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(console) = console.and_then(|console| console.upgrade()) {
                let (tenant, stream) = (tenant.as_deref(), stream.as_deref());
                let say = || tracing::warn!(target: TOLD, tenant, stream, left_out, "{said}");
                dispatcher::with_default(&console, say);
            }
            self.add(LogRecord {
                id: 0,
                at_ms: unix_time::now_ms(),
                level: Level::Warn,
                target: "logs",
                tenant,
                stream,
                batch: None,
                message: said.into(),
                fields: Box::new([("left_out", Value::Uint(left_out))]),
            });
        }
    }

    /// Where [`Shared::tell_left_out`] sends the console's line.
    pub(super) fn speak_through(&self, dispatch: WeakDispatch) {
        *self.console.lock().unwrap_or_else(PoisonError::into_inner) = Some(dispatch);
    }

    /// The ring of a tenant and stream; created if it is missing.
    fn ring(&self, key: &Key) -> Arc<Ring> {
        // A stream without a tenant has no ring of its own.
        let host = Key::default();
        let key = if key.tenant.is_some() { key } else { &host };
        if let Some(ring) = self.book.read().unwrap_or_else(PoisonError::into_inner).rings.get(key) {
            return ring.clone();
        }
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(ring) = book.rings.get(key) {
            return ring.clone();
        }
        let ring = book.make(key);
        self.edition.fetch_add(1, Ordering::Release);
        ring
    }

    /// Removes a stream's lines; without a stream, all lines of the tenant.
    pub(super) fn remove(&self, key: &Key) {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        if key.stream.is_none() && key.tenant.is_some() {
            let keys: Vec<Key> = book.rings.keys().filter(|other| other.tenant == key.tenant).cloned().collect();
            keys.iter().for_each(|key| book.remove(key));
        }
        book.remove(key);
        drop(book);
        self.edition.fetch_add(1, Ordering::Release);
    }

    /// All rings whose key matches.
    pub(super) fn rings(&self, right: impl Fn(&Key) -> bool) -> Vec<Arc<Ring>> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.rings.values().filter(|ring| right(&ring.key)).cloned().collect()
    }

    /// All rings that a reader may read. Readers of streams that have a tenant also read the host's lines.
    pub(super) fn rings_for(&self, filter: &Filter) -> Vec<Arc<Ring>> {
        self.rings(|key| match (&key.tenant, filter.only_tenant()) {
            (None, None) => true,
            _ => filter.reaches(key.tenant.as_ref(), key.stream.as_ref()),
        })
    }

    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Bytes of all stored lines, and the number of rings.
    pub(super) fn held(&self) -> (usize, usize) {
        let rings = self.rings(|_| true);
        (rings.iter().map(|ring| ring.bytes()).sum(), rings.len())
    }

    // --- waking readers ---

    /// Wakes the readers of these groups (one bit per group) and those of the whole host.
    pub(super) fn wake(&self, groups: u64) {
        for (n, wake) in self.wakes.iter().enumerate() {
            if n == WAKES || groups & (1 << n) != 0 {
                wake.send_replace(());
            }
        }
    }

    /// The channel on which a reader waits.
    pub(super) fn waker(&self, filter: &Filter) -> Option<watch::Receiver<()>> {
        self.wakes.get(filter.only_tenant().map_or(WAKES, group_of)).map(watch::Sender::subscribe)
    }

    /// Ends all feeds: wakes their readers, which return `None` after the last line.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake(u64::MAX);
    }

    pub(super) fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Book {
    fn make(&mut self, key: &Key) -> Arc<Ring> {
        if self.rings.len() >= LOG_RINGS_MAX {
            self.make_room();
        }
        let share = key.tenant.as_ref().map(|tenant| {
            let share = || Share::new(Mutex::new(Bucket::new(LOG_TENANT_LINES_PER_SECOND, LOG_TENANT_LINES_BURST)));
            self.shares.entry(tenant.clone()).or_insert_with(share).clone()
        });
        let ring = Arc::new(Ring::new(key.clone(), share));
        self.rings.insert(key.clone(), ring.clone());
        // Together the rings never exceed the total limit, however many there are.
        let most = LOG_HUB_BYTES / self.rings.len().max(1);
        self.rings.values().for_each(|ring| ring.set_most(most));
        ring
    }

    /// Removes the least recently used ring of the tenant that has most rings.
    fn make_room(&mut self) {
        let mut count: HashMap<&Arc<str>, usize> = HashMap::new();
        for tenant in self.rings.keys().filter_map(|key| key.tenant.as_ref()) {
            *count.entry(tenant).or_default() += 1;
        }
        let greatest = count.into_iter().max_by_key(|(_, rings)| *rings).map(|(tenant, _)| tenant.clone());
        let of_it = self.rings.values().filter(|ring| ring.key.tenant.is_some() && ring.key.tenant == greatest);
        if let Some(key) = of_it.min_by_key(|ring| ring.newest()).map(|ring| ring.key.clone()) {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        self.rings.remove(key);
        if let Some(tenant) = &key.tenant
            && !self.rings.keys().any(|other| other.tenant.as_ref() == Some(tenant))
        {
            self.shares.remove(tenant);
        }
    }
}

fn group_of(tenant: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    tenant.hash(&mut hasher);
    usize::try_from(hasher.finish() % WAKES as u64).unwrap_or(0)
}
