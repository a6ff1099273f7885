//! Finished batches that still have files, and the initialization sections of their segments. Retention uses these.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::broadcast;

use super::stream::StreamJournal;
use super::{Journal, JournalError, Step};
use crate::limits::BATCH_STEPS_WAITING;

/// A batch whose last packet was sent to all destinations, or that an earlier run abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinishedBatch {
    /// Number of the batch.
    pub number: u64,
    /// Index of its first segment.
    pub first: u64,
    /// Index of its last segment.
    pub last: u64,
    /// When the batch was done, Unix time in milliseconds.
    pub done_ms: u64,
}

/// The finished batches of a stream that have files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finished {
    /// Total number of such batches.
    pub count: usize,
    /// The oldest of them, oldest first, up to the requested number.
    pub oldest: Vec<FinishedBatch>,
}

/// The index of a segment that the journal knows, and the initialization section of one of its files.
pub type SegmentInit = (u64, Option<PathBuf>);

impl Journal {
    /// A stream's handle without starting a run; `None` if the stream never ran.
    pub async fn find(&self, tenant: &str, name: &str) -> Result<Option<StreamJournal>, JournalError> {
        let (tenant, name) = (tenant.to_owned(), name.to_owned());
        let work = move |connection: &Connection| {
            let query = "SELECT id FROM stream WHERE tenant = ? AND name = ?";
            Ok(connection.query_row(query, params![tenant, name], |row| row.get::<_, i64>(0)).optional()?)
        };
        let progress = broadcast::Sender::new(BATCH_STEPS_WAITING);
        let found = self.database.read(work).await?;
        Ok(found.map(|stream| StreamJournal { journal: self.clone(), stream, progress }))
    }
}

impl StreamJournal {
    /// The number of finished batches, and the `most` oldest of them.
    pub async fn finished(&self, most: usize) -> Result<Finished, JournalError> {
        let stream = self.stream;
        let work = move |connection: &Connection| {
            let done = params![stream, Step::Done.code()];
            let count = connection.query_row(
                "SELECT count(*) FROM batch INDEXED BY batch_with_files
                 WHERE stream = ? AND cleaned = 0 AND step = ?",
                done,
                |row| row.get(0),
            )?;
            let mut statement = connection.prepare_cached(
                "SELECT number, first, last, coalesce(json_extract(times, '$.done'), complete_ms)
                 FROM batch INDEXED BY batch_with_files WHERE stream = ? AND cleaned = 0 AND step = ? ORDER BY number LIMIT ?",
            )?;
            let rows = statement.query_map(params![stream, Step::Done.code(), most], |row| {
                Ok(FinishedBatch { number: row.get(0)?, first: row.get(1)?, last: row.get(2)?, done_ms: row.get(3)? })
            })?;
            Ok(Finished { count, oldest: rows.collect::<Result<_, _>>()? })
        };
        self.journal.database.read(work).await
    }

    /// All recorded segments with their initialization sections, one entry for each file of a segment.
    pub async fn segment_inits(&self) -> Result<Vec<SegmentInit>, JournalError> {
        let stream = self.stream;
        let work = move |connection: &Connection| {
            let mut statement = connection.prepare(
                "SELECT idx, json_extract(facts, '$.main.init') FROM segment WHERE stream = ?1
                 UNION ALL
                 SELECT idx, json_extract(part.value, '$.init') FROM segment, json_each(facts, '$.audio') part
                 WHERE stream = ?1",
            )?;
            let rows = statement
                .query_map([stream], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.map(PathBuf::from))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.journal.database.read(work).await
    }
}
