//! Keeps the storage within its bounds: what each pipeline keeps, each tenant's quota, and some room on the disk.
//!
//! One task a process, woken by pipelines when a batch is done, and by the clock. Where a bound is passed, finished batches
//! go, the oldest first (of all the tenant's streams; on a full disk, of the tenant that uses most). Where none are left, the
//! tenant's [`Room`] closes: its sources fetch no more, what is on disk goes on air, and that makes room again. A batch
//! that is not done is never touched, whatever it costs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::files::StreamFiles;
use super::journal::{Journal, JournalError, StreamJournal};
use super::retention::{self, Candidate, Keep};
use super::room::{Gate, NoRoom, Room};
use super::usage::{FileKind, Ledger, Owner, Space};
use crate::limits::{CLEAN_PLAN_MAX, STORAGE_MIN_FREE_BYTES, STORAGE_MIN_FREE_PART};
use crate::unix_time::now_ms;

mod event;
mod pressure;
mod rounds;

pub use event::{Scope, StorageEvent, StorageEvents};

use pressure::Pressure;

/// The storage's keeper. Cheap to clone; its task ends with the last one.
#[derive(Debug, Clone)]
pub struct Janitor(Arc<Inner>);

struct Inner {
    journal: Journal,
    ledger: Ledger,
    /// Bytes that stay free; [`UNSET`]: by the size of the disk.
    min_free: AtomicU64,
    books: Mutex<Books>,
    /// Held while files are removed.
    broom: tokio::sync::Mutex<()>,
    wake: Arc<Notify>,
    listener: Mutex<Option<Arc<dyn StorageEvents>>>,
    task: Mutex<Option<AbortHandle>>,
}

const UNSET: u64 = u64::MAX;

#[derive(Debug, Default)]
struct Books {
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

/// A stream whose pipeline runs.
struct Stream {
    keep: Keep,
    journal: StreamJournal,
    tell: Tell,
    /// A batch was done since the last look.
    dirty: bool,
    inits_looked_at: Instant,
}

/// Tells a pipeline what happens to its storage.
pub type Tell = Arc<dyn Fn(StorageEvent) + Send + Sync>;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Batches.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A running pipeline's part of the janitor; ends with it.
#[derive(Debug)]
pub struct Keeper {
    janitor: Janitor,
    owner: Owner,
}

impl Janitor {
    /// Starts its task on a storage folder. `min_free`: bytes of the disk that stay free; `None`: the smaller one of
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

    /// Tells every event from now on to `listener`, instead of the one before.
    pub fn listen(&self, listener: Arc<dyn StorageEvents>) {
        *locked(&self.0.listener) = Some(listener);
    }

    /// Takes care of a running pipeline's stream until the answer is dropped. `tell` gets what concerns the stream.
    pub fn register(&self, owner: Owner, journal: StreamJournal, keep: Keep, tell: Tell) -> Keeper {
        // Another run may have written over files that were counted.
        self.0.ledger.distrust(&owner.0, &owner.1);
        let stream = Stream { keep, journal, tell, dirty: true, inits_looked_at: Instant::now() };
        let mut books = self.books();
        books.tenant(&owner.0);
        books.streams.insert(owner.clone(), stream);
        drop(books);
        self.0.wake.notify_one();
        Keeper { janitor: self.clone(), owner }
    }

    /// Changes what is kept of a running pipeline's stream.
    pub fn set_keep(&self, owner: &Owner, keep: Keep) {
        if let Some(stream) = self.books().streams.get_mut(owner)
            && stream.keep != keep
        {
            stream.keep = keep;
            stream.dirty = true;
        }
        self.0.wake.notify_one();
    }

    /// Sets a tenant's quota in bytes, logs included; `None`: as much as there is.
    pub fn set_quota(&self, tenant: &str, quota: Option<u64>) {
        self.books().tenant(tenant).quota = quota;
        self.0.wake.notify_one();
    }

    /// A tenant's quota in bytes.
    pub fn quota(&self, tenant: &str) -> Option<u64> {
        self.books().tenants.get(tenant)?.quota
    }

    /// Sets how many bytes of the disk stay free; `None`: by its size.
    #[cfg(test)]
    fn set_min_free(&self, bytes: Option<u64>) {
        self.0.min_free.store(bytes.unwrap_or(UNSET), Ordering::Relaxed);
        self.0.wake.notify_one();
    }

    /// How many bytes of the disk stay free.
    fn min_free(&self, space: Space) -> u64 {
        match self.0.min_free.load(Ordering::Relaxed) {
            UNSET => STORAGE_MIN_FREE_BYTES.min(space.total / STORAGE_MIN_FREE_PART),
            set => set,
        }
    }

    /// What is in use, by tenant, stream and kind.
    pub fn usage(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Why a tenant's sources fetch nothing now.
    pub fn refusal(&self, tenant: &str) -> Option<NoRoom> {
        self.books().tenants.get(tenant)?.gate.borrow().map(|(_, why)| why)
    }

    /// Whether the disk is full up to what is to stay free, and nothing may go.
    pub fn is_disk_full(&self) -> bool {
        self.books().disk.level() == pressure::Level::Full
    }

    /// What [`Self::clean`] would remove, oldest first; at most [`CLEAN_PLAN_MAX`] batches are listed.
    pub async fn plan_clean(&self, tenant: &str, stream: &str, keep: Keep) -> Result<Vec<Candidate>, JournalError> {
        let Some(journal) = self.0.journal.find(tenant, stream).await? else { return Ok(Vec::new()) };
        let owner = (tenant.to_owned(), stream.to_owned());
        self.look(vec![owner.clone()]).await;
        let mut held = self.held(&owner, &journal, CLEAN_PLAN_MAX).await?;
        held.oldest.truncate(keep.surplus(&held, now_ms()));
        Ok(held.oldest)
    }

    /// Removes the finished batches of a stream that are beyond `keep`.
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

    /// Removes everything that a stream has on disk. Its pipeline must not run; the journal is the caller's.
    pub async fn remove_stream(&self, tenant: &str, stream: &str) {
        let _broom = self.0.broom.lock().await;
        let (ledger, tenant, stream) = (self.0.ledger.clone(), tenant.to_owned(), stream.to_owned());
        let removed = tokio::task::spawn_blocking(move || ledger.remove(&tenant, &stream));
        if let Err(error) = removed.await {
            tracing::error!(%error, "removing a stream ended unexpectedly");
        }
    }

    /// Removes everything that a tenant has on disk, and forgets its quota. None of its pipelines may run; the journal is
    /// the caller's.
    ///
    /// # Errors
    /// What the system said.
    pub async fn remove_tenant(&self, tenant: &str) -> std::io::Result<()> {
        let _broom = self.0.broom.lock().await;
        let (ledger, name) = (self.0.ledger.clone(), tenant.to_owned());
        let removed = tokio::task::spawn_blocking(move || ledger.remove_tenant(&name)).await;
        self.books().tenants.remove(tenant);
        removed.map_err(std::io::Error::other)?
    }

    /// What lies on disk of a stream that no pipeline has: the folders of its batches, and all bytes.
    pub async fn left_behind(&self, tenant: &str, stream: &str) -> Cleaned {
        let owner = (tenant.to_owned(), stream.to_owned());
        self.look(vec![owner.clone()]).await;
        let (files, bytes) = (self.files(&owner), self.0.ledger.stream(tenant, stream).all().bytes);
        let folders = move || std::fs::read_dir(files.batches).into_iter().flatten().flatten().count();
        let batches = tokio::task::spawn_blocking(folders).await.unwrap_or_default();
        Cleaned { batches: batches as u64, bytes }
    }

    /// What [`Self::remove_media`] would remove.
    pub async fn media(&self, tenant: &str, stream: &str) -> Cleaned {
        let Cleaned { batches, bytes } = self.left_behind(tenant, stream).await;
        let logs = self.0.ledger.stream(tenant, stream).of(FileKind::Logs).bytes;
        Cleaned { batches, bytes: bytes.saturating_sub(logs) }
    }

    /// Removes all batches and segments of a stream, also what is not yet on air; its next run starts anew. Its pipeline
    /// must not run.
    ///
    /// # Errors
    /// The journal cannot be read or written; nothing is removed then.
    pub async fn remove_media(&self, tenant: &str, stream: &str) -> Result<Cleaned, JournalError> {
        let media = self.media(tenant, stream).await;
        let owner = (tenant.to_owned(), stream.to_owned());
        let _broom = self.0.broom.lock().await;
        // First, so that no run goes on with what is gone.
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

    fn books(&self) -> MutexGuard<'_, Books> {
        locked(&self.0.books)
    }

    fn files(&self, owner: &Owner) -> StreamFiles {
        self.0.ledger.files(&owner.0, &owner.1)
    }

    pub(super) fn nudge(&self) {
        self.0.wake.notify_one();
    }
}

impl Keeper {
    /// A batch of the stream is done.
    pub fn released(&self) {
        if let Some(stream) = self.janitor.books().streams.get_mut(&self.owner) {
            stream.dirty = true;
        }
        self.janitor.nudge();
    }

    /// Cleans what is to go by now, before the pipeline ends.
    pub async fn settle(&self) {
        self.janitor.settle(&self.owner).await;
    }

    /// The room of the stream's tenant.
    pub fn room(&self) -> Room {
        let gate = self.janitor.books().tenant(&self.owner.0).gate.subscribe();
        Room::new(gate, self.janitor.clone())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.janitor.books().streams.remove(&self.owner);
    }
}

impl Books {
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
