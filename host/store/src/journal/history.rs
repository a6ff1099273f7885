//! Read access to the journal: a stream's batches with the time of every step, the snapshots of its stages, and its
//! positions on air. Reads do not block the writer. Batches are still listed after their files are removed.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resume::json;
use super::stream::StreamJournal;
use super::{Journal, JournalError, Step};
use crate::page::{Listed, Page};
use outboard_base::limits::SPOOL_HISTORY_MAX;

/// A batch as recorded in the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchRecord {
    /// Number of the batch.
    pub number: u64,
    /// The last step that was recorded.
    pub step: Step,
    /// Index of its first segment.
    pub first: u64,
    /// Index of its last segment.
    pub last: u64,
    /// Why the batch ended at this point.
    pub reason: String,
    /// Its timestamps may not continue those of the previous batch.
    pub discontinuity: bool,
    /// When its last segment was on disk, Unix time in milliseconds.
    pub complete_ms: u64,
    /// The decision, from `Decided` on: `processed` or `original`.
    pub outcome: Option<String>,
    /// The plan and the reason, from `Decided` on.
    pub detail: Option<Value>,
    /// Time of each step, Unix time in milliseconds, by [`Step::name`].
    pub times: BTreeMap<String, u64>,
    /// Its files were removed.
    pub cleaned: bool,
}

/// The packets and times of a batch on air, recorded with its decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnAir {
    /// Number of video packets in the batch.
    pub video: u64,
    /// Number of audio packets in the batch.
    pub audio: u64,
    /// Start on the air timeline in milliseconds.
    pub start_ms: u64,
    /// End on the air timeline in milliseconds.
    pub end_ms: u64,
}

/// A stage's snapshot without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotInfo {
    /// `batching`, `framing` or `remux-planning`.
    pub kind: String,
    /// Digest of the component that made the snapshot.
    pub digest: String,
    /// Size of the snapshot in bytes.
    pub bytes: u64,
}

/// The counters of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamRecord {
    /// When its run began, Unix time in milliseconds.
    pub started_ms: u64,
    /// The run ended on its own; the next run starts from the beginning.
    pub finished: bool,
    /// Index of the next segment.
    pub next_segment: u64,
    /// Number of the next batch.
    pub next_batch: u64,
}

impl BatchRecord {
    /// Whether its run ended before it was on air and the next run did not resume it.
    pub fn is_given_up(&self) -> bool {
        self.step == Step::Done && !self.times.contains_key(Step::Done.name())
    }
}

impl StreamJournal {
    /// The on-air records of the batches from `from` up to but not including `to`, oldest first; at most the newest
    /// [`SPOOL_HISTORY_MAX`].
    pub async fn on_air(&self, from: u64, to: u64) -> Result<Vec<(u64, OnAir)>, JournalError> {
        let stream = self.stream;
        let from = from.max(to.saturating_sub(SPOOL_HISTORY_MAX as u64));
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, json_extract(detail, '$.air') FROM batch
                 WHERE stream = ? AND number >= ? AND number < ? ORDER BY number",
            )?;
            let rows = statement.query_map(params![stream, from, to], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, Option<String>>(1)?))
            })?;
            let mut found = Vec::new();
            for row in rows {
                if let (number, Some(air)) = row? {
                    found.push((number, json("batch.detail", &air)?));
                }
            }
            Ok(found)
        };
        self.journal.database.read(read).await
    }
}

// === impl Journal ===

const BATCH: &str =
    "SELECT number, step, first, last, reason, discontinuity, complete_ms, outcome, detail, times, cleaned
    FROM batch WHERE stream = (SELECT id FROM stream WHERE tenant = ?1 AND name = ?2)";

impl Journal {
    /// A stream's batches, keyed by number. Empty for a stream that never ran.
    pub async fn batches(&self, tenant: &str, stream: &str, page: Page) -> Result<Listed<BatchRecord>, JournalError> {
        let of = (tenant.to_owned(), stream.to_owned());
        let read = move |connection: &Connection| {
            let (than, order) = page.words();
            let mut statement =
                connection.prepare_cached(&format!("{BATCH} AND number {than} ?3 ORDER BY number {order} LIMIT ?4"))?;
            let rows = statement.query_map(params![of.0, of.1, page.key(), page.limit()], raw)?;
            Ok(page.cut(rows.map(|row| parsed(row?)).collect::<Result<_, JournalError>>()?))
        };
        self.database.read(read).await
    }

    /// One batch; `None` if it is unknown or no longer recorded.
    pub async fn batch(&self, tenant: &str, stream: &str, number: u64) -> Result<Option<BatchRecord>, JournalError> {
        let of = (tenant.to_owned(), stream.to_owned());
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&format!("{BATCH} AND number = ?3"))?;
            let row = statement.query_row(params![of.0, of.1, number], raw).optional()?;
            row.map(parsed).transpose()
        };
        self.database.read(read).await
    }

    /// A stream's counters; `None` if it never ran.
    pub async fn stream(&self, tenant: &str, stream: &str) -> Result<Option<StreamRecord>, JournalError> {
        let of = (tenant.to_owned(), stream.to_owned());
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT started_ms, finished, next_segment, next_batch FROM stream WHERE tenant = ? AND name = ?",
            )?;
            let row = statement.query_row(params![of.0, of.1], |row| {
                Ok(StreamRecord {
                    started_ms: row.get(0)?,
                    finished: row.get(1)?,
                    next_segment: row.get(2)?,
                    next_batch: row.get(3)?,
                })
            });
            Ok(row.optional()?)
        };
        self.database.read(read).await
    }

    /// The snapshots with which a stream's stages would be opened.
    pub async fn snapshots(&self, tenant: &str, stream: &str) -> Result<Vec<SnapshotInfo>, JournalError> {
        let of = (tenant.to_owned(), stream.to_owned());
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT kind, digest, length(state) FROM stage
                 WHERE stream = (SELECT id FROM stream WHERE tenant = ? AND name = ?) ORDER BY kind",
            )?;
            let rows = statement.query_map(params![of.0, of.1], |row| {
                Ok(SnapshotInfo { kind: row.get(0)?, digest: row.get(1)?, bytes: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.database.read(read).await
    }

    /// The position of each destination, by name.
    pub async fn positions(&self, tenant: &str, stream: &str) -> Result<BTreeMap<String, Value>, JournalError> {
        let of = (tenant.to_owned(), stream.to_owned());
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT destination, position FROM air
                 WHERE stream = (SELECT id FROM stream WHERE tenant = ? AND name = ?)",
            )?;
            let rows = statement.query_map(params![of.0, of.1], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
            let parsed = rows.map(|row| {
                let (destination, position) = row?;
                Ok((destination, json("air.position", &position)?))
            });
            parsed.collect()
        };
        self.database.read(read).await
    }
}

/// Removes all journal rows of a stream; its numbers start again. The stream must not run.
pub fn remove(transaction: &Transaction<'_>, tenant: &str, stream: &str) -> Result<(), JournalError> {
    for table in ["segment", "batch", "air", "stage"] {
        transaction.execute(
            &format!("DELETE FROM {table} WHERE stream = (SELECT id FROM stream WHERE tenant = ? AND name = ?)"),
            params![tenant, stream],
        )?;
    }
    transaction.execute("DELETE FROM stream WHERE tenant = ? AND name = ?", params![tenant, stream])?;
    Ok(())
}

/// A row whose JSON is not parsed yet.
type Raw = (BatchRecord, Option<String>, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let record = BatchRecord {
        number: row.get(0)?,
        step: Step::of(row.get(1)?),
        first: row.get(2)?,
        last: row.get(3)?,
        reason: row.get(4)?,
        discontinuity: row.get(5)?,
        complete_ms: row.get(6)?,
        outcome: row.get(7)?,
        detail: None,
        times: BTreeMap::new(),
        cleaned: row.get(10)?,
    };
    Ok((record, row.get(8)?, row.get(9)?))
}

fn parsed((mut record, detail, times): Raw) -> Result<BatchRecord, JournalError> {
    record.detail = detail.map(|text| json("batch.detail", &text)).transpose()?;
    record.times = json("batch.times", &times)?;
    Ok(record)
}
