//! The journal as a pipeline's steps write it: a disk that is full does not take the stream off the air.
//!
//! In: steps, in their order. Each is in the journal when its call returns, unless the disk refuses: then it is kept here and
//! written, in the same order, as soon as there is room. A process that is killed in between goes on from the last step
//! that was written. Bounded: past [`JOURNAL_LATE_MAX`] steps the error comes through.

use crate::limits::{JOURNAL_LATE_MAX, JOURNAL_PATIENCE};
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::event::{Event, EventKind, Severity};
use super::status::Status;

use outboard_base::room::Room;
use outboard_media::segment::Segment;
use outboard_media::timeline::Timeline;
use outboard_store::journal::{CutRecord, JournalError, StageSnapshot, Step, StreamJournal};

/// Pauses between tries within [`JOURNAL_PATIENCE`].
const PAUSES: u32 = 5;

/// Writes a pipeline's journal. Cheap to clone; all clones write in one order.
#[derive(Debug, Clone)]
pub struct JournalWriter {
    journal: StreamJournal,
    status: Arc<Status>,
    room: Room,
    late: Arc<Mutex<VecDeque<Entry>>>,
}

/// Something to be written down.
#[derive(Debug)]
enum Entry {
    Segment(Option<Box<Segment>>, Vec<CutRecord>, Option<StageSnapshot>),
    Demuxed(u64, Box<(Timeline, Timeline)>),
    Decided(u64, String, String),
    Step(u64, Step),
}

impl JournalWriter {
    /// Writes the journal of one stream; what the disk refuses is kept in memory.
    pub fn new(journal: StreamJournal, status: Arc<Status>, room: Room) -> Self {
        Self { journal, status, room, late: Arc::default() }
    }

    /// Writes a segment, see [`StreamJournal::segment`]; kept in memory while the disk is full.
    pub async fn segment(
        &self,
        segment: Option<&Segment>,
        cuts: Vec<CutRecord>,
        stage: Option<StageSnapshot>,
    ) -> Result<(), JournalError> {
        self.write(Entry::Segment(segment.cloned().map(Box::new), cuts, stage)).await
    }

    /// Writes a demuxed batch, see [`StreamJournal::demuxed`]; kept in memory while the disk is full.
    pub async fn demuxed(&self, number: u64, before: &Timeline, after: &Timeline) -> Result<(), JournalError> {
        self.write(Entry::Demuxed(number, Box::new((before.clone(), after.clone())))).await
    }

    /// Writes a decision, see [`StreamJournal::decided`]; kept in memory while the disk is full.
    pub async fn decided(&self, number: u64, outcome: &str, detail: String) -> Result<(), JournalError> {
        self.write(Entry::Decided(number, outcome.to_owned(), detail)).await
    }

    /// Writes a step, see [`StreamJournal::step`]; kept in memory while the disk is full.
    pub async fn step(&self, number: u64, step: Step) -> Result<(), JournalError> {
        self.write(Entry::Step(number, step)).await
    }

    /// Writes what is late, if the disk takes it.
    pub async fn catch_up(&self) -> Result<(), JournalError> {
        let mut late = self.late.lock().await;
        self.write_all(&mut late).await
    }

    async fn write(&self, entry: Entry) -> Result<(), JournalError> {
        let mut late = self.late.lock().await;
        let was_late = !late.is_empty();
        late.push_back(entry);
        let give_up = Instant::now() + JOURNAL_PATIENCE;
        loop {
            match self.write_all(&mut late).await {
                Err(error @ (JournalError::Full(_) | JournalError::Lost(_))) if late.len() <= JOURNAL_LATE_MAX => {
                    if was_late {
                        return Ok(());
                    }
                    self.room.nudge();
                    if Instant::now() >= give_up {
                        let what =
                            format!("{error}; the stream continues, and its steps are journalled once there is space");
                        self.status.tell(Event::new(EventKind::DiskLow, Severity::Error, what));
                        return Ok(());
                    }
                    tokio::time::sleep(JOURNAL_PATIENCE / PAUSES).await;
                }
                written => return written,
            }
        }
    }

    /// Oldest first. What was written is taken out; the first error ends it.
    async fn write_all(&self, late: &mut VecDeque<Entry>) -> Result<(), JournalError> {
        let many = late.len() > 1;
        while let Some(entry) = late.front() {
            match entry {
                Entry::Segment(segment, cuts, stage) => {
                    self.journal.segment(segment.as_deref(), cuts.clone(), stage.clone()).await?;
                }
                Entry::Demuxed(number, timelines) => {
                    self.journal.demuxed(*number, &timelines.0, &timelines.1).await?;
                }
                Entry::Decided(number, outcome, detail) => {
                    self.journal.decided(*number, outcome, detail.clone()).await?;
                }
                Entry::Step(number, step) => self.journal.step(*number, *step).await?,
            }
            late.pop_front();
        }
        if many {
            tracing::info!("the journal has caught up");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_store::files::Storage;
    use outboard_store::journal::Journal;

    /// A journal whose file may not grow, as on a full disk, until it is let.
    struct Case {
        dir: tempfile::TempDir,
        journal: Journal,
        writer: JournalWriter,
        status: Arc<Status>,
    }

    async fn case() -> Case {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(dir.path()).unwrap();
        let journal = Journal::open(&storage.journal()).unwrap();
        let (stream, _) = journal.begin("default", "tv", "u").await.unwrap();
        let status = Arc::new(Status::default());
        let writer = JournalWriter::new(stream, status.clone(), Room::default());
        Case { dir, journal, writer, status }
    }

    fn cut(number: u64) -> Vec<CutRecord> {
        let reason = "x".repeat(20_000);
        vec![CutRecord { number, first: number, last: number, reason, discontinuity: false, complete_ms: 0 }]
    }

    async fn steps(case: &Case) -> Vec<(u64, Step)> {
        let (_, resumed) = case.journal.begin("default", "tv", "u").await.unwrap();
        resumed.batches.iter().map(|batch| (batch.number, batch.step)).collect()
    }

    #[tokio::test]
    async fn steps_that_a_full_disk_refuses_are_written_in_order_once_there_is_room() {
        let case = case().await;
        case.writer.segment(None, cut(0), None).await.unwrap();
        let pages = case.journal.pages().await;
        case.journal.let_grow_to(pages).await;
        let began = Instant::now();
        for number in 1..21 {
            case.writer.segment(None, cut(number), None).await.unwrap();
            case.writer.step(number, Step::Remuxed).await.unwrap();
        }
        assert!(began.elapsed() < JOURNAL_PATIENCE * 20, "only the first one waits: {:?}", began.elapsed());
        assert!(case.status.get().last_error.unwrap().contains("full"));
        assert!(matches!(case.writer.catch_up().await.unwrap_err(), JournalError::Full(_)));
        assert_eq!(steps(&case).await, [(0, Step::Cut)]);
        case.journal.let_grow_to(pages + 1000).await;
        case.writer.step(0, Step::Done).await.unwrap();
        assert_eq!(steps(&case).await, (1..21).map(|number| (number, Step::Remuxed)).collect::<Vec<_>>());
        case.writer.catch_up().await.unwrap();
        drop(case.dir);
    }

    #[tokio::test]
    async fn too_many_late_steps_are_an_error() {
        let case = case().await;
        let pages = case.journal.pages().await;
        case.journal.let_grow_to(pages).await;
        case.writer.segment(None, cut(0), None).await.unwrap();
        for _ in 1..JOURNAL_LATE_MAX {
            case.writer.late.lock().await.push_back(Entry::Step(0, Step::OnAir));
        }
        assert!(matches!(case.writer.step(0, Step::Done).await.unwrap_err(), JournalError::Full(_)));
    }
}
