//! The status of a destination: computed from packets that were sent, not from running tasks.

use std::time::Duration;

use tokio::time::Instant;

use super::position::Position;
use crate::limits::{AIR_ON_AIR_WINDOW, DESTINATION_BEHIND_MAX};

/// The activity of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DestinationState {
    /// The clock has not started, or there is nothing to send yet.
    #[default]
    Waiting,
    /// A session is being opened.
    Connecting,
    /// A session is open.
    Publishing,
    /// The last session was lost or could not be opened; the next attempt follows.
    Retrying {
        /// The failure, without secrets, for people.
        reason: String,
        /// Number of consecutive failed attempts.
        attempt: u32,
    },
    /// Everything was sent and the session was closed.
    Done,
    /// Stopped before everything was sent.
    Stopped,
}

/// Packets that were skipped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The destination was further behind than allowed.
    pub lag: u64,
    /// Their batches were released first.
    pub released: u64,
    /// Their batch's file could not be read.
    pub unreadable: u64,
}

impl Dropped {
    /// Skipped packets for all reasons together.
    pub fn all(&self) -> u64 {
        self.lag + self.released + self.unreadable
    }
}

/// Counts of a destination in this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Video packets written, including repeats.
    pub video: u64,
    /// Audio packets written, including repeats.
    pub audio: u64,
    /// Bytes written, with all protocol overhead.
    pub bytes: u64,
    /// Number of repeats among the written packets; `video + audio - repeated` packets are distinct.
    pub repeated: u64,
    /// Packets that were skipped: never written.
    pub dropped: Dropped,
    /// Skipped programme in milliseconds, of the track that lost more.
    pub skipped_ms: u64,
    /// Skipped packets that had been written to a session that was lost before they were acknowledged.
    pub unconfirmed: u64,
    /// Packets sent more than [`crate::limits::AIR_LATE_AFTER`] after their time.
    pub late: u64,
    /// Sequence headers sent, in all sessions of the run.
    pub headers: u64,
    /// `onMetaData` messages sent, in all sessions of the run.
    pub metadata: u64,
    /// Sessions opened since the run started.
    pub sessions: u64,
    /// Sessions lost since the run started.
    pub reconnects: u64,
    /// Journal calls that failed or took too long.
    pub journal_failures: u64,
    /// Events that were lost because the channel was full for too long.
    pub events_lost: u64,
    /// Writes to the socket or to ffmpeg.
    pub writes: u64,
}

/// The public status of a destination. At most [`crate::limits::AIR_STATUS_EVERY`] old while it sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationStatus {
    /// Identifies it in the journal, events and the API; stays the same as long as the URL does.
    pub name: String,
    /// Its name for people; if empty, `name` is shown.
    pub label: String,
    /// Whether an operator disabled it: no packets are sent.
    pub disabled: bool,
    /// Its URL without secrets.
    pub url: String,
    /// What the destination does now, for example connecting or sending.
    pub state: DestinationState,
    /// Why the last attempt failed, until one succeeds; also while the next is in progress.
    pub failing: Option<String>,
    /// Counts of this run.
    pub counters: Counters,
    /// When the last packet was sent.
    pub last_packet_at: Option<Instant>,
    /// Whether sent packets do not arrive: the receiver acknowledges none of them.
    pub stalled: bool,
    /// Longest time between two packets of the run.
    pub max_gap: Duration,
    /// Longest time between two packets, without the time in which the receiver was unavailable or accepted nothing.
    pub max_own_gap: Duration,
    /// Position of the packet that is sent next.
    pub position: Option<Position>,
    /// What the server has certainly received; `None` if it does not acknowledge.
    pub acked: Option<Position>,
    /// How far the destination is behind the clock, in milliseconds of media.
    pub backlog_ms: u64,
}

impl DestinationStatus {
    /// Whether packets were sent within the last [`AIR_ON_AIR_WINDOW`] and, if the receiver acknowledges them, are
    /// received.
    pub fn on_air(&self) -> bool {
        !self.disabled && !self.stalled && self.last_packet_at.is_some_and(|at| at.elapsed() < AIR_ON_AIR_WINDOW)
    }
}

/// Measures gaps between packets.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    last: Option<Instant>,
    /// Time since the last packet that the receiver caused.
    receiver: Duration,
    /// Since when the receiver is unavailable.
    gone: Option<Instant>,
    pub(super) max: Duration,
    pub(super) max_own: Duration,
}

impl Gaps {
    /// Records that the session was lost; the failure began at `since`.
    pub(super) fn lost(&mut self, since: Instant) {
        self.gone.get_or_insert(since);
    }

    /// Records packets that were sent with a write from `began` to `now`.
    pub(super) fn packets(&mut self, began: Instant, now: Instant) {
        // The time between a loss and the first packet after it counts for the receiver, including this write.
        self.receiver += now.saturating_duration_since(self.gone.take().unwrap_or(began));
        if let Some(last) = self.last {
            let gap = now.saturating_duration_since(last);
            self.max = self.max.max(gap);
            self.max_own = self.max_own.max(gap.saturating_sub(self.receiver));
        }
        self.last = Some(now);
        self.receiver = Duration::ZERO;
    }

    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }
}

impl DestinationStatus {
    /// Returns its name for people: the label, or `name` if the label is empty.
    pub fn shown(&self) -> &str {
        if self.label.is_empty() { &self.name } else { &self.label }
    }

    /// How far it is behind the clock in milliseconds, if it is on air and further behind than
    /// [`DESTINATION_BEHIND_MAX`].
    pub fn behind_ms(&self) -> Option<u64> {
        let most = u64::try_from(DESTINATION_BEHIND_MAX.as_millis()).unwrap_or(u64::MAX);
        Some(self.backlog_ms).filter(|ms| self.on_air() && *ms > most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_split_between_us_and_the_receiver() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut gaps = Gaps::default();
        gaps.packets(at(0), at(0));
        gaps.packets(at(50), at(51));
        assert_eq!((gaps.max.as_millis(), gaps.max_own.as_millis()), (51, 50));
        // Our own gap: nothing to send for 300 ms.
        gaps.packets(at(351), at(351));
        assert_eq!((gaps.max.as_millis(), gaps.max_own.as_millis()), (300, 300));
        // A write that hangs for 2 s and fails, and packets again 5 s later: caused by the receiver, except the 40 ms
        // before.
        gaps.lost(at(391));
        gaps.lost(at(2_391));
        gaps.packets(at(7_380), at(7_391));
        assert_eq!((gaps.max.as_millis(), gaps.max_own.as_millis()), (7_040, 300));
        assert_eq!(gaps.last(), Some(at(7_391)));
    }

    #[test]
    fn on_air_means_packets() {
        let mut status = DestinationStatus { state: DestinationState::Publishing, ..DestinationStatus::default() };
        assert!(!status.on_air());
        status.last_packet_at = Some(Instant::now());
        assert!(status.on_air());
        status.stalled = true;
        assert!(!status.on_air(), "they lie in buffers");
        status.stalled = false;
        status.last_packet_at = Instant::now().checked_sub(AIR_ON_AIR_WINDOW);
        assert!(!status.on_air());
    }
}
