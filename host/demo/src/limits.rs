//! Bounds of the echo processor.

use std::time::Duration;

/// Default largest frame that the echo processor accepts, in bytes.
pub const ECHO_PAYLOAD_DEFAULT_BYTES: u64 = 32 << 20;
/// Longest time that a reply is delayed so that the next one overtakes it.
pub const ECHO_REORDER_MAX: Duration = Duration::from_secs(5);
/// Fragments whose transmissions the echo processor counts.
pub const ECHO_FRAGMENTS_REMEMBERED: usize = 4096;
/// Time for connections to end when the echo processor stops.
pub const ECHO_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
