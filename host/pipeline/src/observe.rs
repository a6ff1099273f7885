//! Turns what destinations and processor report into events: on and off air, processor there and away.
//!
//! "On air" is read off packets that left, so it is looked at on a beat; everything else wakes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::event::{Event, EventKind, Severity};
use super::status::{Phase, Status};
use super::watch::Watch;
use outboard_egress::status::DestinationState;
use outboard_exchange::{BreakerState, ExchangeStatus};

/// How often packets on air are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Follows a pipeline until it is dropped.
pub(super) struct Observer {
    watch: Watch,
    status: Arc<Status>,
    on_air: bool,
    connected: bool,
    breaker: BreakerState,
}

impl Observer {
    pub(super) fn new(watch: Watch, status: Arc<Status>) -> Self {
        Self { watch, status, on_air: false, connected: false, breaker: BreakerState::Closed }
    }

    /// Runs for as long as anybody polls it.
    pub(super) async fn run(mut self) {
        let mut exchange = self.watch.exchange_changes();
        let mut beat = tokio::time::interval(EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => self.air(),
                () = changed(&mut exchange) => {}
            }
            if let Some(receiver) = &mut exchange {
                let now = receiver.borrow_and_update().clone();
                self.processor(&now);
            }
        }
    }

    fn air(&mut self) {
        let (on_air, all) = self.watch.on_air();
        if (on_air > 0) == self.on_air || (on_air == 0 && self.is_ending()) {
            return;
        }
        self.on_air = on_air > 0;
        self.status.tell(if self.on_air {
            Event::new(EventKind::OnAir, Severity::Info, format!("on air at {on_air} of {all} destinations"))
        } else {
            let problems = self.watch.problems();
            match problems.first().map(|problem| &problem.cause) {
                Some(cause) => Event::new(EventKind::OffAir, Severity::Error, format!("off air: {}", cause.message))
                    .caused_by(cause.kind),
                None => Event::new(EventKind::OffAir, Severity::Error, "off air: no packet left in the last seconds"),
            }
        });
    }

    /// What was to be sent is sent, and the pipeline was told to stop: that no packet leaves is no trouble.
    fn is_ending(&self) -> bool {
        let away = |state: &DestinationState| {
            matches!(state, DestinationState::Connecting | DestinationState::Retrying { .. })
        };
        matches!(self.watch.stats().phase, Phase::Draining | Phase::Ended)
            && !self.watch.destinations().iter().any(|destination| away(&destination.state))
    }

    fn processor(&mut self, now: &ExchangeStatus) {
        if now.connected != self.connected {
            self.connected = now.connected;
            if now.connected {
                self.status.tell(Event::new(EventKind::ProcessorConnected, Severity::Info, "processor: connected"));
            } else {
                let why = now.problem.as_deref().unwrap_or("the connection ended");
                self.status.warn(EventKind::ProcessorLost, format_args!("processor: {why}"));
            }
        }
        let (open, was_open) = (now.breaker == BreakerState::Open, self.breaker == BreakerState::Open);
        // Probing is neither: it ends in one of the two.
        if open && !was_open {
            self.status.warn(EventKind::BreakerOpened, "processor: too many failures in a row; sending is paused");
        } else if now.breaker == BreakerState::Closed && self.breaker != BreakerState::Closed {
            let what = "processor: answers again; sending resumes";
            self.status.tell(Event::new(EventKind::BreakerClosed, Severity::Info, what));
        }
        self.breaker = now.breaker;
    }
}

/// The next change; never, where there is nothing to change any more.
async fn changed(exchange: &mut Option<watch::Receiver<ExchangeStatus>>) {
    match exchange {
        Some(receiver) if receiver.has_changed().is_ok() => {
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        _ => std::future::pending().await,
    }
}
