//! The database: one SQLite file for everything that must survive. One thread writes, a few read.
//!
//! In: closures over a transaction. Out: their answers. Writes queue up for the one writer, each in a transaction of its
//! own, and answer when they are committed: what was answered survives the death of the process (WAL,
//! `synchronous = NORMAL`), and a power cut where it was written with [`Database::write_durable_or`] (`FULL`: the log is
//! flushed to the disk, with all that was written before). Reads see one committed state each, on read-only connections, and never wait behind commits.
//! Another process may open the same file beside this one (`outboard token`); writers then wait for each other.
//!
//! A closure runs to its end even if its caller went away: a write that was queued is done.

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

/// Why the database did not take or give something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// SQLite failed.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// There is no room left on its disk. Nothing of the write was kept; the file is as it was.
    #[error("database: its disk is full: {0}")]
    Full(#[source] rusqlite::Error),
    /// What it holds is not what we wrote.
    #[error("the database holds something unreadable in {what}: {source}")]
    Unreadable {
        /// Where.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The file cannot be made, or not be kept from others.
    #[error("database {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was made by a newer version.
    #[error("database {path} has schema {found}, this version knows up to {known}: run the newer outboard again")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Somebody took its file away while it is open.
    #[error("the database file {0}")]
    Lost(FileTrouble),
    /// There is none, or an empty one, where streams have files.
    #[error(
        "the database {path} is missing or empty, but streams have files in this storage ({media}): it was removed, or this is \
         not the folder that was meant. Restore a backup with `outboard database restore FILE --storage {storage}`; or begin \
         anew, without the tenants, tokens, pipelines and places on air of before, with \
         `outboard database init --storage {storage}`"
    )]
    Empty {
        /// The file.
        path: PathBuf,
        /// The storage folder.
        storage: PathBuf,
        /// A folder with files of a stream.
        media: PathBuf,
    },
    /// SQLite found faults in it.
    #[error(
        "the database {path} is damaged ({what}): restore a backup with `outboard database restore FILE`, or try sqlite3's \
         .recover on a copy"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first fault.
        what: String,
    },
    /// The system gave no thread to work in.
    #[error("the database gets no thread: {0}; raise the limits of processes and memory (ulimit -u, -v)")]
    Threads(#[source] std::io::Error),
    /// Its threads ended, or the work broke off.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        // The write-ahead log's index is made by reserving its blocks, which fails with a code of its own.
        let full = error.sqlite_error().is_some_and(|error| {
            error.code == ffi::ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
        });
        if full { Self::Full(error) } else { Self::Sqlite(error) }
    }
}

/// What a write survives once it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// The death of the process.
    Process,
    /// A power cut too; costs a flush of the disk.
    Power,
}

/// The writer, and its file.
#[derive(Debug)]
struct Writer {
    connection: Connection,
    // Below the connection: see `file`.
    file: FileWatch,
}

type Job<C> = Box<dyn FnOnce(&mut C) + Send>;

/// A handle to the database. Cheap to clone; the file closes with the last one.
#[derive(Debug, Clone)]
pub struct Database {
    writes: mpsc::Sender<Job<Writer>>,
    reads: mpsc::Sender<Job<Connection>>,
    history: History,
}

/// How much of what is over is kept of each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Batches, counted back from the newest; those that have files are kept in any case.
    pub batches: u64,
    /// Events; as many of each tenant itself and of the host.
    pub events: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { batches: HISTORY_BATCHES_DEFAULT, events: HISTORY_EVENTS_DEFAULT }
    }
}

/// Work that waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Writes, of [`DATABASE_WRITES_WAITING`] that may.
    pub writes: usize,
    /// Reads, of [`DATABASE_READS_WAITING`] that may.
    pub reads: usize,
}

// === impl Database ===

impl Database {
    /// As [`Self::open`], the database of a storage folder, for whoever holds that folder and works with it for long: the file
    /// gets a new id, so that a copy that is written over it shows.
    ///
    /// # Errors
    /// Also [`DatabaseError::Empty`] where streams have files and the database has nothing, and [`DatabaseError::Damaged`]
    /// where [`DATABASE_CHECK_LIMIT`] was enough to find faults.
    pub fn open_checked(storage: &Path) -> Result<Self, DatabaseError> {
        check::not_forgotten(storage)?;
        let path = database_file(storage);
        if std::fs::metadata(&path).is_ok_and(|found| found.len() > 0)
            && patiently(|| check::whole(&path, DATABASE_CHECK_LIMIT))? == check::Checked::Unfinished
        {
            tracing::warn!(
                path = %path.display(),
                "the database was not looked at to its end within {DATABASE_CHECK_LIMIT:?}; what was looked at is whole"
            );
        }
        Self::open_as(&path, Opener::Server)
    }

    /// Opens or makes the file, for its owner alone, and brings its schema up to date. A server may have it open, too.
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

    /// The same, keeping so much from its next writes on.
    #[must_use]
    pub fn keeping(self, history: History) -> Self {
        Self { history, ..self }
    }

    /// How much of what is over it keeps.
    pub fn history(&self) -> History {
        self.history
    }

    /// Runs `work` in one transaction; it survives the process when this answers `Ok`, and is undone if it answers `Err`.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        self.write_or(work).await
    }

    /// [`Database::write`] for work that fails in ways of its own.
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

    /// Queues a write that nobody waits for and that may be lost; answers whether there was room for it.
    pub fn write_later(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), DatabaseError> + Send + 'static,
    ) -> bool {
        let job: Job<Writer> = Box::new(move |writer| {
            if let Err(error) = written(writer, Durability::Process, work) {
                tracing::warn!(%error, "a write that nobody waits for failed");
            }
        });
        self.writes.try_send(job).is_ok()
    }

    /// Runs `work` on a read-only connection; all that it reads is of one moment.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        self.read_or(work).await
    }

    /// [`Database::read`] for work that fails in ways of its own.
    pub async fn read_or<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job<Connection> = Box::new(move |connection| {
            // Nobody misses a read whose caller went away.
            if !answer.is_closed() {
                let read = |transaction: &Transaction<'_>| work(transaction);
                answer.send(in_transaction(connection, TransactionBehavior::Deferred, read)).ok();
            }
        });
        self.reads.send(job).await.map_err(|_| DatabaseError::Closed)?;
        answered.await.map_err(|_| DatabaseError::Closed)?
    }

    /// How much work waits for its turn, at this moment.
    pub fn waiting(&self) -> Waiting {
        fn of<C>(queue: &mpsc::Sender<Job<C>>) -> usize {
            queue.max_capacity() - queue.capacity()
        }
        Waiting { writes: of(&self.writes), reads: of(&self.reads) }
    }
}

/// A transaction of the writer. SQLite takes the setting between transactions, for the one that follows.
///
/// Nothing is answered that the file under the database's name will not have. What a pipeline notes goes on into a file
/// that has only lost its name: it may come back.
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
    // It may have gone meanwhile.
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

/// Opens again and again while another process is just making or closing the same file: SQLite answers "busy" at once
/// then, whatever its timeout, where waiting could be a deadlock.
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

/// Starts a thread that takes jobs until the last handle is gone.
fn work<C: Send + 'static>(
    name: &str,
    mut connection: C,
    queue: Arc<Mutex<mpsc::Receiver<Job<C>>>>,
) -> Result<(), DatabaseError> {
    let run = move || {
        loop {
            // One thread waits in the queue, the others for the lock: whoever is free takes the next job.
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let Some(job) = job else { return };
            // One job's fault is not everybody's: its transaction is undone, its caller is told, the thread goes on.
            if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
                tracing::error!("work on the database broke off");
            }
        }
    };
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(DatabaseError::Threads)?;
    Ok(())
}

/// Makes the file if it is not there, and takes it from all but its owner if it is: it holds keys of destinations.
/// SQLite gives the files beside it the same mode.
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

/// Takes the steps of the schema that the file lacks, all or none.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), DatabaseError> {
    let known = i64::try_from(SCHEMA.len()).unwrap_or(i64::MAX);
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    if version(connection)? == known {
        return Ok(());
    }
    // Looked at again under the lock: another process may have been faster.
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
