//! What the remux step tells, and who records it.

use std::time::Duration;

use super::assembler::Assembled;
use super::plan::Plan;
use super::reply::{self, Decision};
use super::{RemuxError, Remuxed};
use crate::cause::{Cause, Origin};
use crate::deadline::Readiness;
use crate::demux::Demuxed;
use crate::event::{Event, EventKind, Severity};
use crate::report::Reporter;
use crate::timings;
use outboard_egress::spool::ReadyBatch;
use outboard_store::journal::{JournalError, OnAir, Step};

/// What came of a part of the remux step, for one batch.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// The air clock starts with this batch, or goes on with it after it ran dry.
    ClockHeld { starts_in: Duration, again: bool },
    /// There is a plan. `failure`: why it is the host's default and not the stage's.
    Planned { failure: Option<&'a str> },
    /// The batch was put together, or is lost.
    Assembled { batch: &'a Demuxed, assembled: &'a Assembled },
    /// Planning it and putting it together took so long, whatever came of it.
    Remuxed { took: Duration },
    /// It is ready for air: it may leave once the journal has that.
    Ready(&'a Readiness),
    /// It is in the spool. `rate`: the clock's from now on, in media seconds per second.
    Spooled { slack_ms: i64, rate: f64 },
}

impl Reporter {
    /// Tells an outcome of the remux step. When it returns, the journal has what it must have before the next step begins.
    ///
    /// # Errors
    /// [`JournalError`]: see [`crate::journal_writer::JournalWriter`].
    pub(super) async fn remux(&self, batch: u64, outcome: Outcome<'_>) -> Result<(), JournalError> {
        match outcome {
            Outcome::ClockHeld { starts_in, again } => {
                tracing::info!(batch, again, "on air in {:.1} s", starts_in.as_secs_f64());
            }
            Outcome::Planned { failure } => {
                self.status.stage_answered("remux-planning", failure.map(str::to_owned));
                if let Some(failure) = failure {
                    let what = format!("remux-planning stage: {failure}; the host's default plans");
                    self.status.tell(Event::new(EventKind::StageFailed, Severity::Warning, what).batch(batch));
                }
            }
            Outcome::Assembled { batch, assembled } => self.assembled(batch, assembled).await?,
            Outcome::Remuxed { took } => self.status.timings().record_step(timings::Step::Remux, took),
            Outcome::Ready(readiness) => self.ready(batch, readiness).await?,
            Outcome::Spooled { slack_ms, rate } => tracing::debug!(batch, slack_ms, rate, "ready for air"),
        }
        Ok(())
    }

    async fn assembled(&self, batch: &Demuxed, assembled: &Assembled) -> Result<(), JournalError> {
        let Assembled { decision, plan, remuxed } = assembled;
        let length_ms = batch.placed.end_ms.saturating_sub(batch.placed.start_ms);
        let air = remuxed.as_ref().ok().map(|remuxed| on_air(&remuxed.ready));
        let detail = decision.detail(plan, length_ms, air.as_ref());
        self.journal.decided(batch.number, decision.outcome(plan), detail).await?;
        match remuxed {
            Ok(remuxed) => self.decided(batch, decision, plan, remuxed),
            Err(error) => self.lost(batch, error),
        }
        Ok(())
    }

    fn decided(&self, batch: &Demuxed, decision: &Decision, plan: &Plan, remuxed: &Remuxed) {
        // Together with the rounding of its place.
        let skew_us = match reply::skew_us(batch, plan, decision) {
            0 => 0,
            off => off.saturating_add(batch.placed.max_skew_us),
        };
        self.status.update(|stats| {
            stats.lost = None;
            stats.max_skew_us = stats.max_skew_us.max(skew_us);
            stats.round_trip_ms = decision.round_trip_ms();
            stats.last_original = None;
            if plan.uses_processed() {
                stats.processed += 1;
            } else {
                stats.last_original = Some(decision.why()).filter(|_| decision.is_fallback());
                *stats.original.entry(decision.why()).or_default() += 1;
            }
            stats.packets_lost += remuxed.lost;
            stats.packets_trimmed += remuxed.trimmed;
        });
        let (batch, round_trip_ms) = (batch.number, decision.round_trip_ms());
        if plan.uses_processed() {
            tracing::info!(batch, round_trip_ms, note = plan.note, "processed audio");
        } else if decision.as_planned() {
            tracing::info!(batch, round_trip_ms, note = plan.note, "original audio, as planned");
        } else if decision.is_fallback() {
            let what = format!("batch {batch}: original audio, {}: {}", decision.why(), decision.reason());
            self.status.tell(Event::new(EventKind::Fallback, Severity::Warning, what).batch(batch));
        }
        if remuxed.lost > 0 {
            let what = format!("batch {batch}: remuxing lost {} packets", remuxed.lost);
            self.status.tell(Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch));
        }
    }

    fn lost(&self, batch: &Demuxed, error: &RemuxError) {
        let what = format!("batch {} is lost: {error}", batch.number);
        let lost = Some(Cause::new(error.origin(), what.clone()));
        let event = Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch.number);
        self.status.tell(event.caused_by(error.origin()));
        self.status.update(|stats| {
            stats.lost = lost;
            *stats.failed.entry("remux").or_default() += 1;
            stats.packets_lost += batch.facts.packets();
        });
    }

    async fn ready(&self, batch: u64, readiness: &Readiness) -> Result<(), JournalError> {
        let slack = readiness.slack_ms;
        self.status.timings().time_left(slack);
        if let Some(took) = readiness.took {
            self.status.timings().record_step(timings::Step::Ready, took);
        }
        self.status.update(|stats| {
            stats.time_left_ms = Some(slack);
            if slack < 0 {
                stats.late_batches += 1;
                stats.late_by_us += u64::from(readiness.late_by_us);
            }
        });
        if slack < 0 {
            tracing::warn!(batch, late_ms = -slack, "batch is ready too late");
        }
        self.journal.step(batch, Step::Remuxed).await
    }
}

/// A batch that is ready, as the journal keeps it.
fn on_air(ready: &ReadyBatch) -> OnAir {
    let (video, audio) = (ready.video.tags.len() as u64, ready.audio.tags.len() as u64);
    OnAir { video, audio, start_ms: ready.start_ms, end_ms: ready.end_ms }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokio::time::Instant;

    use super::*;
    use crate::cause::HealthCause;
    use crate::deadline::length::Newest;
    use crate::report::tests::Case;
    use outboard_exchange::{Absence, Reply};
    use outboard_media::facts::{BatchFacts, Packet, TrackFacts};
    use outboard_media::timeline::Placed;

    const MS: Duration = Duration::from_millis(1);

    async fn report(case: &Case, outcome: Outcome<'_>) {
        case.reporter.remux(0, outcome).await.unwrap();
    }

    /// A batch with a video track of two packets and no audio.
    fn batch() -> Demuxed {
        let packet = Packet { dts_us: 0, pts_us: 0, duration_us: 0, size: 1 };
        let track = TrackFacts { packets: vec![packet; 2], ..TrackFacts::default() };
        let (complete, sent) = (Instant::now(), Instant::now());
        let facts = BatchFacts { video: Some(track), audio: None };
        let (dir, placed) = (PathBuf::new(), Placed::default());
        Demuxed {
            number: 0,
            dir,
            facts,
            layout: None,
            placed,
            pending: None,
            pre_roll: None,
            complete,
            sent,
            open: Duration::ZERO,
        }
    }

    fn late(remuxed: Result<Remuxed, RemuxError>) -> Assembled {
        let decision = Decision::of(Reply::Absent(Absence::Late));
        Assembled { decision, plan: Plan::original(true, "no reply"), remuxed }
    }

    fn readiness(slack_ms: i64, late_by_us: bool) -> Readiness {
        let newest = Newest { end_ms: 0, complete: Instant::now(), work_min: MS, work: None };
        Readiness { slack_ms, late_by_us, took: Some(9 * MS), newest, rate: 1.0 }
    }

    #[tokio::test]
    async fn a_fallback_reaches_the_counts_the_listeners_and_the_journal() {
        let mut case = Case::new().await;
        let remuxed = Remuxed { ready: ReadyBatch::empty(0, 0), lost: 3, trimmed: 2 };
        report(&case, Outcome::Assembled { batch: &batch(), assembled: &late(Ok(remuxed)) }).await;
        let stats = case.reporter.status.get();
        assert_eq!((stats.processed, stats.original.get("late"), stats.last_original), (0, Some(&1), Some("late")));
        assert_eq!((stats.packets_lost, stats.packets_trimmed, stats.lost), (3, 2, None));
        let (fallback, lost) = (case.events.try_recv().unwrap(), case.events.try_recv().unwrap());
        assert_eq!((fallback.kind, fallback.batch), (EventKind::Fallback, Some(0)));
        assert_eq!(fallback.message, "batch 0: original audio, late: no reply in time");
        assert_eq!(lost.message, "batch 0: remuxing lost 3 packets");
        let row = case.row().await;
        assert_eq!((row.step, row.outcome.as_deref()), (Step::Decided, Some("original")));
    }

    /// The reply has 1024 samples in each packet.
    #[tokio::test]
    async fn a_reply_of_another_length_is_off_at_its_end() {
        let returned = outboard_exchange::fake::returned();
        let (rate, packets) = (u64::from(returned.probe.sample_rate_hz), returned.probe.packets);
        let us = |packets: u64| packets * 1_024_000_000 / rate;
        let track = |packets: u64| {
            let packet = |n| Packet { dts_us: us(n) as i64, pts_us: us(n) as i64, duration_us: us(1) as u32, size: 1 };
            TrackFacts {
                codec: "aac".into(),
                sample_rate: rate as u32,
                channels: returned.probe.channels,
                packets: (0..packets).map(packet).collect(),
                ..TrackFacts::default()
            }
        };
        let plan = Plan { audio: crate::remux::plan::Audio::Processed, ..Plan::original(true, "") };
        for (shorter, plan, off) in [(0, plan.clone(), 0), (5, plan, us(5)), (5, Plan::original(true, ""), 0)] {
            let case = Case::new().await;
            let facts = BatchFacts { video: None, audio: Some(track(packets - shorter)) };
            let batch = Demuxed { facts, ..batch() };
            let remuxed = Ok(Remuxed { ready: ReadyBatch::empty(0, 0), lost: 0, trimmed: 0 });
            let decision = Decision::of(Reply::Returned(outboard_exchange::fake::returned()));
            report(&case, Outcome::Assembled { batch: &batch, assembled: &Assembled { decision, plan, remuxed } })
                .await;
            let found = case.reporter.status.get().max_skew_us;
            assert!(found.abs_diff(off) <= 100, "{found} us, not {off}");
        }
    }

    #[tokio::test]
    async fn a_lost_batch_is_counted_packet_by_packet_and_named_as_the_problem() {
        let mut case = Case::new().await;
        let assembled = late(Err(RemuxError::Missing("a reply")));
        report(&case, Outcome::Assembled { batch: &batch(), assembled: &assembled }).await;
        let stats = case.reporter.status.get();
        assert_eq!((stats.failed.get("remux"), stats.packets_lost, stats.original.len()), (Some(&1), 2, 0));
        assert_eq!(stats.lost.map(|lost| lost.kind), Some(HealthCause::Stage));
        let event = case.events.try_recv().unwrap();
        assert_eq!((event.kind, event.severity), (EventKind::BatchLost, Severity::Error));
        assert_eq!(stats.last_error, Some(event.message));
        assert_eq!(case.row().await.step, Step::Decided);
    }

    #[tokio::test]
    async fn readiness_reaches_the_timings_the_counts_and_the_journal() {
        let case = Case::new().await;
        report(&case, Outcome::Ready(&readiness(5, false))).await;
        report(&case, Outcome::Ready(&readiness(-600, true))).await;
        report(&case, Outcome::Ready(&readiness(-600, false))).await;
        let (stats, timings) = (case.reporter.status.get(), case.reporter.status.timings().read());
        assert_eq!((stats.time_left_ms, stats.late_batches, stats.late_by_us), (Some(-600), 2, 1));
        assert_eq!((timings.time_left.count(), timings.overrun.count()), (1, 2));
        assert_eq!(timings.step(timings::Step::Ready).sum_us, 27_000);
        assert_eq!(case.row().await.step, Step::Remuxed);
    }

    #[tokio::test]
    async fn plan_and_remux_reach_who_records_them() {
        let mut case = Case::new().await;
        report(&case, Outcome::Remuxed { took: 2 * MS }).await;
        assert_eq!(case.reporter.status.timings().read().step(timings::Step::Remux).sum_us, 2_000);
        report(&case, Outcome::Planned { failure: Some("it trapped") }).await;
        assert_eq!(case.reporter.status.get().stage_problems.get("remux-planning").unwrap(), "it trapped");
        assert_eq!(case.events.try_recv().unwrap().kind, EventKind::StageFailed);
        report(&case, Outcome::Planned { failure: None }).await;
        assert!(case.reporter.status.get().stage_problems.is_empty() && case.events.try_recv().is_err());
        assert_eq!(case.row().await.step, Step::Cut, "nothing to be found again after a restart");
    }
}
