//! Limits that all parts of the host share.

use std::time::Duration;

/// Longest name of a tenant, a stream or anything else that becomes a folder, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Delay after a full disk refused a write and no file could be removed.
pub const DISK_FULL_WAIT: Duration = Duration::from_secs(1);
/// How long a live source's segments wait for room after it ran out; then they are skipped. Demuxing that a full disk
/// refuses is retried for as long.
pub const ROOM_PATIENCE: Duration = Duration::from_secs(10);
/// Released batches whose packet counts the spool remembers: two hours of batches of 2 s.
pub const SPOOL_HISTORY_MAX: usize = 4096;
