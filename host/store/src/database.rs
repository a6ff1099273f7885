//! The database: one SQLite file for all durable state. One thread writes, a few threads read.
//!
//! In: closures that work on a transaction. Out: their results. Writes are queued for the single writer thread. Each
//! runs in its own transaction and returns after the commit. A write that returned survives the death of the process
//! (WAL, `synchronous = NORMAL`). [`Database::write_durable_or`] also survives a power cut (`FULL`: the log is flushed
//! to disk, including all earlier writes). Each read sees one committed state on a read-only connection and never waits
//! for commits. Another process may open the same file at the same time (`outboard token`); writers then wait for each
//! other.
//!
//! A queued closure always runs to its end, even if its caller was dropped.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, ffi};
use tokio::sync::{mpsc, oneshot};

use self::file::{FileWatch, Opener};
use self::schema::SCHEMA;
use super::files::database_file;
use crate::limits::{
    DATABASE_BUSY_STEP, DATABASE_BUSY_TIMEOUT, DATABASE_CACHE_KIB, DATABASE_CHECK_LIMIT, DATABASE_READERS,
    DATABASE_READS_WAITING, DATABASE_STATEMENTS, DATABASE_WAL_BYTES, DATABASE_WAL_PAGES, DATABASE_WRITES_WAITING,
    HISTORY_BATCHES_DEFAULT, HISTORY_EVENTS_DEFAULT,
};

pub mod backup;
pub mod check;
mod file;
mod schema;

pub use file::FileTrouble;

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite returned an error.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The disk is full. The transaction was rolled back and the file is unchanged.
    #[error("database: the disk is full: {0}")]
    Full(#[source] rusqlite::Error),
    /// A stored value could not be parsed.
    #[error("database: a value in {what} is unreadable: {source}")]
    Unreadable {
        /// The table or field that holds the value.
        what: &'static str,
        /// The error of the JSON parser.
        source: serde_json::Error,
    },
    /// The file cannot be created, or its permissions cannot be restricted to its owner.
    #[error("database {path}: {source}")]
    File {
        /// Path of the database file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A newer version of Outboard created the file.
    #[error("database {path} has schema {found}, this version knows up to {known}: run the newer outboard again")]
    TooNew {
        /// Path of the database file.
        path: PathBuf,
        /// The schema version of the file.
        found: i64,
        /// The newest schema version that this program knows.
        known: i64,
    },
    /// The file was removed, replaced or overwritten while it is open.
    #[error("the database file {0}")]
    Lost(FileTrouble),
    /// The database is missing or empty although streams have media files.
    #[error(
        "the database {path} is missing or empty, but streams have files in this storage ({media}): it was removed, or this is \
         the wrong folder. Restore a backup with `outboard database restore FILE --storage {storage}`; or create an empty \
         database, without the previous tenants, tokens, pipelines and positions on air, with \
         `outboard database init --storage {storage}`"
    )]
    Empty {
        /// Path of the database file.
        path: PathBuf,
        /// Path of the storage folder.
        storage: PathBuf,
        /// A folder with media of a stream.
        media: PathBuf,
    },
    /// SQLite's integrity check failed.
    #[error(
        "the database {path} is damaged ({what}): restore a backup with `outboard database restore FILE`, or try sqlite3's \
         .recover on a copy"
    )]
    Damaged {
        /// Path of the database file.
        path: PathBuf,
        /// The first fault that SQLite reported.
        what: String,
    },
    /// The operating system refused to start a thread.
    #[error("database: cannot start a thread: {0}; raise the limits of processes and memory (ulimit -u, -v)")]
    Threads(#[source] std::io::Error),
    /// The database's threads ended, or the closure panicked.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        // Reserving blocks for the index of the write-ahead log can fail too; SQLite reports that with a separate code.
        let full = error.sqlite_error().is_some_and(|error| {
            error.code == ffi::ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
        });
        if full { Self::Full(error) } else { Self::Sqlite(error) }
    }
}

/// What a committed write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// The death of the process.
    Process,
    /// Also a power cut; costs one flush of the disk.
    Power,
}

/// The writer's connection and the watch on its file.
#[derive(Debug)]
struct Writer {
    connection: Connection,
    // Checks the file itself, without SQLite: see `file`.
    file: FileWatch,
}

type Job<C> = Box<dyn FnOnce(&mut C) + Send>;

/// A handle to the database. Cheap to clone. The file is closed when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Database {
    writes: mpsc::Sender<Job<Writer>>,
    reads: mpsc::Sender<Job<Connection>>,
    history: History,
}

/// How many finished batches and events are kept per stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Newest batches to keep. Batches that still have files are always kept.
    pub batches: u64,
    /// Newest events to keep. The same limit applies to each tenant's own events and to those of the host.
    pub events: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { batches: HISTORY_BATCHES_DEFAULT, events: HISTORY_EVENTS_DEFAULT }
    }
}

/// Number of queued operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Queued writes, at most [`DATABASE_WRITES_WAITING`].
    pub writes: usize,
    /// Queued reads, at most [`DATABASE_READS_WAITING`].
    pub reads: usize,
}

// === impl Database ===

impl Database {
    /// [`Self::open`] for the process that owns the storage folder. The file gets a new id, so that a later overwrite
    /// with an older copy is detected.
    ///
    /// # Errors
    /// Also [`DatabaseError::Empty`] when streams have media but the database is empty, and [`DatabaseError::Damaged`]
    /// when a check of at most [`DATABASE_CHECK_LIMIT`] finds faults.
    pub fn open_checked(storage: &Path) -> Result<Self, DatabaseError> {
        check::not_forgotten(storage)?;
        let path = database_file(storage);
        if std::fs::metadata(&path).is_ok_and(|found| found.len() > 0)
            && patiently(|| check::whole(&path, DATABASE_CHECK_LIMIT))? == check::Checked::Unfinished
        {
            tracing::warn!(
                path = %path.display(),
                "the check of the database did not finish within {DATABASE_CHECK_LIMIT:?}; no damage was found in the checked part"
            );
        }
        Self::open_as(&path, Opener::Server)
    }

    /// Opens or creates the file, readable by its owner only, and migrates its schema. A server may have the file open
    /// at the same time.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        Self::open_as(path, Opener::Guest)
    }

    fn open_as(path: &Path, opener: Opener) -> Result<Self, DatabaseError> {
        keep_private(path).map_err(|source| DatabaseError::File { path: path.to_owned(), source })?;
        let writer = patiently(|| open_writer(path, opener))?;
        let (writes, queue) = mpsc::channel(DATABASE_WRITES_WAITING);
        work("db-write", writer, Arc::new(Mutex::new(queue)))?;
        let (reads, queue) = mpsc::channel(DATABASE_READS_WAITING);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..DATABASE_READERS {
            let reader = patiently(|| open_reader(path))?;
            work("db-read", reader, queue.clone())?;
        }
        Ok(Self { writes, reads, history: History::default() })
    }

    /// Returns the same handle with another limit for history, which applies from its next writes on.
    #[must_use]
    pub fn keeping(self, history: History) -> Self {
        Self { history, ..self }
    }

    /// The limits for finished batches and events.
    pub fn history(&self) -> History {
        self.history
    }

    /// Runs `work` in one transaction. `Ok` commits it, and the change then survives the death of the process; `Err`
    /// rolls it back.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        self.write_or(work).await
    }

    /// [`Database::write`] for closures with their own error type.
    pub async fn write_or<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.queue(Durability::Process, work).await
    }

    /// [`Database::write_or`] that also survives a power cut.
    pub async fn write_durable_or<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.queue(Durability::Power, work).await
    }

    async fn queue<T, E>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job<Writer> = Box::new(move |writer| {
            answer.send(written(writer, durability, work)).ok();
        });
        self.writes.send(job).await.map_err(|_| DatabaseError::Closed)?;
        answered.await.map_err(|_| DatabaseError::Closed)?
    }

    /// Queues a write without waiting for it; it may be lost. Returns false if the queue is full.
    pub fn write_later(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), DatabaseError> + Send + 'static,
    ) -> bool {
        let job: Job<Writer> = Box::new(move |writer| {
            if let Err(error) = written(writer, Durability::Process, work) {
                tracing::warn!(%error, "a background write to the database failed");
            }
        });
        self.writes.try_send(job).is_ok()
    }

    /// Runs `work` on a read-only connection. All its queries see the same committed state.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        self.read_or(work).await
    }

    /// [`Database::read`] for closures with their own error type.
    pub async fn read_or<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job<Connection> = Box::new(move |connection| {
            // Skip the read if its caller was dropped.
            if !answer.is_closed() {
                let read = |transaction: &Transaction<'_>| work(transaction);
                answer.send(in_transaction(connection, TransactionBehavior::Deferred, read)).ok();
            }
        });
        self.reads.send(job).await.map_err(|_| DatabaseError::Closed)?;
        answered.await.map_err(|_| DatabaseError::Closed)?
    }

    /// Number of queued operations at this moment.
    pub fn waiting(&self) -> Waiting {
        fn of<C>(queue: &mpsc::Sender<Job<C>>) -> usize {
            queue.max_capacity() - queue.capacity()
        }
        Waiting { writes: of(&self.writes), reads: of(&self.reads) }
    }
}

/// Runs one transaction on the writer's connection. SQLite accepts a change of `synchronous` only between transactions,
/// so it is set before each one.
///
/// A write is refused when the file under the database's name will not contain it. The journal of a pipeline is still
/// written when the file has only lost its name, because the file may be moved back.
fn written<T, E: From<DatabaseError>>(
    Writer { connection, file }: &mut Writer,
    durability: Durability,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut kept = |durability| match file.look() {
        Some(trouble) if durability == Durability::Power || !trouble.is_whole() => Err(DatabaseError::Lost(trouble)),
        _ => Ok(()),
    };
    kept(durability)?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(DatabaseError::from)?;
    let value = in_transaction(connection, TransactionBehavior::Immediate, work)?;
    // The file may have been removed in the meantime.
    if durability == Durability::Power {
        kept(durability)?;
    }
    Ok(value)
}

fn in_transaction<T, E: From<DatabaseError>>(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection.transaction_with_behavior(behavior).map_err(DatabaseError::from)?;
    let value = work(&transaction)?;
    transaction.commit().map_err(DatabaseError::from)?;
    Ok(value)
}

fn open_writer(path: &Path, opener: Opener) -> Result<Writer, DatabaseError> {
    let mut writer = Connection::open(path)?;
    writer.busy_timeout(DATABASE_BUSY_TIMEOUT)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "foreign_keys", true)?;
    writer.pragma_update(None, "journal_size_limit", DATABASE_WAL_BYTES)?;
    writer.pragma_update(None, "wal_autocheckpoint", DATABASE_WAL_PAGES)?;
    writer.pragma_update(None, "cache_size", -DATABASE_CACHE_KIB)?;
    writer.set_prepared_statement_cache_capacity(DATABASE_STATEMENTS);
    migrate(&mut writer, path)?;
    let file = FileWatch::of(path, &writer, opener)?;
    Ok(Writer { connection: writer, file })
}

fn open_reader(path: &Path) -> Result<Connection, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    reader.busy_timeout(DATABASE_BUSY_TIMEOUT)?;
    reader.pragma_update(None, "cache_size", -DATABASE_CACHE_KIB)?;
    reader.set_prepared_statement_cache_capacity(DATABASE_STATEMENTS);
    Ok(reader)
}

/// Retries while another process is creating or closing the same file. In that moment SQLite returns "busy" at once,
/// whatever its timeout, because waiting could deadlock.
fn patiently<T>(open: impl Fn() -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
    let started = Instant::now();
    loop {
        match open() {
            Err(DatabaseError::Sqlite(error))
                if error.sqlite_error_code() == Some(ffi::ErrorCode::DatabaseBusy)
                    && started.elapsed() < DATABASE_BUSY_TIMEOUT =>
            {
                std::thread::sleep(DATABASE_BUSY_STEP);
            }
            ended => return ended,
        }
    }
}

/// Starts a thread that runs jobs until the last sender is dropped.
fn work<C: Send + 'static>(
    name: &str,
    mut connection: C,
    queue: Arc<Mutex<mpsc::Receiver<Job<C>>>>,
) -> Result<(), DatabaseError> {
    let run = move || {
        loop {
            // One thread waits for the queue, the others wait for the lock.
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let Some(job) = job else { return };
            // A panic in one job rolls back its transaction and fails its caller; the thread continues.
            if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
                tracing::error!("a database operation panicked; its transaction was rolled back");
            }
        }
    };
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(DatabaseError::Threads)?;
    Ok(())
}

/// Creates the file if it is missing and restricts its permissions to the owner, because it contains the keys of
/// destinations. SQLite creates its auxiliary files with the same permissions.
fn keep_private(path: &Path) -> std::io::Result<()> {
    const OWNER_ONLY: u32 = 0o600;
    OpenOptions::new().append(true).create(true).mode(OWNER_ONLY).open(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::metadata(&file) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                std::fs::set_permissions(&file, Permissions::from_mode(OWNER_ONLY))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Applies the missing schema steps in one transaction.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), DatabaseError> {
    let known = i64::try_from(SCHEMA.len()).unwrap_or(i64::MAX);
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    if version(connection)? == known {
        return Ok(());
    }
    // Checked again under the lock: another process may have migrated the file in the meantime.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = version(&transaction)?;
    if found > known {
        return Err(DatabaseError::TooNew { path: path.to_owned(), found, known });
    }
    for step in SCHEMA.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests;
