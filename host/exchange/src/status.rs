//! The status of the exchange.

use std::time::SystemTime;

use serde::Serialize;

/// State of the circuit breaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Normal operation: fragments are sent.
    #[default]
    Closed,
    /// Too many consecutive failures: no fragment is sent.
    Open,
    /// One fragment is sent as a probe.
    Probing,
}

/// Counts since the exchange started. They only rise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Fragments sent, each transmission counted.
    pub sent: u64,
    /// Bytes of these fragments, as frames on the wire.
    pub bytes: u64,
    /// The part of `sent` that was sent again.
    pub resent: u64,
    /// Replies that were passed on.
    pub replies: u64,
    /// Replies for fragments that already had one.
    pub duplicates: u64,
    /// Replies for fragments that nobody waited for any more.
    pub late: u64,
    /// Replies, failures and acknowledgements for fragments that were never sent.
    pub unknown: u64,
    /// Invalid replies and messages.
    pub invalid: u64,
    /// Failures reported by the processor.
    pub failed: u64,
    /// Fragments that were sent and not answered in time.
    pub timeouts: u64,
    /// Fragments larger than the processor's `maxPayload`.
    pub too_large: u64,
    /// Fragments that were not sent because the breaker was open.
    pub held_back: u64,
    /// Connections opened since the exchange started.
    pub connects: u64,
    /// Connections lost since the exchange started.
    pub disconnects: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
}

/// The exchange at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExchangeStatus {
    /// Whether the namespace is joined.
    pub connected: bool,
    /// Since when `connected` has its value.
    pub since: SystemTime,
    /// Whether the processor accepts fragments: connected, ready, not paused.
    pub ready: bool,
    /// Whether the processor requested a pause.
    pub paused: bool,
    /// Fragments sent and not yet answered.
    pub in_flight: usize,
    /// Fragments waiting to be sent.
    pub queued: usize,
    /// State of the circuit breaker.
    pub breaker: BreakerState,
    /// The largest frame that the server accepts, if announced.
    pub max_payload: Option<u64>,
    /// Why there is no connection, or the last problem of one.
    pub problem: Option<String>,
    /// Counters since the start of the run.
    pub counters: Counters,
}

impl Default for ExchangeStatus {
    fn default() -> Self {
        Self {
            connected: false,
            since: SystemTime::now(),
            ready: false,
            paused: false,
            in_flight: 0,
            queued: 0,
            breaker: BreakerState::Closed,
            max_payload: None,
            problem: None,
            counters: Counters::default(),
        }
    }
}

/// What became different in an exchange that a person is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeChange {
    /// The processor is connected.
    Connected,
    /// It is not connected any more.
    Lost {
        /// The reason, without secrets.
        why: String,
    },
    /// The circuit breaker holds fragments back.
    BreakerOpened,
    /// The circuit breaker lets fragments through again, after it was open.
    BreakerClosed,
}

impl ExchangeStatus {
    /// What became different since an earlier status of the same exchange, in the order in which it is to be told. The
    /// breaker's probing is told as nothing: it ends open or closed.
    pub fn changes_since(&self, before: &Self) -> Vec<ExchangeChange> {
        let mut changes = Vec::new();
        if self.connected != before.connected {
            changes.push(if self.connected {
                ExchangeChange::Connected
            } else {
                ExchangeChange::Lost { why: self.problem.as_deref().unwrap_or("the connection ended").to_owned() }
            });
        }
        match (before.breaker, self.breaker) {
            (BreakerState::Open, BreakerState::Open) => {}
            (_, BreakerState::Open) => changes.push(ExchangeChange::BreakerOpened),
            (BreakerState::Open | BreakerState::Probing, BreakerState::Closed) => {
                changes.push(ExchangeChange::BreakerClosed);
            }
            _ => {}
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(connected: bool, breaker: BreakerState, problem: Option<&str>) -> ExchangeStatus {
        ExchangeStatus { connected, breaker, problem: problem.map(str::to_owned), ..ExchangeStatus::default() }
    }

    #[test]
    fn a_connection_is_told_when_it_comes_and_when_it_goes() {
        let away = status(false, BreakerState::Closed, None);
        let there = status(true, BreakerState::Closed, None);
        let refused = status(false, BreakerState::Closed, Some("refused"));
        assert_eq!(there.changes_since(&away), [ExchangeChange::Connected]);
        let lost = |why: &str| [ExchangeChange::Lost { why: why.into() }];
        assert_eq!(away.changes_since(&there), lost("the connection ended"));
        assert_eq!(refused.changes_since(&there), lost("refused"));
        assert_eq!(refused.changes_since(&away), [], "one that never was is not lost");
    }

    #[test]
    fn a_breaker_is_told_when_it_opens_and_when_it_closes_and_not_while_it_probes() {
        use BreakerState::{Closed, Open, Probing};
        for (before, now, told) in [
            (Closed, Open, Some(ExchangeChange::BreakerOpened)),
            (Probing, Open, Some(ExchangeChange::BreakerOpened)),
            (Open, Open, None),
            (Open, Probing, None),
            (Probing, Closed, Some(ExchangeChange::BreakerClosed)),
            (Open, Closed, Some(ExchangeChange::BreakerClosed)),
            (Closed, Closed, None),
        ] {
            let changes = status(true, now, None).changes_since(&status(true, before, None));
            assert_eq!(changes, Vec::from_iter(told), "{before:?} to {now:?}");
        }
    }
}
