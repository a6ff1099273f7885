//! Looks for what destinations and processor tell no step of: on and off air, processor there and away. Each change goes to
//! the [`Reporter`].
//!
//! "On air" is read off packets that left, so it is looked at on a beat; everything else wakes it.

use std::time::Duration;

use tokio::sync::watch;

use super::status::Phase;

use super::report::Reporter;
use super::report::air::OnAirChange;
use super::report::exchange;
use super::watch::Watch;
use outboard_egress::status::DestinationState;
use outboard_exchange::ExchangeStatus;

/// How often packets on air are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Follows a pipeline until it is dropped.
pub(super) struct Observer {
    watch: Watch,
    reporter: Reporter,
    on_air: bool,
    exchange: ExchangeStatus,
}

impl Observer {
    pub(super) fn new(watch: Watch, reporter: Reporter) -> Self {
        Self { watch, reporter, on_air: false, exchange: ExchangeStatus::default() }
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
                self.processor(now);
            }
        }
    }

    fn air(&mut self) {
        let (on_air, all) = self.watch.on_air();
        if (on_air > 0) == self.on_air || (on_air == 0 && self.is_ending()) {
            return;
        }
        self.on_air = on_air > 0;
        if self.on_air {
            return self.reporter.on_air(OnAirChange::Began { destinations: on_air, of: all });
        }
        let problems = self.watch.problems();
        self.reporter.on_air(OnAirChange::Ended { cause: problems.first().map(|problem| &problem.cause) });
    }

    /// What was to be sent is sent, and the pipeline was told to stop: that no packet leaves is no trouble.
    fn is_ending(&self) -> bool {
        let away = |state: &DestinationState| {
            matches!(state, DestinationState::Connecting | DestinationState::Retrying { .. })
        };
        matches!(self.watch.stats().phase, Phase::Draining | Phase::Ended)
            && !self.watch.destinations().iter().any(|destination| away(&destination.state))
    }

    fn processor(&mut self, now: ExchangeStatus) {
        for change in now.changes_since(&self.exchange) {
            self.reporter.exchange(exchange::Outcome::Changed(&change));
        }
        self.exchange = now;
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
