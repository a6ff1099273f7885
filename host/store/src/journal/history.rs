//! What the journal tells those who look: a stream's batches with every step's time, its stages' snapshots, its places on
//! air. Reads only, beside the writer; a batch is found for a day after its files are gone.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resume::{Step, json};
use super::stream::StreamJournal;
use super::{Journal, JournalError};
use crate::page::{Listed, Page};
use outboard_base::limits::SPOOL_HISTORY_MAX;

/// A batch as the journal knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchRecord {
    /// Its number.
    pub number: u64,
    /// The furthest step that it took.
    pub step: Step,
    /// Index of its first segment.
    pub first: u64,
    /// Index of its last segment.
    pub last: u64,
    /// Why it ended where it did.
    pub reason: String,
    /// Its timestamps may not follow on from the batch before.
    pub discontinuity: bool,
    /// Unix time in milliseconds when its last segment was there.
    pub complete_ms: u64,
    /// What was decided, from `Decided` on: `processed` or `original`.
    pub outcome: Option<String>,
    /// The plan and the reason, from `Decided` on.
    pub detail: Option<Value>,
    /// Unix time in milliseconds of each step, by [`Step::name`].
    pub times: BTreeMap<String, u64>,
    /// Its files are gone.
    pub cleaned: bool,
}

/// What of a batch goes on air, written down with its decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnAir {
    /// Pictures.
    pub video: u64,
    /// Audio packets.
    pub audio: u64,
    /// Air time of its start in milliseconds.
    pub start_ms: u64,
    /// Air time of its end in milliseconds.
    pub end_ms: u64,
}

/// A stage's snapshot without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotInfo {
    /// `batching`, `framing` or `remux-planning`.
    pub kind: String,
    /// Of the component that made it.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
}

/// Where a stream's numbers are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamRecord {
    /// Unix time in milliseconds when its run began.
    pub started_ms: u64,
    /// The run ended by itself; the next one starts anew.
    pub finished: bool,
    /// Index of the next segment.
    pub next_segment: u64,
    /// Number of the next batch.
    pub next_batch: u64,
}

impl BatchRecord {
    /// Its run ended before it was on air, and the next one did not go on with it.
    pub fn is_given_up(&self) -> bool {
        self.step == Step::Done && !self.times.contains_key(Step::Done.name())
    }
}

impl StreamJournal {
    /// What went on air, or should have, of the batches from `from` to before `to`, oldest first; the newest
    /// [`SPOOL_HISTORY_MAX`] of them.
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
    /// A stream's batches, keyed by number. A stream that never ran has none.
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

    /// One batch, if it is known (still).
    pub async fn batch(&self, tenant: &str, stream: &str, number: u64) -> Result<Option<BatchRecord>, JournalError> {
        let of = (tenant.to_owned(), stream.to_owned());
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&format!("{BATCH} AND number = ?3"))?;
            let row = statement.query_row(params![of.0, of.1, number], raw).optional()?;
            row.map(parsed).transpose()
        };
        self.database.read(read).await
    }

    /// A stream's numbers, if it ever ran.
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

    /// The snapshots that a stream's stages would be opened with.
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

    /// How far each destination came, by its name.
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

/// Removes all that the journal knows of a stream: its numbers begin anew. Nothing may be running on it.
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

/// A row whose JSON is still text.
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
