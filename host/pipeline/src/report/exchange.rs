//! What the exchange tells, and who records it.

use std::time::Duration;

use crate::event::{Event, EventKind, Severity};
use crate::report::Reporter;
use crate::timings;
use outboard_exchange::ExchangeChange;

/// What came of the exchange with the processor.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// The connection or the circuit breaker changed.
    Changed(&'a ExchangeChange),
    /// The wait for the reply to a fragment is over.
    Waited {
        /// Since the fragment was handed in.
        took: Duration,
        /// From the last sending to the reply; `None`: there is no reply.
        round_trip: Option<Duration>,
    },
}

impl Reporter {
    /// Tells what came of the exchange. What it means for a batch is told by the step that decides on it.
    pub(crate) fn exchange(&self, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Changed(change) => self.processor(change),
            Outcome::Waited { took, round_trip } => {
                self.status.timings().record_step(timings::Step::Exchange, took);
                if let Some(round_trip) = round_trip {
                    self.status.timings().round_trip(round_trip);
                }
            }
        }
    }

    /// How long the processor usually takes: the mean of all replies of this run; zero before the first one.
    pub(crate) fn usual_reply(&self) -> Duration {
        self.status.timings().read().round_trip.mean()
    }

    fn processor(&self, change: &ExchangeChange) {
        match change {
            ExchangeChange::Connected => {
                self.status.tell(Event::new(EventKind::ProcessorConnected, Severity::Info, "processor: connected"));
            }
            ExchangeChange::Lost { why } => {
                self.status.warn(EventKind::ProcessorLost, format_args!("processor: {why}"));
            }
            ExchangeChange::BreakerOpened => {
                let what = "processor: too many failures in a row; sending is paused";
                self.status.warn(EventKind::BreakerOpened, what);
            }
            ExchangeChange::BreakerClosed => {
                let what = "processor: answers again; sending resumes";
                self.status.tell(Event::new(EventKind::BreakerClosed, Severity::Info, what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::Case;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn changes_are_events_and_those_that_cost_something_are_warnings() {
        let mut case = Case::new().await;
        let why = "refused".to_owned();
        for (change, kind, severity, message) in [
            (ExchangeChange::Connected, EventKind::ProcessorConnected, Severity::Info, "processor: connected"),
            (ExchangeChange::Lost { why }, EventKind::ProcessorLost, Severity::Warning, "processor: refused"),
            (
                ExchangeChange::BreakerOpened,
                EventKind::BreakerOpened,
                Severity::Warning,
                "processor: too many failures in a row; sending is paused",
            ),
            (
                ExchangeChange::BreakerClosed,
                EventKind::BreakerClosed,
                Severity::Info,
                "processor: answers again; sending resumes",
            ),
        ] {
            case.reporter.exchange(Outcome::Changed(&change));
            let event = case.events.try_recv().unwrap();
            assert_eq!((event.kind, event.severity, event.message.as_str()), (kind, severity, message));
        }
    }

    #[tokio::test]
    async fn every_wait_is_measured_and_only_replies_have_a_round_trip() {
        let mut case = Case::new().await;
        assert_eq!(case.reporter.usual_reply(), Duration::ZERO);
        case.reporter.exchange(Outcome::Waited { took: 4 * MS, round_trip: Some(3 * MS) });
        case.reporter.exchange(Outcome::Waited { took: 6 * MS, round_trip: None });
        let timings = case.reporter.status.timings().read();
        let step = timings.step(timings::Step::Exchange);
        assert_eq!((step.count(), step.sum_us, timings.round_trip.count()), (2, 10_000, 1));
        assert_eq!(case.reporter.usual_reply(), 3 * MS);
        assert!(case.events.try_recv().is_err());
    }
}
