//! The one place where the steps tell what they did. In: typed outcomes of a step, in the order of the data. Out: counts,
//! timings, events, the journal and the log, each as far as the outcome concerns it.
//!
//! What a step can tell is beside the step: `demux/report.rs`, `remux/report.rs`.

use std::sync::Arc;

use super::diary::Diary;
use super::status::Status;

/// Tells outcomes to all who record them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Where steps are written down.
    pub journal: Diary,
    /// Counts, timings, events.
    pub status: Arc<Status>,
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::sync::broadcast;

    use super::*;
    use crate::event::Event;
    use outboard_base::room::Room;
    use outboard_store::files::Storage;
    use outboard_store::journal::{BatchRow, CutRecord, Journal};

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
            let diary = Diary::new(stream, status.clone(), Room::default());
            let cut = CutRecord {
                number: 0,
                first: 0,
                last: 0,
                reason: "length".into(),
                discontinuity: false,
                complete_ms: 0,
            };
            diary.segment(None, vec![cut], None).await.unwrap();
            let events = status.events();
            Self { _dir: dir, journal, reporter: Reporter { journal: diary, status }, events }
        }

        /// Batch 0 in the journal.
        pub(crate) async fn row(&self) -> BatchRow {
            let (_, resumed) = self.journal.begin("default", "tv", "u").await.unwrap();
            resumed.batches.into_iter().next().unwrap()
        }
    }
}
