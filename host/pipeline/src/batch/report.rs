//! What the batch step tells, and who records it.

use std::time::Duration;

use crate::event::{Event, EventKind, Severity};
use crate::report::Reporter;
use crate::status::Phase;
use outboard_media::segment::Segment;
use outboard_store::journal::{CutRecord, JournalError, StageSnapshot};

/// What came of a part of the batch step.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// The stage is told another length of batches, in seconds.
    LengthChanged { from: u32, to: u32 },
    /// The stage was asked where to cut. `failure`: why the host's default answered in its place.
    Answered { failure: Option<&'a str> },
    /// What the answer comes to.
    Cut {
        /// The newest segment, if the journal does not have it yet.
        segment: Option<&'a Segment>,
        /// The batches that were cut, often none.
        records: Vec<CutRecord>,
        /// The stage's state after its answer.
        stage: Option<StageSnapshot>,
        /// Media in the batch that is open.
        buffered: Duration,
    },
    /// A batch has more media than is ready in time.
    TooLong { batch: u64, media: Duration, allowed: Duration },
    /// A batch is cut, and the journal has it.
    Complete { batch: u64, segments: usize },
    /// No more segments come, or no more are wanted.
    NoMore,
}

impl Reporter {
    /// Tells an outcome of the batch step. When it returns, the journal has what it must have before the next step begins.
    ///
    /// # Errors
    /// [`JournalError`]: see [`crate::journal_writer::JournalWriter`].
    pub(super) async fn batch(&self, outcome: Outcome<'_>) -> Result<(), JournalError> {
        match outcome {
            Outcome::LengthChanged { from, to } => {
                tracing::info!(from, to, "changed the length of batches (seconds)");
            }
            Outcome::Answered { failure } => {
                self.status.stage_answered("batching", failure.map(str::to_owned));
                if let Some(failure) = failure {
                    let what = format_args!("batching stage: {failure}; the host's default cuts batches");
                    self.status.warn(EventKind::StageFailed, what);
                }
            }
            Outcome::Cut { segment, records, stage, buffered } => {
                let cut = records.len() as u64;
                self.journal.segment(segment, records, stage).await?;
                self.status.update(|stats| {
                    stats.batches += cut;
                    stats.buffer_ms = u64::try_from(buffered.as_millis()).unwrap_or(u64::MAX);
                });
            }
            Outcome::TooLong { batch, media, allowed } => {
                let (media, allowed) = (media.as_secs_f64(), allowed.as_secs_f64());
                let what = format!(
                    "batch {batch} is {media:.1} s long, and {allowed:.1} s is the longest that is ready before it is due on \
                     air: it comes too late. The batching stage cuts longer batches than before"
                );
                self.status.tell(Event::new(EventKind::BatchTooLong, Severity::Warning, what).batch(batch));
            }
            Outcome::Complete { batch, segments } => {
                tracing::info!(batch, segments, "batch is complete");
                self.status.enter(Phase::Holding);
            }
            Outcome::NoMore => self.status.enter(Phase::Draining),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{Case, segment};

    const S: Duration = Duration::from_secs(1);

    async fn report(case: &Case, outcome: Outcome<'_>) {
        case.reporter.batch(outcome).await.unwrap();
    }

    fn record(number: u64, first: u64, last: u64) -> CutRecord {
        CutRecord { number, first, last, reason: "length".into(), discontinuity: false, complete_ms: 7 }
    }

    #[tokio::test]
    async fn a_cut_reaches_the_journal_and_the_counts_with_segment_and_state() {
        let case = Case::new().await;
        let state = StageSnapshot { kind: "batching".into(), digest: "d".into(), state: vec![1, 2] };
        for index in [0, 1] {
            let (segment, buffered) = (segment(index), (index as u32 + 1) * S);
            let stage = Some(state.clone());
            report(&case, Outcome::Cut { segment: Some(&segment), records: vec![], stage, buffered }).await;
        }
        let open = case.reporter.status.get();
        assert_eq!((open.batches, open.buffer_ms), (0, 2_000));
        assert_eq!(case.resumed().await.uncut.len(), 2);
        let records = vec![record(1, 0, 0), record(2, 1, 1)];
        report(&case, Outcome::Cut { segment: None, records, stage: None, buffered: Duration::ZERO }).await;
        let (cut, resumed) = (case.reporter.status.get(), case.resumed().await);
        assert_eq!((cut.batches, cut.buffer_ms, resumed.uncut.len()), (2, 0, 0));
        let of = |number| resumed.batches.iter().find(|row| row.number == number).map(|row| row.segments.len());
        assert_eq!((of(1), of(2), resumed.stages["batching"].state.as_slice()), (Some(1), Some(1), &[1, 2][..]));
    }

    #[tokio::test]
    async fn a_stage_that_fails_is_a_problem_until_it_answers() {
        let mut case = Case::new().await;
        report(&case, Outcome::Answered { failure: Some("it trapped") }).await;
        let event = case.events.try_recv().unwrap();
        assert_eq!((event.kind, event.severity, event.batch), (EventKind::StageFailed, Severity::Warning, None));
        assert_eq!(event.message, "batching stage: it trapped; the host's default cuts batches");
        assert_eq!(case.reporter.status.get().stage_problems["batching"], "it trapped");
        report(&case, Outcome::Answered { failure: None }).await;
        assert!(case.reporter.status.get().stage_problems.is_empty() && case.events.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_batch_that_is_too_long_is_a_warning_of_that_batch() {
        let mut case = Case::new().await;
        report(&case, Outcome::TooLong { batch: 4, media: 30 * S, allowed: 61 * S / 2 }).await;
        let event = case.events.try_recv().unwrap();
        assert_eq!((event.kind, event.severity, event.batch), (EventKind::BatchTooLong, Severity::Warning, Some(4)));
        assert!(event.message.starts_with("batch 4 is 30.0 s long, and 30.5 s is the longest"), "{}", event.message);
    }

    #[tokio::test]
    async fn a_complete_batch_is_held_and_the_end_drains() {
        let mut case = Case::new().await;
        let phase = |case: &Case| case.reporter.status.get().phase;
        report(&case, Outcome::LengthChanged { from: 6, to: 8 }).await;
        assert_eq!(phase(&case), Phase::Starting);
        report(&case, Outcome::Complete { batch: 0, segments: 3 }).await;
        assert_eq!(phase(&case), Phase::Holding);
        report(&case, Outcome::NoMore).await;
        assert_eq!(phase(&case), Phase::Draining);
        assert!(case.events.try_recv().is_err(), "the normal case is no event");
    }
}
