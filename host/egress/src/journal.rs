//! The interface from air to the journal.
//!
//! A destination waits until a position is recorded before it passes it, so that a start after a crash repeats at most
//! one group of pictures and misses nothing. Events are for the statistics and use a bounded channel.

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use thiserror::Error;

use super::position::Position;

/// Why a position was not recorded.
#[derive(Debug, Error)]
#[error("air position not journalled: {0}")]
pub struct JournalError(pub String);

/// Records positions. A call that fails or takes longer than [`crate::limits::AIR_JOURNAL_WAIT`] is counted, and the
/// packets are sent without it.
pub trait AirJournal: Send + Sync {
    /// Everything before `position` was passed to the destination. The packet at `position`, at which a receiver can
    /// start, is held until this returns. `position` goes back when a reconnect repeats packets. Called once per second
    /// for streams without video.
    fn key_frame(&self, destination: &str, position: Position) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Records a position within a long group of pictures, once per second and at the end. Resuming from it starts at
    /// the key frame before it.
    fn position(&self, destination: &str, position: Position) -> BoxFuture<'_, Result<(), JournalError>> {
        self.key_frame(destination, position)
    }

    /// Removes the position of a destination that was disabled or removed.
    fn forget(&self, _destination: &str) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A journal that records nothing: for runs that are not resumed.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoJournal;

impl std::fmt::Display for DropReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lag => "it was too far behind",
            Self::Released => "it was disconnected for too long",
            Self::Unreadable => "their file could not be read",
        })
    }
}

impl AirJournal for NoJournal {
    fn key_frame(&self, _destination: &str, _position: Position) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Why packets were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The destination was too far behind the clock.
    Lag,
    /// Their batches were released before the destination reached them.
    Released,
    /// Their batch's file could not be read.
    Unreadable,
}

/// An event on air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AirEvent {
    /// The first packet of a batch was sent.
    BatchOnAir {
        /// Name of the destination, without secrets.
        destination: String,
        /// Number of the batch, from 0.
        batch: u64,
        /// Time at which the packet was sent.
        at: SystemTime,
    },
    /// The last packet of a batch was sent.
    BatchDone {
        /// Name of the destination, without secrets.
        destination: String,
        /// Number of the batch, from 0.
        batch: u64,
        /// Time at which the packet was sent.
        at: SystemTime,
        /// Video packets of the batch that this run sent, without repeats.
        video: u64,
        /// Audio packets of the batch that this run sent, without repeats.
        audio: u64,
    },
    /// Packets were skipped and will not be sent to the destination.
    Dropped {
        /// Name of the destination, without secrets.
        destination: String,
        /// Why they were skipped.
        reason: DropReason,
        /// Number of video packets.
        video: u64,
        /// Number of audio packets.
        audio: u64,
        /// Duration of the skipped programme in milliseconds.
        ms: u64,
        /// Where the destination continues.
        position: Position,
    },
    /// A session was opened.
    Opened {
        /// Name of the destination, without secrets.
        destination: String,
        /// Number of the session in this run.
        session: u64,
        /// Position of the first packet of the session.
        position: Position,
    },
    /// A session was lost or could not be opened.
    Lost {
        /// Name of the destination, without secrets.
        destination: String,
        /// The failure, without secrets, for people.
        reason: String,
    },
    /// The destination has sent everything, or was stopped.
    Ended {
        /// Name of the destination, without secrets.
        destination: String,
    },
}
