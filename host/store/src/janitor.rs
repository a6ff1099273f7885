//! Keeps the storage within its limits: the retention of each pipeline, the quota of each tenant, and free space on the
//! disk.
//!
//! One task per process; pipelines wake it when a batch is done, and a timer wakes it too. When a limit is exceeded, it
//! removes finished batches, oldest first: of the tenant's streams, or, when the disk is full, of the tenant that uses
//! most. When no finished batch is left, it closes the tenant's [`Room`]: the sources stop fetching until the batches
//! on disk have gone on air and can be removed. An unfinished batch is never removed.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::files::StreamFiles;
use super::journal::{Journal, JournalError, StreamJournal};
use super::retention::{self, Candidate, Keep};

use super::usage::Ledger;
use super::usage::Owner;
use super::usage::Space;

use super::usage::FileKind;
use crate::limits::{CLEAN_PLAN_MAX, STORAGE_MIN_FREE_BYTES, STORAGE_MIN_FREE_PART};
use outboard_base::room::{Cleaner, Gate, NoRoom, Room};
use outboard_base::unix_time::now_ms;

mod event;
mod pressure;
mod rounds;

pub use event::{Scope, StorageEvent, StorageEvents};

use pressure::Pressure;

/// Handle to the task that removes old files. Cheap to clone; the task ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Janitor(Arc<Inner>);

struct Inner {
    journal: Journal,
    ledger: Ledger,
    /// Free bytes to keep on the disk; [`UNSET`]: derived from the size of the disk.
    min_free: AtomicU64,
    books: Mutex<JanitorState>,
    /// Locked while files are removed.
    broom: tokio::sync::Mutex<()>,
    wake: Arc<Notify>,
    listener: Mutex<Option<Arc<dyn StorageEvents>>>,
    task: Mutex<Option<AbortHandle>>,
}

const UNSET: u64 = u64::MAX;

#[derive(Debug, Default)]
struct JanitorState {
    tenants: BTreeMap<String, Tenant>,
    streams: BTreeMap<Owner, Stream>,
    disk: Pressure,
}

#[derive(Debug)]
struct Tenant {
    quota: Option<u64>,
    pressure: Pressure,
    gate: watch::Sender<Gate>,
}

/// A stream with a running pipeline.
struct Stream {
    keep: Keep,
    journal: StreamJournal,
    tell: Tell,
    /// A batch finished since the last round.
    dirty: bool,
    inits_looked_at: Instant,
}

/// Called with each storage event of one pipeline.
pub type Tell = Arc<dyn Fn(StorageEvent) + Send + Sync>;

/// Number and size of removed batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Number of batches whose files were removed.
    pub batches: u64,
    /// Bytes of the removed batches.
    pub bytes: u64,
}

/// Registration of a running pipeline; dropping it ends the registration.
#[derive(Debug)]
pub struct Keeper {
    janitor: Janitor,
    owner: Owner,
}

impl Janitor {
    /// Starts the task for a storage folder. `min_free`: free bytes to keep on the disk; `None`: the smaller of
    /// [`STORAGE_MIN_FREE_BYTES`] and [`STORAGE_MIN_FREE_PART`] of the disk.
    pub fn start(root: &Path, journal: Journal, min_free: Option<u64>) -> Self {
        let wake = Arc::new(Notify::new());
        let inner = Arc::new(Inner {
            journal,
            ledger: Ledger::new(root),
            min_free: AtomicU64::new(min_free.unwrap_or(UNSET)),
            books: Mutex::default(),
            broom: tokio::sync::Mutex::default(),
            wake: wake.clone(),
            listener: Mutex::default(),
            task: Mutex::default(),
        });
        let task = tokio::spawn(rounds::run(Arc::downgrade(&inner), wake));
        *locked(&inner.task) = Some(task.abort_handle());
        Self(inner)
    }

    /// Sends all following events to `listener`, which replaces the previous listener.
    pub fn listen(&self, listener: Arc<dyn StorageEvents>) {
        *locked(&self.0.listener) = Some(listener);
    }

    /// Watches the stream of a running pipeline until the result is dropped. `tell` is called with the events of this
    /// stream.
    pub fn register(&self, owner: Owner, journal: StreamJournal, keep: Keep, tell: Tell) -> Keeper {
        // An earlier run may have overwritten counted files.
        self.0.ledger.distrust(&owner.0, &owner.1);
        let stream = Stream { keep, journal, tell, dirty: true, inits_looked_at: Instant::now() };
        let mut books = self.books();
        books.tenant(&owner.0);
        books.streams.insert(owner.clone(), stream);
        drop(books);
        self.0.wake.notify_one();
        Keeper { janitor: self.clone(), owner }
    }

    /// Changes the retention of a running pipeline.
    pub fn set_keep(&self, owner: &Owner, keep: Keep) {
        if let Some(stream) = self.books().streams.get_mut(owner)
            && stream.keep != keep
        {
            stream.keep = keep;
            stream.dirty = true;
        }
        self.0.wake.notify_one();
    }

    /// Sets a tenant's quota in bytes, including logs; `None`: unlimited.
    pub fn set_quota(&self, tenant: &str, quota: Option<u64>) {
        self.books().tenant(tenant).quota = quota;
        self.0.wake.notify_one();
    }

    /// A tenant's quota in bytes.
    pub fn quota(&self, tenant: &str) -> Option<u64> {
        self.books().tenants.get(tenant)?.quota
    }

    /// Sets how many bytes of the disk stay free; `None`: derived from the size of the disk.
    #[cfg(test)]
    fn set_min_free(&self, bytes: Option<u64>) {
        self.0.min_free.store(bytes.unwrap_or(UNSET), Ordering::Relaxed);
        self.0.wake.notify_one();
    }

    /// How many bytes of the disk must stay free.
    fn min_free(&self, space: Space) -> u64 {
        match self.0.min_free.load(Ordering::Relaxed) {
            UNSET => STORAGE_MIN_FREE_BYTES.min(space.total / STORAGE_MIN_FREE_PART),
            set => set,
        }
    }

    /// The bytes in use by tenant, stream and kind.
    pub fn usage(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Why the tenant's sources do not fetch at the moment; `None` if they may.
    pub fn refusal(&self, tenant: &str) -> Option<NoRoom> {
        self.books().tenants.get(tenant)?.gate.borrow().map(|(_, why)| why)
    }

    /// Whether the free space is below its minimum and no batch can be removed.
    pub fn is_disk_full(&self) -> bool {
        self.books().disk.level() == pressure::Level::Full
    }

    /// Lists what [`Self::clean`] would remove, oldest first; at most [`CLEAN_PLAN_MAX`] batches.
    pub async fn plan_clean(&self, tenant: &str, stream: &str, keep: Keep) -> Result<Vec<Candidate>, JournalError> {
        let Some(journal) = self.0.journal.find(tenant, stream).await? else { return Ok(Vec::new()) };
        let owner = (tenant.to_owned(), stream.to_owned());
        self.look(vec![owner.clone()]).await;
        let mut held = self.held(&owner, &journal, CLEAN_PLAN_MAX).await?;
        held.oldest.truncate(keep.surplus(&held, now_ms()));
        Ok(held.oldest)
    }

    /// Removes the finished batches of a stream that exceed `keep`.
    pub async fn clean(&self, tenant: &str, stream: &str, keep: Keep) -> Result<Cleaned, JournalError> {
        let Some(journal) = self.0.journal.find(tenant, stream).await? else { return Ok(Cleaned::default()) };
        let owner = (tenant.to_owned(), stream.to_owned());
        let _broom = self.0.broom.lock().await;
        self.look(vec![owner.clone()]).await;
        let cleaned = self.keep(&owner, &journal, keep).await?;
        if cleaned.batches > 0 {
            let Cleaned { batches, bytes } = cleaned;
            self.tell_stream(&owner, StorageEvent::Cleaned { batches, bytes });
        }
        self.0.wake.notify_one();
        Ok(cleaned)
    }

    /// Removes all files of a stream. Its pipeline must not run. The caller removes the journal rows.
    pub async fn remove_stream(&self, tenant: &str, stream: &str) {
        let _broom = self.0.broom.lock().await;
        let (ledger, tenant, stream) = (self.0.ledger.clone(), tenant.to_owned(), stream.to_owned());
        let removed = tokio::task::spawn_blocking(move || ledger.remove(&tenant, &stream));
        if let Err(error) = removed.await {
            tracing::error!(%error, "removing a stream ended unexpectedly");
        }
    }

    /// Removes all files and the quota of a tenant. None of its pipelines may run. The caller removes the journal rows.
    ///
    /// # Errors
    /// The error of the operating system.
    pub async fn remove_tenant(&self, tenant: &str) -> std::io::Result<()> {
        let _broom = self.0.broom.lock().await;
        let (ledger, name) = (self.0.ledger.clone(), tenant.to_owned());
        let removed = tokio::task::spawn_blocking(move || ledger.remove_tenant(&name)).await;
        self.books().tenants.remove(tenant);
        removed.map_err(std::io::Error::other)?
    }

    /// Counts the batch folders and all bytes of a stream without a pipeline.
    pub async fn left_behind(&self, tenant: &str, stream: &str) -> Cleaned {
        let owner = (tenant.to_owned(), stream.to_owned());
        self.look(vec![owner.clone()]).await;
        let (files, bytes) = (self.files(&owner), self.0.ledger.stream(tenant, stream).all().bytes);
        let folders = move || std::fs::read_dir(files.batches).into_iter().flatten().flatten().count();
        let batches = tokio::task::spawn_blocking(folders).await.unwrap_or_default();
        Cleaned { batches: batches as u64, bytes }
    }

    /// Counts what [`Self::remove_media`] would remove.
    pub async fn media(&self, tenant: &str, stream: &str) -> Cleaned {
        let Cleaned { batches, bytes } = self.left_behind(tenant, stream).await;
        let logs = self.0.ledger.stream(tenant, stream).of(FileKind::Logs).bytes;
        Cleaned { batches, bytes: bytes.saturating_sub(logs) }
    }

    /// Removes all batches and segments of a stream, including those not yet on air; its next run starts from the
    /// beginning. Its pipeline must not run.
    ///
    /// # Errors
    /// The journal cannot be read or written; then nothing is removed.
    pub async fn remove_media(&self, tenant: &str, stream: &str) -> Result<Cleaned, JournalError> {
        let media = self.media(tenant, stream).await;
        let owner = (tenant.to_owned(), stream.to_owned());
        let _broom = self.0.broom.lock().await;
        // The journal comes first, so that no run resumes with removed files.
        if let Some(journal) = self.0.journal.find(tenant, stream).await? {
            journal.finish().await?;
        }
        let files = self.files(&owner);
        if let Err(error) = tokio::task::spawn_blocking(move || retention::remove_media(&files)).await {
            tracing::error!(%error, "removing a stream's media ended unexpectedly");
        }
        self.look(vec![owner]).await;
        Ok(media)
    }

    fn books(&self) -> MutexGuard<'_, JanitorState> {
        locked(&self.0.books)
    }

    fn files(&self, owner: &Owner) -> StreamFiles {
        self.0.ledger.files(&owner.0, &owner.1)
    }

    fn nudge(&self) {
        self.0.wake.notify_one();
    }
}

impl Cleaner for Janitor {
    fn make_room(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(self.remove_for_room())
    }

    fn nudge(&self) {
        Self::nudge(self);
    }
}

impl Keeper {
    /// Reports that a batch of the stream is done.
    pub fn released(&self) {
        if let Some(stream) = self.janitor.books().streams.get_mut(&self.owner) {
            stream.dirty = true;
        }
        self.janitor.nudge();
    }

    /// Removes everything that exceeds the limits now; called before the pipeline ends.
    pub async fn settle(&self) {
        self.janitor.settle(&self.owner).await;
    }

    /// The [`Room`] of the stream's tenant.
    pub fn room(&self) -> Room {
        let gate = self.janitor.books().tenant(&self.owner.0).gate.subscribe();
        Room::new(gate, Arc::new(self.janitor.clone()))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.janitor.books().streams.remove(&self.owner);
    }
}

impl JanitorState {
    fn tenant(&mut self, name: &str) -> &mut Tenant {
        let new = || Tenant { quota: None, pressure: Pressure::default(), gate: watch::Sender::new(None) };
        self.tenants.entry(name.to_owned()).or_insert_with(new)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = locked(&self.task).take() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Janitor").field("ledger", &self.ledger).field("books", &self.books).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("keep", &self.keep).field("dirty", &self.dirty).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
