//! What air tells the journal.
//!
//! Positions are awaited: none is passed before it is written down, so that a start after a crash repeats at most one
//! group of pictures and misses nothing. Events are for counts and people, and go over a bounded channel.

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use thiserror::Error;

use super::position::Position;

/// Why a position was not written down.
#[derive(Debug, Error)]
#[error("air position not journalled: {0}")]
pub struct JournalError(pub String);

/// Where positions are written down. A call that fails or takes longer than
/// [`crate::limits::AIR_JOURNAL_WAIT`] is counted, and the packets leave without it.
pub trait AirJournal: Send + Sync {
    /// Everything before `position` has been handed to the destination; the packet at `position`, at which a receiver
    /// can start, is held back until this answers. Goes back when a reconnect repeats packets. For streams without
    /// pictures it is called once a second.
    fn key_frame(&self, destination: &str, position: Position) -> BoxFuture<'_, Result<(), JournalError>>;

    /// The same within long groups of pictures, once a second, and at the end. Going on from here starts at the key
    /// frame before it.
    fn position(&self, destination: &str, position: Position) -> BoxFuture<'_, Result<(), JournalError>> {
        self.key_frame(destination, position)
    }

    /// The destination was switched off or removed: where it was counts no more.
    fn forget(&self, _destination: &str) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A journal that forgets: for runs that are not to be resumed.
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
    /// Their batches were released before the destination came to them.
    Released,
    /// Their batch's file could not be read.
    Unreadable,
}

/// What happened on air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AirEvent {
    /// The first packet of a batch left.
    BatchOnAir {
        /// Name of the destination, without secrets.
        destination: String,
        /// Number of the batch, from 0.
        batch: u64,
        /// Time at which the packet was sent.
        at: SystemTime,
    },
    /// The last packet of a batch left.
    BatchDone {
        /// Name of the destination, without secrets.
        destination: String,
        /// Number of the batch, from 0.
        batch: u64,
        /// Time at which the packet was sent.
        at: SystemTime,
        /// Pictures of the batch that this run sent, repeats not counted.
        video: u64,
        /// Audio packets likewise.
        audio: u64,
    },
    /// Packets were skipped for a destination, and will not be sent to it.
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
        /// Where it goes on.
        position: Position,
    },
    /// A session was opened.
    Opened {
        /// Name of the destination, without secrets.
        destination: String,
        /// How many this is.
        session: u64,
        /// Position of the first packet of the session.
        position: Position,
    },
    /// A session was lost or did not come about.
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
