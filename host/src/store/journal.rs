//! The journal: every step of every batch, before the next step begins, so that `kill -9` loses nothing.
//!
//! SQLite in WAL mode on a thread of its own; calls queue up and answer when they are committed. A commit survives the
//! death of the process (`synchronous = NORMAL`); media files are renamed into place before the step that names them.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

mod progress;
mod resume;
mod stream;

pub use progress::BatchProgress;
pub use resume::{BatchRow, Resumed, Step};
pub use stream::{CutRecord, StageSnapshot, StreamJournal};

/// Why the journal did not take or give something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// SQLite failed.
    #[error("journal: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What it holds is not what we wrote.
    #[error("journal holds something unreadable in {what}: {source}")]
    Unreadable {
        /// Where.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The file was made by a newer version.
    #[error("journal {path} has schema {found}, this version knows up to {known}: run the newer outboard again")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The journal's thread ended.
    #[error("the journal is closed")]
    Closed,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Jobs that may wait; senders wait beyond that.
const QUEUE: usize = 256;

/// Steps of the schema; `user_version` counts how many were taken. Only ever add.
const SCHEMA: &[&str] = &["
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0,
    next_segment INTEGER NOT NULL DEFAULT 0,
    next_batch INTEGER NOT NULL DEFAULT 0,
    timeline TEXT,
    UNIQUE (tenant, name)
);
CREATE TABLE segment (
    stream INTEGER NOT NULL REFERENCES stream (id),
    idx INTEGER NOT NULL,
    batch INTEGER,
    facts TEXT NOT NULL,
    PRIMARY KEY (stream, idx)
) WITHOUT ROWID;
CREATE TABLE batch (
    stream INTEGER NOT NULL REFERENCES stream (id),
    number INTEGER NOT NULL,
    step INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    discontinuity INTEGER NOT NULL,
    complete_ms INTEGER NOT NULL,
    timeline TEXT,
    outcome TEXT,
    detail TEXT,
    times TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (stream, number)
) WITHOUT ROWID;
CREATE TABLE air (
    stream INTEGER NOT NULL REFERENCES stream (id),
    destination TEXT NOT NULL,
    position TEXT NOT NULL,
    PRIMARY KEY (stream, destination)
) WITHOUT ROWID;
CREATE TABLE stage (
    stream INTEGER NOT NULL REFERENCES stream (id),
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (stream, kind)
) WITHOUT ROWID;
"];

/// A handle to the journal's thread. Cheap to clone; the file closes with the last one.
#[derive(Debug, Clone)]
pub struct Journal {
    jobs: mpsc::Sender<Job>,
}

impl Journal {
    /// Opens or makes the file and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut connection, path)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut connection);
                }
            })
            .map_err(|_| JournalError::Closed)?;
        Ok(Self { jobs })
    }

    /// Runs `work` on the journal's thread in one transaction; it is durable when this returns.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = (|| {
                let transaction = connection.transaction()?;
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            })();
            answer.send(done).ok();
        });
        self.jobs.send(job).await.map_err(|_| JournalError::Closed)?;
        answered.await.map_err(|_| JournalError::Closed)?
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let known = i64::try_from(SCHEMA.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(JournalError::TooNew { path: path.to_owned(), found, known });
    }
    let transaction = connection.transaction()?;
    for step in SCHEMA.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests;
