//! The connection to the processor.

use async_graphql::{Enum, SimpleObject};

use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::pipeline::exchange::{self, ExchangeStatus};

/// State of the circuit breaker before the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "exchange::BreakerState")]
pub enum BreakerState {
    /// Fragments are sent.
    Closed,
    /// None are sent: too many failed in a row.
    Open,
    /// One is on its way, to see whether it works again.
    Probing,
}

/// The connection to the processor.
#[derive(Debug, Clone, SimpleObject)]
pub struct ProcessorStatus {
    /// It is connected.
    connected: bool,
    /// Since when it is or is not.
    since: DateTime,
    /// It takes fragments: connected, ready, not paused.
    ready: bool,
    /// It asked us to wait.
    paused: bool,
    /// Fragments that it has; null while it is not connected.
    in_flight: Option<BigInt>,
    /// Fragments that wait to be sent.
    queued: BigInt,
    /// The circuit breaker.
    breaker: BreakerState,
    /// From sending the newest batch's fragment to its reply, in milliseconds; null while it is not connected, and where the
    /// newest batch got no reply in time.
    round_trip_ms: Option<BigInt>,
    /// The largest message that it takes, in bytes, where it told; null while it is not connected.
    max_payload_bytes: Option<BigInt>,
    /// Why there is no connection, or what last went wrong with it.
    problem: Option<String>,
    /// What was counted.
    counters: ProcessorCounters,
}

/// What the connection to the processor has counted.
#[derive(Debug, Clone, SimpleObject)]
pub struct ProcessorCounters {
    /// Fragments that were sent, each sending counted.
    sent: BigInt,
    /// Of them, those that were sent again.
    resent: BigInt,
    /// Bytes of them, as they leave.
    bytes: BigInt,
    /// Replies that were used.
    replies: BigInt,
    /// Replies to fragments that had one already.
    duplicates: BigInt,
    /// Replies that came too late.
    late: BigInt,
    /// Replies and messages to fragments that were never sent.
    unknown: BigInt,
    /// Replies and messages that made no sense.
    invalid: BigInt,
    /// Failures that it told.
    failed: BigInt,
    /// Fragments that it did not answer in time.
    timeouts: BigInt,
    /// Fragments that were larger than it takes.
    too_large: BigInt,
    /// Fragments that the circuit breaker held back.
    held_back: BigInt,
    /// Connections that were made.
    connects: BigInt,
    /// Connections that were lost.
    disconnects: BigInt,
    /// Attempts to connect that failed.
    connect_failures: BigInt,
}

// === from the core ===

impl ProcessorStatus {
    /// Of the connection, and how long the newest batch's reply took.
    pub fn new(status: &ExchangeStatus, round_trip_ms: Option<u64>) -> Self {
        let since = status.since.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self {
            connected: status.connected,
            since: DateTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            ready: status.ready,
            paused: status.paused,
            in_flight: status.connected.then(|| status.in_flight.into()),
            round_trip_ms: round_trip_ms.filter(|_| status.connected).map(BigInt),
            queued: status.queued.into(),
            breaker: status.breaker.into(),
            max_payload_bytes: status.max_payload.filter(|_| status.connected).map(BigInt),
            problem: status.problem.clone(),
            counters: (&status.counters).into(),
        }
    }
}

impl From<&exchange::Counters> for ProcessorCounters {
    fn from(counted: &exchange::Counters) -> Self {
        Self {
            sent: BigInt(counted.sent),
            resent: BigInt(counted.resent),
            bytes: BigInt(counted.bytes),
            replies: BigInt(counted.replies),
            duplicates: BigInt(counted.duplicates),
            late: BigInt(counted.late),
            unknown: BigInt(counted.unknown),
            invalid: BigInt(counted.invalid),
            failed: BigInt(counted.failed),
            timeouts: BigInt(counted.timeouts),
            too_large: BigInt(counted.too_large),
            held_back: BigInt(counted.held_back),
            connects: BigInt(counted.connects),
            disconnects: BigInt(counted.disconnects),
            connect_failures: BigInt(counted.connect_failures),
        }
    }
}
