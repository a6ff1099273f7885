//! Wall-clock time in the form that is stored and sent to processors.

use std::time::{SystemTime, UNIX_EPOCH};

/// The current Unix time in milliseconds; 0 if the clock is before 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
