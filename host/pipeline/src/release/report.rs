//! What the release step tells, and who records it.

use crate::cause::HealthCause;
use crate::event::{Event, EventKind, Severity};
use crate::report::Reporter;
use outboard_store::janitor::StorageEvent;
use outboard_store::journal::{JournalError, Step};

/// What came of a part of the release step.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// Nobody needs this batch any more: it may be let go of once the journal has that.
    Done { batch: u64 },
    /// The journal does not take what is on air or done. It is tried again.
    Refused(&'a JournalError),
}

impl Reporter {
    /// Tells an outcome of the release step. When it returns, the journal has what it must have before a batch is let go
    /// of.
    ///
    /// # Errors
    /// [`JournalError`]: see [`crate::journal_writer::JournalWriter`].
    pub(super) async fn release(&self, outcome: Outcome<'_>) -> Result<(), JournalError> {
        match outcome {
            Outcome::Done { batch } => self.journal.step(batch, Step::Done).await?,
            Outcome::Refused(error) => {
                let what = format!("release: {error}");
                self.status.tell(Event::new(EventKind::Failed, Severity::Warning, what).caused_by(HealthCause::Disk));
            }
        }
        Ok(())
    }
}

/// What happens to a stream's storage, as an event of its pipeline.
pub fn storage_event(event: StorageEvent) -> Event {
    let (kind, severity) = match event {
        StorageEvent::QuotaReached { full: true, .. } => (EventKind::QuotaReached, Severity::Error),
        StorageEvent::QuotaReached { full: false, .. } => (EventKind::QuotaReached, Severity::Warning),
        StorageEvent::DiskLow { full: true } => (EventKind::DiskLow, Severity::Error),
        StorageEvent::DiskLow { full: false } => (EventKind::DiskLow, Severity::Warning),
        StorageEvent::Recovered => (EventKind::StorageRecovered, Severity::Info),
        StorageEvent::Cleaned { .. } => (EventKind::StorageCleaned, Severity::Info),
    };
    Event::new(kind, severity, event.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::Case;

    #[tokio::test]
    async fn a_batch_is_done_in_the_journal_before_it_is_let_go_of() {
        let mut case = Case::new().await;
        case.reporter.release(Outcome::Done { batch: 0 }).await.unwrap();
        assert_eq!(case.step().await, Step::Done);
        assert!(case.events.try_recv().is_err(), "the normal case is no event");
    }

    #[tokio::test]
    async fn a_journal_that_refuses_is_a_failure_of_the_disk() {
        let mut case = Case::new().await;
        let source = serde_json::from_str::<u64>("?").unwrap_err();
        let error = JournalError::Unreadable { what: "a batch", source };
        case.reporter.release(Outcome::Refused(&error)).await.unwrap();
        let event = case.events.try_recv().unwrap();
        assert_eq!((event.kind, event.severity), (EventKind::Failed, Severity::Warning));
        assert_eq!((event.cause, event.batch), (Some(HealthCause::Disk), None));
        assert_eq!(event.message, format!("release: {error}"));
        assert_eq!(case.reporter.status.get().last_error, Some(event.message));
        assert_eq!(case.step().await, Step::Cut);
    }

    #[test]
    fn only_what_needs_a_person_is_more_than_information() {
        for (event, kind, severity) in [
            (StorageEvent::DiskLow { full: true }, EventKind::DiskLow, Severity::Error),
            (StorageEvent::DiskLow { full: false }, EventKind::DiskLow, Severity::Warning),
            (StorageEvent::Recovered, EventKind::StorageRecovered, Severity::Info),
        ] {
            let (text, told) = (event.to_string(), storage_event(event));
            assert_eq!((told.kind, told.severity, told.message), (kind, severity, text));
        }
    }
}
