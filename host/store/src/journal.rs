//! The journal: records every step of every batch before the next step begins, so that `kill -9` loses nothing.
//!
//! The journal is kept in the [`Database`]; a call returns after its change is committed. Media files are renamed to
//! their final names before the step that refers to them. The rows of a batch stay as history after its files are
//! removed, for the newest [`History::batches`] batches.
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
mod stage_snapshot;
mod step;
mod stream;

pub use super::database::DatabaseError as JournalError;
pub use finished::{Finished, FinishedBatch, SegmentInit};
pub use history::remove;
pub use history::{BatchRecord, OnAir, SnapshotInfo, StreamRecord};
pub use progress::BatchProgress;
pub use resume::{BatchRow, Resumed};
pub use stage_snapshot::StageSnapshot;
pub use step::Step;
pub use stream::{CutRecord, StreamJournal};

/// A handle to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    database: Database,
}

impl Journal {
    /// Creates the journal on a database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Opens or creates a database that is used for the journal only.
    #[cfg(any(test, feature = "testing"))]
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Database::open(path).map(Self::new)
    }

    /// Checks whether the database's file is still in place, also while nothing is written. A fault is logged, and
    /// later writes fail with it.
    pub async fn look_after(&self) {
        let _ = self.database.write(|_| Ok(())).await;
    }

    /// Runs `work` in one transaction; the change is committed when this returns.
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
