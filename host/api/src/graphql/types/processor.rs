//! The connection to the processor.

use async_graphql::{Enum, SimpleObject};

use crate::graphql::scalars::{BigInt, DateTime};
use outboard_exchange::{self as exchange, ExchangeStatus};

/// The state of the circuit breaker in front of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "exchange::BreakerState")]
pub enum BreakerState {
    /// Fragments are sent as usual.
    Closed,
    /// No fragments are sent, because too many failed in a row.
    Open,
    /// One fragment is sent to test whether the processor works again.
    Probing,
}

/// The status of the connection to the processor.
#[derive(Debug, Clone, SimpleObject)]
pub struct ProcessorStatus {
    /// True if the connection is open.
    connected: bool,
    /// Time at which `connected` last changed.
    since: DateTime,
    /// True if the processor accepts fragments: it is connected, ready and not paused.
    ready: bool,
    /// True if the processor asked to pause.
    paused: bool,
    /// Number of fragments sent and not answered yet. Null while the connection is closed.
    in_flight: Option<BigInt>,
    /// Number of fragments waiting to be sent.
    queued: BigInt,
    /// State of the circuit breaker.
    breaker: BreakerState,
    /// Time from sending the newest batch's fragment to its reply, in milliseconds. Null while the connection is
    /// closed, and if the newest batch got no reply in time.
    round_trip_ms: Option<BigInt>,
    /// Largest message that the processor accepts, in bytes. Null while the connection is closed, and if the processor
    /// announced none.
    max_payload_bytes: Option<BigInt>,
    /// Reason why the connection is closed, or its last problem. Null if there is none.
    problem: Option<String>,
    /// Counters of the connection.
    counters: ProcessorCounters,
}

/// Counters of the connection to the processor, from the start of the run.
#[derive(Debug, Clone, SimpleObject)]
pub struct ProcessorCounters {
    /// Fragments sent, including repeats.
    sent: BigInt,
    /// Fragments sent again. They are part of `sent`.
    resent: BigInt,
    /// Bytes of all fragments sent.
    bytes: BigInt,
    /// Replies that can be used.
    replies: BigInt,
    /// Replies to fragments that already had a reply.
    duplicates: BigInt,
    /// Replies that arrived too late to be used.
    late: BigInt,
    /// Replies and messages that refer to fragments that were never sent.
    unknown: BigInt,
    /// Replies and messages that are malformed.
    invalid: BigInt,
    /// Failures reported by the processor.
    failed: BigInt,
    /// Fragments without a reply in time.
    timeouts: BigInt,
    /// Fragments that exceeded the maximum payload of the processor.
    too_large: BigInt,
    /// Fragments that were not sent because the circuit breaker was open.
    held_back: BigInt,
    /// Connections opened to the processor.
    connects: BigInt,
    /// Connections to the processor that were lost.
    disconnects: BigInt,
    /// Failed attempts to connect.
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
