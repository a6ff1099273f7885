//! The one place where the steps tell what they did. In: typed outcomes of a step, in the order of the data. Out: counts,
//! timings, events, the journal and the log, each as far as the outcome concerns it.
//!
//! What a step can tell is beside the step: `batch/report.rs`, `demux/report.rs` and so on. What parts tell that know
//! nothing of a pipeline is below: [`source`], [`exchange`], [`air`].

pub(super) mod air;
pub(super) mod exchange;
pub(super) mod source;

use std::sync::Arc;

use super::journal_writer::JournalWriter;
use super::status::Status;
use outboard_store::journal::JournalError;

/// Tells outcomes to all who record them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Where steps are written down.
    pub journal: JournalWriter,
    /// Counts, durations and events of the pipeline, kept in memory.
    pub status: Arc<Status>,
}

impl Reporter {
    /// Writes what a full disk kept out of the journal, if it takes that now.
    ///
    /// # Errors
    /// [`JournalError`]: it does not; everything is kept in memory.
    pub(super) async fn catch_up(&self) -> Result<(), JournalError> {
        self.journal.catch_up().await
    }

    /// The source is a recording: all of it was there from the start.
    pub(super) fn recording(&self) -> bool {
        self.status.get().recording
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::sync::broadcast;

    use super::*;
    use crate::event::Event;
    use outboard_base::room::Room;
    use outboard_media::segment::{Container, Identity, Part, Segment};
    use outboard_store::files::Storage;
    use outboard_store::journal::{BatchRow, CutRecord, Journal, Resumed, Step};
    use outboard_store::page::Page;

    /// A reporter of a pipeline whose batch 0 is cut, and those who record what it tells.
    pub(crate) struct Case {
        _dir: tempfile::TempDir,
        journal: Journal,
        pub(crate) reporter: Reporter,
        pub(crate) events: broadcast::Receiver<Event>,
    }

    impl Case {
        pub(crate) async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let journal = Journal::open(&Storage::open(dir.path()).unwrap().journal()).unwrap();
            let (stream, _) = journal.begin("default", "tv", "u").await.unwrap();
            let status = Arc::new(Status::default());
            let writer = JournalWriter::new(stream, status.clone(), Room::default());
            let cut = CutRecord {
                number: 0,
                first: 0,
                last: 0,
                reason: "length".into(),
                discontinuity: false,
                complete_ms: 0,
            };
            writer.segment(None, vec![cut], None).await.unwrap();
            let events = status.events();
            Self { _dir: dir, journal, reporter: Reporter { journal: writer, status }, events }
        }

        /// The step that batch 0 has reached in the journal, also when it is done.
        pub(crate) async fn step(&self) -> Step {
            self.journal.batches("default", "tv", Page::oldest(1)).await.unwrap().rows.remove(0).step
        }

        /// Batch 0 in the journal; none once it is done.
        pub(crate) async fn row(&self) -> BatchRow {
            self.resumed().await.batches.into_iter().next().unwrap()
        }

        /// What a restart would go on from.
        pub(crate) async fn resumed(&self) -> Resumed {
            self.journal.begin("default", "tv", "u").await.unwrap().1
        }
    }

    /// A segment of two seconds and 15 bytes, 5 of them in a separate audio rendition.
    pub(crate) fn segment(index: u64) -> Segment {
        let part = |bytes| Part { path: "s.ts".into(), bytes, container: Container::MpegTs, init: None };
        let identity = Identity { uri: format!("http://o/{index}.ts"), range: None, program_date_time_us: None };
        Segment {
            index,
            media_sequence: index,
            duration: std::time::Duration::from_secs(2),
            discontinuity: false,
            live: true,
            identity,
            cues: Vec::new(),
            main: part(10),
            audio: vec![part(5)],
        }
    }
}
