//! Destinations: our view and the server's own, side by side.

use async_graphql::{Enum, SimpleObject};

use crate::api::graphql::scalars::{BigInt, DateTime, seconds};
use crate::control::snapshot::DestinationView;
use crate::control::srs::SrsView;
use crate::pipeline::air::status as air;

/// What a destination is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DestinationState {
    /// There is nothing to send yet.
    Waiting,
    /// A session is being opened.
    Connecting,
    /// A session is open.
    Publishing,
    /// The last session was lost, or none came about; the next attempt follows.
    Retrying,
    /// Everything was sent and the session was closed.
    Done,
    /// It was stopped before everything was sent.
    Stopped,
    /// It is switched off: no packets are sent there.
    Disabled,
}

/// A destination, as we see it and as the server itself sees it.
#[derive(Debug, Clone, SimpleObject)]
pub struct DestinationStatus {
    /// Names it, here as in settings and events.
    id: String,
    /// The name that people see: given, or made of host and application. Unique in the pipeline.
    name: String,
    /// False: it is switched off, and no packets are sent there.
    enabled: bool,
    /// Its URL without the stream key.
    url: String,
    /// What it is doing.
    state: DestinationState,
    /// Packets left for it within the last seconds.
    on_air: bool,
    /// Why the last session was lost or none came about, while it is tried again.
    problem: Option<String>,
    /// How many attempts failed in a row.
    attempts: u32,
    /// When the last packet left.
    last_packet_at: Option<DateTime>,
    /// How far it is behind the clock, in milliseconds of media.
    backlog_ms: BigInt,
    /// Air time of the packet that is next, in seconds.
    position_seconds: Option<f64>,
    /// Air time up to which the server has surely received; null where it says nothing.
    acknowledged_seconds: Option<f64>,
    /// The longest time between two packets, in milliseconds.
    max_gap_ms: BigInt,
    /// The same without the time in which the server was away or took nothing.
    max_own_gap_ms: BigInt,
    /// What was counted.
    counters: DestinationCounters,
    /// What SRS says of our stream; null where its API is not set, or it was not asked yet.
    srs: Option<SrsStatus>,
}

/// What a destination has counted.
#[derive(Debug, Clone, SimpleObject)]
pub struct DestinationCounters {
    /// Pictures that were written, repeats included.
    video: BigInt,
    /// Audio packets that were written, repeats included.
    audio: BigInt,
    /// Bytes that were written, with all that the protocol adds.
    bytes: BigInt,
    /// Packets that were written once more after a session was lost.
    repeated: BigInt,
    /// Packets that this destination never got, whatever the reason: the three counts below together.
    skipped_packets: BigInt,
    /// Seconds of the programme that this destination never got.
    skipped_seconds: f64,
    /// Packets that were skipped because the destination was too far behind.
    dropped_lagging: BigInt,
    /// Packets that were skipped because the destination was away until their batch was released.
    dropped_released: BigInt,
    /// Packets that were skipped because their file could not be read.
    dropped_unreadable: BigInt,
    /// Packets that were written to a session that was lost before it acknowledged them, and not again.
    unconfirmed: BigInt,
    /// Packets that left late.
    late: BigInt,
    /// Sessions that were opened.
    sessions: BigInt,
    /// Sessions that were lost.
    reconnects: BigInt,
}

/// What SRS says of our stream.
#[derive(Debug, Clone, SimpleObject)]
pub struct SrsStatus {
    /// Its API answered.
    reachable: bool,
    /// It has our stream, with a publisher.
    publishing: bool,
    /// Who is connected to the stream there.
    clients: Option<BigInt>,
    /// What it receives, in kilobits per second.
    receive_kbps: Option<f64>,
    /// Why there is no view of it.
    problem: Option<String>,
}

// === from the core ===

impl From<&DestinationView> for DestinationStatus {
    fn from(view: &DestinationView) -> Self {
        let DestinationView { status, on_air, last_packet_ms, srs } = view;
        let ms = |gap: std::time::Duration| BigInt(u64::try_from(gap.as_millis()).unwrap_or(u64::MAX));
        let (state, problem, attempts) = match &status.state {
            _ if status.disabled => (DestinationState::Disabled, None, 0),
            air::DestinationState::Waiting => (DestinationState::Waiting, None, 0),
            air::DestinationState::Connecting => (DestinationState::Connecting, None, 0),
            air::DestinationState::Publishing => (DestinationState::Publishing, None, 0),
            air::DestinationState::Retrying { reason, attempt } => {
                (DestinationState::Retrying, Some(reason.clone()), *attempt)
            }
            air::DestinationState::Done => (DestinationState::Done, None, 0),
            air::DestinationState::Stopped => (DestinationState::Stopped, None, 0),
        };
        Self {
            id: status.name.clone(),
            name: status.label.clone(),
            enabled: !status.disabled,
            url: status.url.clone(),
            state,
            on_air: *on_air,
            problem,
            attempts,
            last_packet_at: last_packet_ms.map(DateTime),
            backlog_ms: BigInt(status.backlog_ms),
            position_seconds: status.position.map(|position| seconds(position.air_ms)),
            acknowledged_seconds: status.acked.map(|position| seconds(position.air_ms)),
            max_gap_ms: ms(status.max_gap),
            max_own_gap_ms: ms(status.max_own_gap),
            counters: (&status.counters).into(),
            srs: srs.as_ref().map(SrsStatus::from),
        }
    }
}

impl From<&air::Counters> for DestinationCounters {
    fn from(counted: &air::Counters) -> Self {
        Self {
            video: BigInt(counted.video),
            audio: BigInt(counted.audio),
            bytes: BigInt(counted.bytes),
            repeated: BigInt(counted.repeated),
            skipped_packets: BigInt(counted.dropped.all()),
            skipped_seconds: seconds(counted.skipped_ms),
            dropped_lagging: BigInt(counted.dropped.lag),
            dropped_released: BigInt(counted.dropped.released),
            dropped_unreadable: BigInt(counted.dropped.unreadable),
            unconfirmed: BigInt(counted.unconfirmed),
            late: BigInt(counted.late),
            sessions: BigInt(counted.sessions),
            reconnects: BigInt(counted.reconnects),
        }
    }
}

impl From<&SrsView> for SrsStatus {
    fn from(view: &SrsView) -> Self {
        Self {
            reachable: view.reachable,
            publishing: view.publishing,
            clients: view.clients.map(BigInt),
            receive_kbps: view.recv_kbps,
            problem: view.problem.clone(),
        }
    }
}
