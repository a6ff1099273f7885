//! Destinations: our view and the server's own, side by side.

use async_graphql::{Enum, SimpleObject};

use crate::graphql::scalars::{BigInt, DateTime, seconds};
use outboard_control::snapshot::DestinationView;
use outboard_control::srs::SrsView;
use outboard_egress::status as air;

/// The state of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DestinationState {
    /// There is nothing to send yet.
    Waiting,
    /// A session is being opened.
    Connecting,
    /// A session is open.
    Publishing,
    /// The last session was lost or could not be opened. A retry follows.
    Retrying,
    /// Everything was sent and the session was closed.
    Done,
    /// The destination was stopped before everything was sent.
    Stopped,
    /// The destination is disabled. No packets are sent to it.
    Disabled,
}

/// The status of a destination, as measured by Outboard and, with SRS, as reported by the server.
#[derive(Debug, Clone, SimpleObject)]
pub struct DestinationStatus {
    /// ID of the destination. Settings and events use the same ID.
    id: String,
    /// Display name, unique within the pipeline: the configured name, or one made from host and application.
    name: String,
    /// False if the destination is disabled and no packets are sent to it.
    enabled: bool,
    /// URL of the destination, without the stream key.
    url: String,
    /// State of the destination.
    state: DestinationState,
    /// True if packets were sent to the destination within the last 3 seconds and the receiver accepts them.
    on_air: bool,
    /// Reason why the last session was lost or could not be opened. Null unless the state is `RETRYING`.
    problem: Option<String>,
    /// Number of consecutive failed attempts to connect.
    attempts: u32,
    /// Time at which the last packet was sent. Null before the first packet.
    last_packet_at: Option<DateTime>,
    /// Backlog: how far the destination is behind the air clock, in milliseconds of media. Null while the destination
    /// is not on air.
    backlog_ms: Option<BigInt>,
    /// Air time of the next packet to send, in seconds. Null before the destination has a position.
    position_seconds: Option<f64>,
    /// Air time up to which the server acknowledged the media, in seconds. Null if the server sends no
    /// acknowledgements.
    acknowledged_seconds: Option<f64>,
    /// Longest time between two packets, in milliseconds.
    max_gap_ms: BigInt,
    /// Longest time between two packets, in milliseconds, without the time in which the server was unavailable or
    /// accepted nothing.
    max_own_gap_ms: BigInt,
    /// Counters of the destination.
    counters: DestinationCounters,
    /// What SRS reports about the stream. Null if `srsApi` is not set or has not been queried yet.
    srs: Option<SrsStatus>,
}

/// Counters of a destination, from the start of the run.
#[derive(Debug, Clone, SimpleObject)]
pub struct DestinationCounters {
    /// Video frames written, including repeats.
    video: BigInt,
    /// Audio packets written, including repeats.
    audio: BigInt,
    /// Bytes written, including protocol overhead.
    bytes: BigInt,
    /// Packets that were written again after a session was lost.
    repeated: BigInt,
    /// Packets that were never written to this destination: the sum of the three `dropped…` counters.
    skipped_packets: BigInt,
    /// Duration of the media that was never written to this destination, in seconds.
    skipped_seconds: f64,
    /// Packets skipped because the backlog of the destination was too large.
    dropped_lagging: BigInt,
    /// Packets skipped because the destination was unavailable until their batch was released.
    dropped_released: BigInt,
    /// Packets skipped because their file could not be read.
    dropped_unreadable: BigInt,
    /// Packets that were written to a session that was lost before the server acknowledged them, and that were not
    /// repeated.
    unconfirmed: BigInt,
    /// Packets sent more than 1 second after their time on air.
    late: BigInt,
    /// Sessions that were opened with the destination.
    sessions: BigInt,
    /// Sessions with the destination that were lost.
    reconnects: BigInt,
}

/// What the HTTP API of SRS reports about the stream.
#[derive(Debug, Clone, SimpleObject)]
pub struct SrsStatus {
    /// True if the API answered.
    reachable: bool,
    /// True if SRS has the stream and an active publisher for it.
    publishing: bool,
    /// Number of clients connected to the stream at SRS. Null if unknown.
    clients: Option<BigInt>,
    /// Bitrate that SRS receives, in kilobits per second. Null if unknown.
    receive_kbps: Option<f64>,
    /// Reason why SRS could not be queried. Null if there is no problem.
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
            backlog_ms: on_air.then_some(BigInt(status.backlog_ms)),
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
