//! Bounds of what every part of the host takes.

use std::time::Duration;

/// Longest name of a tenant, a stream and whatever else becomes a folder's name, bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Wait after a full disk refused a write and nothing could be removed.
pub const DISK_FULL_WAIT: Duration = Duration::from_secs(1);
/// A live source's segments wait for room until so long after it ran out; then they are passed over. Demuxing that a full
/// disk refuses is tried for as long.
pub const ROOM_PATIENCE: Duration = Duration::from_secs(10);
/// Batches of which the spool knows how many packets they had, after they are released: two hours of 2 s each.
pub const SPOOL_HISTORY_MAX: usize = 4096;
