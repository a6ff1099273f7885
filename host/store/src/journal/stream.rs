//! One stream's part of the journal: the records that a running pipeline writes.

use rusqlite::params;
use serde::Serialize;
use tokio::sync::broadcast;

use super::progress::BatchProgress;
use super::resume::{self, KNOWN_SEGMENTS, Resumed};
use super::{Journal, JournalError, StageSnapshot, Step};
use crate::limits::BATCH_STEPS_WAITING;
use outboard_base::unix_time::now_ms;
use outboard_media::segment::Segment;
use outboard_media::timeline::Timeline;

/// A batch that was just cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutRecord {
    /// Number of the batch.
    pub number: u64,
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
}

/// A stream's handle to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StreamJournal {
    pub(super) journal: Journal,
    pub(super) stream: i64,
    pub(super) progress: broadcast::Sender<BatchProgress>,
}

impl Journal {
    /// Starts or resumes a run of a stream. `source` identifies the source: a different source starts a new run.
    pub async fn begin(
        &self,
        tenant: &str,
        name: &str,
        source: &str,
    ) -> Result<(StreamJournal, Resumed), JournalError> {
        let (tenant, name, source) = (tenant.to_owned(), name.to_owned(), source.to_owned());
        let (stream, resumed) =
            self.write(move |transaction| resume::begin(transaction, (&tenant, &name, &source), now_ms())).await?;
        let progress = broadcast::Sender::new(BATCH_STEPS_WAITING);
        Ok((StreamJournal { journal: self.clone(), stream, progress }, resumed))
    }
}

impl StreamJournal {
    /// Sends the steps to this channel instead.
    #[must_use]
    pub fn telling(mut self, progress: broadcast::Sender<BatchProgress>) -> Self {
        self.progress = progress;
        self
    }

    /// The channel to which recorded steps are sent.
    pub fn progress(&self) -> broadcast::Sender<BatchProgress> {
        self.progress.clone()
    }

    fn tell(&self, progress: BatchProgress) {
        // There may be no subscriber.
        let _ = self.progress.send(progress);
    }

    /// Records a segment that is on disk and was accepted by the batching stage, together with the batches that it
    /// completed and the stage's state, in one transaction.
    pub async fn segment(
        &self,
        segment: Option<&Segment>,
        cuts: Vec<CutRecord>,
        stage: Option<StageSnapshot>,
    ) -> Result<(), JournalError> {
        let stream = self.stream;
        let told: Vec<u64> = cuts.iter().map(|cut| cut.number).collect();
        let segment = segment.map(|segment| (segment.index, text(segment)));
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            if let Some((index, facts)) = segment {
                transaction.execute(
                    "INSERT INTO segment (stream, idx, facts) VALUES (?, ?, ?)",
                    params![stream, index, facts],
                )?;
                transaction.execute("UPDATE stream SET next_segment = ? WHERE id = ?", params![index + 1, stream])?;
                transaction.execute(
                    "DELETE FROM segment WHERE stream = ?1 AND idx < ?3 - ?2 AND batch IS NOT NULL AND batch NOT IN (
                         SELECT number FROM batch INDEXED BY batch_with_files WHERE stream = ?1 AND cleaned = 0)",
                    params![stream, KNOWN_SEGMENTS, index],
                )?;
            }
            for cut in cuts {
                transaction.execute(
                    "INSERT INTO batch (stream, number, step, first, last, reason, discontinuity, complete_ms, times)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, json_object('cut', ?))",
                    params![
                        stream,
                        cut.number,
                        Step::Cut.code(),
                        cut.first,
                        cut.last,
                        cut.reason,
                        cut.discontinuity,
                        cut.complete_ms,
                        now_ms()
                    ],
                )?;
                transaction.execute(
                    "UPDATE segment SET batch = ? WHERE stream = ? AND idx BETWEEN ? AND ?",
                    params![cut.number, stream, cut.first, cut.last],
                )?;
                transaction
                    .execute("UPDATE stream SET next_batch = ? WHERE id = ?", params![cut.number + 1, stream])?;
            }
            if let Some(stage) = stage {
                put_stage(transaction, stream, &stage)?;
            }
            Ok(())
        };
        self.journal.write(work).await?;
        for number in told {
            self.tell(BatchProgress::new(number, Step::Cut, now_ms()));
        }
        Ok(())
    }

    /// Records that a batch is demuxed and placed. `before` and `after` are the timeline before and after it.
    pub async fn demuxed(&self, number: u64, before: &Timeline, after: &Timeline) -> Result<(), JournalError> {
        let (stream, before, after) = (self.stream, text(before), text(after));
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            transaction.execute(
                "UPDATE batch SET timeline = ? WHERE stream = ? AND number = ?",
                params![before, stream, number],
            )?;
            transaction.execute("UPDATE stream SET timeline = ? WHERE id = ?", params![after, stream])?;
            take_step(transaction, stream, number, Step::Demuxed)
        };
        let at_ms = self.journal.write(work).await?;
        self.tell(BatchProgress::new(number, Step::Demuxed, at_ms));
        Ok(())
    }

    /// Records the decision. `outcome` is `processed` or `original`; `detail` contains the plan and the reason as JSON.
    pub async fn decided(&self, number: u64, outcome: &str, detail: String) -> Result<(), JournalError> {
        let (stream, outcome) = (self.stream, outcome.to_owned());
        let told = Some(outcome.clone());
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            transaction.execute(
                "UPDATE batch SET outcome = ?, detail = ? WHERE stream = ? AND number = ?",
                params![outcome, detail, stream, number],
            )?;
            take_step(transaction, stream, number, Step::Decided)
        };
        let at_ms = self.journal.write(work).await?;
        self.tell(BatchProgress { outcome: told, ..BatchProgress::new(number, Step::Decided, at_ms) });
        Ok(())
    }

    /// Records a step that has no further data.
    pub async fn step(&self, number: u64, step: Step) -> Result<(), JournalError> {
        let stream = self.stream;
        let at_ms = self.journal.write(move |transaction| take_step(transaction, stream, number, step)).await?;
        self.tell(BatchProgress::new(number, step, at_ms));
        Ok(())
    }

    /// Records a stage's new state.
    pub async fn stage(&self, snapshot: StageSnapshot) -> Result<(), JournalError> {
        let stream = self.stream;
        self.journal.write(move |transaction| put_stage(transaction, stream, &snapshot)).await
    }

    /// Records the position of a destination; `position` is JSON.
    pub async fn air(&self, destination: &str, position: String) -> Result<(), JournalError> {
        let (stream, destination) = (self.stream, destination.to_owned());
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            transaction.execute(
                "INSERT INTO air (stream, destination, position) VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET position = excluded.position",
                params![stream, destination, position],
            )?;
            Ok(())
        };
        self.journal.write(work).await
    }

    /// Removes the position of a destination that was disabled or removed.
    pub async fn forget_air(&self, destination: &str) -> Result<(), JournalError> {
        let (stream, destination) = (self.stream, destination.to_owned());
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            transaction
                .execute("DELETE FROM air WHERE stream = ? AND destination = ?", params![stream, destination])?;
            Ok(())
        };
        self.journal.write(work).await
    }

    /// Records that a batch's files were removed. The batch becomes history, and the oldest history is removed. Its
    /// place on the timeline is no longer needed.
    pub async fn forget(&self, number: u64) -> Result<(), JournalError> {
        let (stream, kept) = (self.stream, self.journal.database.history().batches);
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            transaction.execute(
                "UPDATE batch SET cleaned = 1, timeline = NULL WHERE stream = ? AND number = ?",
                params![stream, number],
            )?;
            transaction.execute(
                "DELETE FROM batch WHERE stream = ?1 AND cleaned = 1
                 AND number < (SELECT next_batch FROM stream WHERE id = ?1) - ?2",
                params![stream, kept],
            )?;
            Ok(())
        };
        self.journal.write(work).await
    }

    /// The finished batches that have files, oldest first, with the indices of their first and last segment.
    pub async fn done(&self) -> Result<Vec<(u64, u64, u64)>, JournalError> {
        let stream = self.stream;
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            let mut statement = transaction.prepare(
                "SELECT number, first, last FROM batch INDEXED BY batch_with_files
                 WHERE stream = ? AND cleaned = 0 AND step = ? ORDER BY number",
            )?;
            let rows = statement
                .query_map(params![stream, Step::Done.code()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.journal.write(work).await
    }

    /// Records that the run ended on its own: the next run starts from the beginning.
    pub async fn finish(&self) -> Result<(), JournalError> {
        let stream = self.stream;
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            transaction.execute("UPDATE stream SET finished = 1 WHERE id = ?", [stream])?;
            Ok(())
        };
        self.journal.write(work).await
    }
}

fn take_step(
    transaction: &rusqlite::Transaction<'_>,
    stream: i64,
    number: u64,
    step: Step,
) -> Result<u64, JournalError> {
    let at_ms = now_ms();
    transaction.execute(
        "UPDATE batch SET step = max(step, ?1), times = json_patch(times, json_object(?2, ?3))
         WHERE stream = ?4 AND number = ?5",
        params![step.code(), step.name(), at_ms, stream, number],
    )?;
    Ok(at_ms)
}

fn put_stage(transaction: &rusqlite::Transaction<'_>, stream: i64, stage: &StageSnapshot) -> Result<(), JournalError> {
    transaction.execute(
        "INSERT INTO stage (stream, kind, digest, state) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET digest = excluded.digest, state = excluded.state",
        params![stream, stage.kind, stage.digest, stage.state],
    )?;
    Ok(())
}

/// Serialising our own records cannot fail; `begin` would detect an empty text.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
