//! What a starting pipeline reads from the journal: the state at the end of the last run, or nothing.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::de::DeserializeOwned;

use super::{JournalError, StageSnapshot, Step};
use outboard_media::segment::Segment;
use outboard_media::timeline::Timeline;

/// A batch that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// Number of the batch.
    pub number: u64,
    /// The last recorded step.
    pub step: Step,
    /// Its segments, oldest first.
    pub segments: Vec<Segment>,
    /// Its timestamps may not continue those of the previous batch.
    pub discontinuity: bool,
    /// When its last segment was on disk, Unix time in milliseconds.
    pub complete_ms: u64,
    /// The timeline before the batch was placed; from `Demuxed` on.
    pub timeline: Option<Timeline>,
    /// The decision; from `Decided` on.
    pub outcome: Option<String>,
}

/// The recorded state of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resumed {
    /// Whether the last run must be resumed. False if it ended on its own or there was none; then only the numbers
    /// continue.
    pub unfinished: bool,
    /// Index of the next segment.
    pub next_segment: u64,
    /// Number of the next batch.
    pub next_batch: u64,
    /// Segments on disk that belong to no batch yet, oldest first.
    pub uncut: Vec<Segment>,
    /// The newest segments that were ever fetched, oldest first; the source must not fetch them again.
    pub known: Vec<Segment>,
    /// Batches that are not done, oldest first.
    pub batches: Vec<BatchRow>,
    /// The timeline after the newest placed batch.
    pub timeline: Option<Timeline>,
    /// Stage snapshots by kind of stage.
    pub stages: BTreeMap<String, StageSnapshot>,
    /// Position on air by destination, as JSON.
    pub air: BTreeMap<String, String>,
}

impl Resumed {
    /// The oldest batch that is not yet on air, or the next one that will be cut.
    pub fn oldest(&self) -> Option<u64> {
        self.unfinished.then(|| self.batches.first().map_or(self.next_batch, |batch| batch.number))
    }
}

/// Number of segments whose identity is remembered; a playlist window is far shorter.
pub(super) const KNOWN_SEGMENTS: u64 = 512;

/// Starts a run. Resumes an unfinished run of the same source; otherwise starts a new run with continuing numbers.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    (tenant, name, source): (&str, &str, &str),
    now_ms: u64,
) -> Result<(i64, Resumed), JournalError> {
    let row = transaction
        .query_row(
            "SELECT id, source, finished, next_segment, next_batch, timeline FROM stream WHERE tenant = ? AND name = ?",
            params![tenant, name],
            |row| {
                let flags: (i64, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((flags, (row.get::<_, u64>(3)?, row.get::<_, u64>(4)?, row.get::<_, Option<String>>(5)?)))
            },
        )
        .optional()?;
    let Some(((id, old_source, finished), (next_segment, next_batch, timeline))) = row else {
        transaction.execute(
            "INSERT INTO stream (tenant, name, source, started_ms) VALUES (?, ?, ?, ?)",
            params![tenant, name, source, now_ms],
        )?;
        return Ok((transaction.last_insert_rowid(), Resumed::default()));
    };
    let mut resumed = Resumed { next_segment, next_batch, ..Resumed::default() };
    if finished || old_source != source {
        for table in ["segment", "air", "stage"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE stream = ?"), [id])?;
        }
        // Their files are removed like those of any finished batch.
        transaction
            .execute("UPDATE batch SET step = ? WHERE stream = ? AND cleaned = 0", params![Step::Done.code(), id])?;
        transaction.execute(
            "UPDATE stream SET source = ?, started_ms = ?, finished = 0, timeline = NULL WHERE id = ?",
            params![source, now_ms, id],
        )?;
        return Ok((id, resumed));
    }
    resumed.unfinished = true;
    resumed.timeline = timeline.map(|text| json("stream.timeline", &text)).transpose()?;
    resumed.known = segments(
        transaction,
        "SELECT facts FROM (SELECT idx, facts FROM segment WHERE stream = ?1 ORDER BY idx DESC LIMIT ?2) ORDER BY idx",
        (id, KNOWN_SEGMENTS),
    )?;
    resumed.uncut = segments(
        transaction,
        "SELECT facts FROM segment WHERE stream = ?1 AND batch IS NULL AND idx >= ?2 ORDER BY idx",
        (id, 0),
    )?;
    resumed.batches = batches(transaction, id)?;
    let mut statement = transaction.prepare("SELECT kind, digest, state FROM stage WHERE stream = ?")?;
    let stages = statement.query_map([id], |row| {
        let snapshot = StageSnapshot { kind: row.get(0)?, digest: row.get(1)?, state: row.get(2)? };
        Ok((snapshot.kind.clone(), snapshot))
    })?;
    resumed.stages = stages.collect::<Result<_, _>>()?;
    let mut statement = transaction.prepare("SELECT destination, position FROM air WHERE stream = ?")?;
    resumed.air = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok((id, resumed))
}

fn batches(transaction: &Transaction<'_>, id: i64) -> Result<Vec<BatchRow>, JournalError> {
    let mut statement = transaction.prepare(
        "SELECT number, step, discontinuity, complete_ms, timeline, outcome, first, last FROM batch
         WHERE stream = ? AND step < ? ORDER BY number",
    )?;
    let rows = statement.query_map(params![id, Step::Done.code()], |row| {
        let batch = BatchRow {
            number: row.get(0)?,
            step: Step::of(row.get(1)?),
            segments: Vec::new(),
            discontinuity: row.get(2)?,
            complete_ms: row.get(3)?,
            timeline: None,
            outcome: row.get(5)?,
        };
        Ok((batch, row.get::<_, Option<String>>(4)?))
    })?;
    let mut batches = Vec::new();
    for row in rows {
        let (mut batch, timeline) = row?;
        batch.timeline = timeline.map(|text| json("batch.timeline", &text)).transpose()?;
        batch.segments = segments(
            transaction,
            "SELECT facts FROM segment WHERE stream = ?1 AND batch = ?2 ORDER BY idx",
            (id, batch.number),
        )?;
        batches.push(batch);
    }
    Ok(batches)
}

fn segments(transaction: &Transaction<'_>, query: &str, of: (i64, u64)) -> Result<Vec<Segment>, JournalError> {
    let mut statement = transaction.prepare(query)?;
    let rows = statement.query_map(params![of.0, of.1], |row| row.get::<_, String>(0))?;
    rows.map(|text| json("segment.facts", &text?)).collect()
}

pub(super) fn json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, JournalError> {
    serde_json::from_str(text).map_err(|source| JournalError::Unreadable { what, source })
}
