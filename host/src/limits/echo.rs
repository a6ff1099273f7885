//! The echo processor.

use std::time::Duration;
/// Largest frame that the echo processor takes, unless set.
pub const ECHO_PAYLOAD_DEFAULT_BYTES: u64 = 32 << 20;
/// Longest that an answer is held back for the next one to overtake it.
pub const ECHO_REORDER_MAX: Duration = Duration::from_secs(5);
/// Fragments whose visits are counted.
pub const ECHO_FRAGMENTS_REMEMBERED: usize = 4096;
/// For connections to end when the echo processor stops.
pub const ECHO_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
