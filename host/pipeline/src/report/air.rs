//! What destinations on air tell, and who records it.

use crate::cause::Cause;
use crate::event::{Event, EventKind, Severity};
use crate::report::Reporter;
use crate::status::Phase;
use outboard_egress::journal::AirEvent;
use outboard_store::journal::{JournalError, Step};

/// Where these lines of the log come from: the step that follows the destinations.
const LOG_TARGET: &str = "outboard::pipeline::release";

/// What came of sending to destinations.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// The first packet of a batch left for the first destination that takes it.
    Published,
    /// What a destination tells.
    Told(&'a AirEvent),
}

/// The whole programme went on or off air: what all destinations together come to.
#[derive(Debug)]
pub(crate) enum OnAirChange<'a> {
    /// Packets leave for the first destination.
    Began {
        /// How many destinations packets leave for.
        destinations: usize,
        /// How many destinations are enabled.
        of: usize,
    },
    /// Packets leave for no destination any more, and the pipeline is not about to end.
    Ended {
        /// The problem that explains it; `None`: nothing that is known does.
        cause: Option<&'a Cause>,
    },
}

impl Reporter {
    /// Tells that the programme went on or off air.
    pub(crate) fn on_air(&self, change: OnAirChange<'_>) {
        self.status.tell(match change {
            OnAirChange::Began { destinations, of } => {
                let what = format!("on air at {destinations} of {of} destinations");
                Event::new(EventKind::OnAir, Severity::Info, what)
            }
            OnAirChange::Ended { cause: Some(cause) } => {
                let what = format!("off air: {}", cause.message);
                Event::new(EventKind::OffAir, Severity::Error, what).caused_by(cause.kind)
            }
            OnAirChange::Ended { cause: None } => {
                Event::new(EventKind::OffAir, Severity::Error, "off air: no packet left in the last seconds")
            }
        });
    }

    /// Tells what came of sending. When it returns, the journal knows which batch is on air.
    ///
    /// # Errors
    /// [`JournalError`]: see [`crate::journal_writer::JournalWriter`].
    pub(crate) async fn air(&self, outcome: Outcome<'_>) -> Result<(), JournalError> {
        match outcome {
            Outcome::Published => self.status.update(|stats| stats.published += 1),
            Outcome::Told(event) => self.told(event).await?,
        }
        Ok(())
    }

    async fn told(&self, event: &AirEvent) -> Result<(), JournalError> {
        match event {
            AirEvent::BatchOnAir { destination, batch, .. } => {
                tracing::info!(target: LOG_TARGET, batch, destination, "on air");
                self.status.enter(Phase::OnAir);
                self.status.timings().on_air(*batch);
                self.journal.step(*batch, Step::OnAir).await?;
            }
            // It may still be on its way to others.
            AirEvent::BatchDone { .. } => {}
            AirEvent::Dropped { destination, reason, video, audio, ms, .. } => {
                let (packets, seconds) = (video + audio, *ms as f64 / 1000.0);
                let what = format!(
                    "destination {destination}: skipped {packets} packets, {seconds:.1} s of the programme: {reason}"
                );
                let event = Event::new(EventKind::DestinationDropped, Severity::Error, what);
                self.status.tell(event.destination(destination));
            }
            AirEvent::Lost { destination, reason } => {
                let what = format!("destination {destination}: {reason}");
                let event = Event::new(EventKind::DestinationLost, Severity::Warning, what);
                self.status.tell(event.destination(destination));
            }
            AirEvent::Opened { destination, session, .. } => {
                let what = format!("destination {destination}: publishing, session {session}");
                let event = Event::new(EventKind::DestinationConnected, Severity::Info, what);
                self.status.tell(event.destination(destination));
            }
            AirEvent::Ended { destination } => {
                tracing::info!(target: LOG_TARGET, destination, "destination is done");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;
    use crate::cause::HealthCause;
    use crate::report::tests::Case;
    use crate::timings;
    use outboard_egress::journal::DropReason;
    use outboard_egress::position::Position;

    async fn told(case: &Case, event: &AirEvent) {
        case.reporter.air(Outcome::Told(event)).await.unwrap();
    }

    fn name() -> String {
        "rtmp-1".into()
    }

    #[tokio::test]
    async fn the_first_packet_of_a_batch_reaches_phase_timings_and_journal_and_is_published_once() {
        let mut case = Case::new().await;
        let status = case.reporter.status.clone();
        status.timings().complete(0, Instant::now());
        case.reporter.air(Outcome::Published).await.unwrap();
        for destination in ["a", "b"] {
            let at = SystemTime::now();
            told(&case, &AirEvent::BatchOnAir { destination: destination.into(), batch: 0, at }).await;
        }
        assert_eq!((status.get().published, status.get().phase), (1, Phase::OnAir));
        assert_eq!(status.timings().read().step(timings::Step::OnAir).count(), 1);
        assert_eq!(case.step().await, Step::OnAir);
        assert!(case.events.try_recv().is_err(), "that the pipeline is on air is told by who sees all destinations");
    }

    #[tokio::test]
    async fn sessions_and_skipped_packets_are_events_of_their_destination() {
        let mut case = Case::new().await;
        let position = Position::default();
        let (reason, ms) = (DropReason::Lag, 1_500);
        let connected = "destination rtmp-1: publishing, session 2";
        let lost = "destination rtmp-1: refused";
        let dropped = "destination rtmp-1: skipped 30 packets, 1.5 s of the programme: it was too far behind";
        for (event, kind, severity, message) in [
            (
                AirEvent::Opened { destination: name(), session: 2, position },
                EventKind::DestinationConnected,
                Severity::Info,
                connected,
            ),
            (
                AirEvent::Lost { destination: name(), reason: "refused".into() },
                EventKind::DestinationLost,
                Severity::Warning,
                lost,
            ),
            (
                AirEvent::Dropped { destination: name(), reason, video: 10, audio: 20, ms, position },
                EventKind::DestinationDropped,
                Severity::Error,
                dropped,
            ),
        ] {
            told(&case, &event).await;
            let event = case.events.try_recv().unwrap();
            assert_eq!((event.kind, event.severity, event.message.as_str()), (kind, severity, message));
            assert_eq!(event.destination, Some(name()));
        }
        assert_eq!(case.reporter.status.get().last_error.as_deref(), Some(dropped));
    }

    #[tokio::test]
    async fn the_end_of_a_batch_or_destination_is_no_event_and_no_step_of_the_batch() {
        let mut case = Case::new().await;
        let (destination, at) = (name(), SystemTime::now());
        told(&case, &AirEvent::BatchDone { destination, batch: 0, at, video: 1, audio: 1 }).await;
        told(&case, &AirEvent::Ended { destination: name() }).await;
        assert!(case.events.try_recv().is_err());
        assert_eq!((case.step().await, case.reporter.status.get().published), (Step::Cut, 0));
    }

    #[tokio::test]
    async fn on_and_off_air_are_events_of_the_programme_with_the_cause_that_is_known() {
        let mut case = Case::new().await;
        let cause = Cause::new(HealthCause::Processor, "it is away");
        let silent = "off air: no packet left in the last seconds";
        for (change, kind, severity, message, cause) in [
            (
                OnAirChange::Began { destinations: 1, of: 2 },
                EventKind::OnAir,
                Severity::Info,
                "on air at 1 of 2 destinations",
                None,
            ),
            (
                OnAirChange::Ended { cause: Some(&cause) },
                EventKind::OffAir,
                Severity::Error,
                "off air: it is away",
                Some(HealthCause::Processor),
            ),
            (OnAirChange::Ended { cause: None }, EventKind::OffAir, Severity::Error, silent, None),
        ] {
            case.reporter.on_air(change);
            let event = case.events.try_recv().unwrap();
            assert_eq!((event.kind, event.severity, event.message.as_str()), (kind, severity, message));
            assert_eq!((event.cause, event.destination), (cause, None));
        }
    }
}
