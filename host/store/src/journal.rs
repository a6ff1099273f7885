//! The journal: every step of every batch, before the next step begins, so that `kill -9` loses nothing.
//!
//! Kept in the [`Database`]; a call answers when what it says is committed. Media files are renamed into place before the
//! step that names them. A batch stays as history after its files are gone, [`History::batches`] numbers long.
//!
//! [`History::batches`]: super::database::History::batches

#[cfg(any(test, feature = "testing"))]
use std::path::Path;

use rusqlite::Transaction;

use super::database::Database;

mod finished;
mod history;
mod progress;
mod resume;
mod stream;

pub use super::database::DatabaseError as JournalError;
pub use finished::{Finished, FinishedBatch, SegmentInit};
pub use history::remove;
pub use history::{BatchRecord, OnAir, SnapshotInfo, StreamRecord};
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
    #[cfg(any(test, feature = "testing"))]
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Database::open(path).map(Self::new)
    }

    /// Looks whether the database's file is still there, where nobody writes; what is found is logged, and told to whoever
    /// writes.
    pub async fn look_after(&self) {
        let _ = self.database.write(|_| Ok(())).await;
    }

    /// Runs `work` in one transaction; it is durable when this returns.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.database.write(work).await
    }
}

#[cfg(any(test, feature = "testing"))]
mod testing;
#[cfg(test)]
mod tests;
