//! What the demux step tells, and who records it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Counts, DemuxError, Encoded};
use crate::cause::{Cause, Origin};
use crate::event::{Event, EventKind, Severity};
use crate::report::Reporter;
use crate::timings;
use outboard_ffmpeg::FfmpegError;
use outboard_media::facts::BatchFacts;
use outboard_media::timeline::{Placed, Timeline};
use outboard_store::journal::{JournalError, Step};

/// What came of a part of the demux step, for one batch.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// The step begins with a batch whose last segment was there at this instant.
    Complete(Instant),
    /// Segments of it were removed from the disk. `left`: how many are still there.
    SegmentsRemoved { removed: usize, left: usize },
    /// It has no sound, though the playlist promises it; the batch before had.
    NoSound { promise: &'a str },
    /// The disk has no room for its files; splitting it is tried again.
    DiskFull(&'a DemuxError),
    /// Splitting it took so long, whatever came of it.
    Split { took: Duration },
    /// What of it could not be used, and what is told of the source beside its packets.
    Counted(&'a Counts),
    /// It cannot be split: it is lost, and the stream goes on.
    Lost(&'a DemuxError),
    /// It has its place on the timeline.
    Placed { facts: &'a BatchFacts, placed: &'a Placed, before: &'a Timeline, after: &'a Timeline },
    /// Its sound could not be made ready for the processor.
    NotSent(&'a FfmpegError),
    /// Its sound was handed to the exchange so long after its last segment was there; `None`: it is not sent.
    Sent { after: Option<Duration> },
}

impl Reporter {
    /// Tells an outcome of the demux step. When it returns, the journal has what it must have before the next step begins.
    ///
    /// # Errors
    /// [`JournalError`]: see [`crate::journal_writer::JournalWriter`].
    pub(super) async fn demux(&self, batch: u64, outcome: Outcome<'_>) -> Result<(), JournalError> {
        match outcome {
            Outcome::Complete(at) => self.status.timings().complete(batch, at),
            Outcome::SegmentsRemoved { removed, left } => {
                self.status.update(|stats| *stats.gaps.entry("removed").or_default() += removed as u64);
                if left > 0 {
                    let what = format!(
                        "batch {batch}: {removed} of its segments were removed from the disk; it goes on without"
                    );
                    self.status.tell(Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch));
                }
            }
            Outcome::NoSound { promise } => {
                let what =
                    format_args!("source: batch {batch} has no sound, though the playlist promises it ({promise})");
                self.status.warn(EventKind::SourceWarning, what);
            }
            Outcome::DiskFull(error) => {
                tracing::warn!(batch, %error, "the disk is full; demuxing is tried again");
            }
            Outcome::Split { took } => self.status.timings().record_step(timings::Step::Demux, took),
            Outcome::Counted(counts) => self.counted(batch, counts),
            Outcome::Lost(error) => {
                let what = format!("batch {batch} is lost: {error}");
                let lost = Some(Cause::new(error.origin(), what.clone()));
                let event = Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch);
                self.status.tell(event.caused_by(error.origin()));
                self.status.update(|stats| {
                    stats.lost = lost;
                    *stats.failed.entry("demux").or_default() += 1;
                });
            }
            Outcome::Placed { facts, placed, before, after } => {
                self.status.update(|stats| {
                    stats.packets_in += facts.packets();
                    if facts.audio.as_ref().is_some_and(|audio| audio.encoded_from.is_empty()) {
                        stats.source_sound = None;
                    }
                    stats.splices += placed.splices_us.len() as u64;
                    stats.max_skew_us = stats.max_skew_us.max(placed.max_skew_us);
                });
                for jump_us in &placed.splices_us {
                    tracing::info!(batch, jump_us, "spliced out a jump of the source's time");
                }
                self.journal.demuxed(batch, before, after).await?;
            }
            Outcome::NotSent(error) => {
                let what = format!("batch {batch} is not sent: {error}");
                self.status.tell(Event::new(EventKind::Fallback, Severity::Warning, what).batch(batch));
            }
            Outcome::Sent { after } => {
                after.into_iter().for_each(|after| self.status.timings().record_step(timings::Step::Sent, after));
                self.journal.step(batch, Step::Sent).await?;
            }
        }
        Ok(())
    }

    fn counted(&self, batch: u64, counts: &Counts) {
        let Counts {
            unusable,
            damage,
            notices,
            more_notices,
            streams,
            unmet,
            unbalanced,
            handed_to_ffmpeg,
            encoded,
            ..
        } = counts;
        for streams in streams {
            tracing::info!(batch, streams, "the source's streams");
        }
        for notice in notices {
            tracing::info!(batch, notice, "in the source");
        }
        if *more_notices > 0 {
            tracing::info!(batch, more_notices, "in the source: more of this");
        }
        for what in unmet {
            self.status.warn(EventKind::SourceWarning, format_args!("source: {what}"));
        }
        for what in damage {
            tracing::warn!(batch, "in the source: {what}");
        }
        if !unusable.is_empty() {
            tracing::warn!(batch, ?unusable, "packets of the source cannot be used");
            self.status.update(|stats| {
                for (reason, count) in unusable {
                    *stats.packets_unusable.entry(reason).or_default() += count;
                }
            });
        }
        for counts in unbalanced {
            tracing::error!(batch, counts, "the demuxer's counts do not balance");
            let what = format!("batch {batch}: the demuxer lost count of packets; please report this with the log");
            self.status.tell(Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch));
        }
        if let Some(encoded) = encoded {
            self.encoded(batch, encoded);
        }
        if let Some(why) = handed_to_ffmpeg {
            let what = format!("source: from batch {batch} on {}", by_ffmpeg(why));
            self.status.tell(Event::new(EventKind::SourceWarning, Severity::Info, what).batch(batch));
        }
    }

    /// That sound is encoded is told when it begins, and with another codec again; that it fails, each time.
    fn encoded(&self, batch: u64, encoded: &Encoded) {
        let (sound, Encoded { from, frames, failed, why, .. }) = (encoded.words(), encoded);
        let mut new = false;
        self.status.update(|stats| {
            stats.frames_encoded += frames - failed;
            new = stats.source_sound.as_ref() != Some(&sound);
            stats.source_sound = Some(sound.clone());
        });
        if new {
            let what = format!("source: from batch {batch} on, {sound}");
            self.status.tell(Event::new(EventKind::SourceWarning, Severity::Info, what).batch(batch));
        }
        if let Some(why) = why {
            let what = format!("batch {batch}: {failed} frames of sound ({from}) could not be encoded to AAC: {why}");
            self.status.tell(Event::new(EventKind::SourceWarning, Severity::Error, what).batch(batch));
        }
    }
}

/// Says that ffmpeg demuxes a source, and why.
pub fn by_ffmpeg(why: &str) -> String {
    format!("ffmpeg demuxes it: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::Case;
    use outboard_media::facts::{Packet, TrackFacts};

    const MS: Duration = Duration::from_millis(1);

    async fn report(case: &Case, outcome: Outcome<'_>) {
        case.reporter.demux(0, outcome).await.unwrap();
    }

    #[tokio::test]
    async fn a_place_reaches_the_counts_and_the_journal_and_then_sending_does() {
        let case = Case::new().await;
        let packet = Packet { dts_us: 0, pts_us: 0, duration_us: 0, size: 1 };
        let video = TrackFacts { packets: vec![packet; 3], ..TrackFacts::default() };
        let facts = BatchFacts { video: Some(video), audio: None };
        let placed = Placed { splices_us: vec![5, -7], max_skew_us: 400, ..Placed::default() };
        let before = Timeline::default();
        report(&case, Outcome::Placed { facts: &facts, placed: &placed, before: &before, after: &before }).await;
        let stats = case.reporter.status.get();
        assert_eq!((stats.packets_in, stats.splices, stats.max_skew_us), (3, 2, 400));
        let row = case.row().await;
        assert_eq!((row.step, row.timeline), (Step::Demuxed, Some(before)));
        report(&case, Outcome::Sent { after: Some(3 * MS) }).await;
        assert_eq!(case.row().await.step, Step::Sent);
        assert_eq!(case.reporter.status.timings().read().step(timings::Step::Sent).sum_us, 3_000);
    }

    #[tokio::test]
    async fn a_lost_batch_reaches_the_counts_and_the_listeners() {
        let mut case = Case::new().await;
        report(&case, Outcome::Lost(&DemuxError::Unsupported("no codec that we know".into()))).await;
        let (stats, event) = (case.reporter.status.get(), case.events.try_recv().unwrap());
        assert_eq!((stats.failed.get("demux"), stats.lost.is_some()), (Some(&1), true));
        assert_eq!((event.kind, event.batch), (EventKind::BatchLost, Some(0)));
        assert_eq!(event.message, "batch 0 is lost: no codec that we know");
        assert_eq!(case.row().await.step, Step::Cut);
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_counted_and_a_fault_of_ours_is_told() {
        let mut case = Case::new().await;
        let unusable = [("lost", 2), ("truncated", 1)].into_iter().collect();
        let counts =
            Counts { unusable, notices: vec!["PID 7 is scrambled".into()], more_notices: 3, ..Counts::default() };
        report(&case, Outcome::Counted(&counts)).await;
        report(&case, Outcome::Counted(&counts)).await;
        let told = case.reporter.status.get().packets_unusable;
        assert_eq!(told.into_iter().collect::<Vec<_>>(), [("lost", 4), ("truncated", 2)]);
        assert!(case.events.try_recv().is_err(), "damage in the source is a count, not an event per batch");
        let counts = Counts { unmet: vec!["the source has no programme 2".into()], ..Counts::default() };
        report(&case, Outcome::Counted(&counts)).await;
        let unmet = case.events.try_recv().unwrap();
        assert_eq!(
            (unmet.kind, unmet.message.as_str()),
            (EventKind::SourceWarning, "source: the source has no programme 2")
        );
        let counts = Counts {
            unbalanced: vec!["counts".into()],
            handed_to_ffmpeg: Some("no table names its streams".into()),
            ..Counts::default()
        };
        report(&case, Outcome::Counted(&counts)).await;
        let (fault, handed) = (case.events.try_recv().unwrap(), case.events.try_recv().unwrap());
        assert_eq!((fault.severity, handed.severity), (Severity::Error, Severity::Info));
        assert_eq!(handed.message, "source: from batch 0 on ffmpeg demuxes it: no table names its streams");
    }

    #[tokio::test]
    async fn removed_segments_are_gaps_and_an_event_unless_none_is_left() {
        let mut case = Case::new().await;
        report(&case, Outcome::SegmentsRemoved { removed: 2, left: 1 }).await;
        assert_eq!(case.events.try_recv().unwrap().kind, EventKind::BatchLost);
        report(&case, Outcome::SegmentsRemoved { removed: 3, left: 0 }).await;
        assert!(case.events.try_recv().is_err(), "that the batch is lost is told with the reason");
        assert_eq!(case.reporter.status.get().gaps.get("removed"), Some(&5));
    }

    #[tokio::test]
    async fn what_a_person_may_mend_is_told_and_times_are_measured() {
        let mut case = Case::new().await;
        report(&case, Outcome::Split { took: 4 * MS }).await;
        let timings = case.reporter.status.timings().read();
        assert_eq!(timings.step(timings::Step::Demux).sum_us, 4_000);
        report(&case, Outcome::NoSound { promise: "AUDIO=\"a\"" }).await;
        assert_eq!(case.events.try_recv().unwrap().kind, EventKind::SourceWarning);
        let error = FfmpegError::Timeout { what: "convert", limit: MS, stderr: String::new() };
        report(&case, Outcome::NotSent(&error)).await;
        let event = case.events.try_recv().unwrap();
        assert_eq!((event.kind, event.severity), (EventKind::Fallback, Severity::Warning));
    }
}
