//! The journal: every step of every batch, before the next step begins, so that `kill -9` loses nothing.
//!
//! Kept in the [`Database`]; a call answers when what it says is committed. Media files are renamed into place before the
//! step that names them. A batch stays as history after its files are gone, [`BATCH_HISTORY_ROWS`] numbers long.
//!
//! [`BATCH_HISTORY_ROWS`]: crate::limits::BATCH_HISTORY_ROWS

use std::path::Path;

use rusqlite::Transaction;

use super::database::Database;

mod history;
mod progress;
mod resume;
mod stream;

pub use super::database::DatabaseError as JournalError;
pub(crate) use history::remove;
pub use history::{BatchRecord, SnapshotInfo, StreamRecord};
pub use progress::BatchProgress;
pub use resume::{BatchRow, Resumed, Step};
pub use stream::{CutRecord, StageSnapshot, StreamJournal};

/// A handle to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    database: Database,
}

impl Journal {
    /// The journal of a database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Opens or makes a database for its journal alone.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Database::open(path).map(Self::new)
    }

    /// Runs `work` in one transaction; it is durable when this returns.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.database.write(work).await
    }
}

#[cfg(test)]
mod tests;
