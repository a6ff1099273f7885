//! Every bound on the media path, with its unit. A queue, retry, body, file or wait without a limit here is a bug.

use std::time::Duration;

// === source ===

// === batch ===

/// Shortest batch that can be set.
pub const BATCH_SECONDS_MIN: u32 = 2;
/// Longest batch that can be set.
pub const BATCH_SECONDS_MAX: u32 = 120;
/// Batch length unless set.
pub const BATCH_SECONDS_DEFAULT: u32 = 30;

// === demux and remux (ffmpeg) ===

/// An ffmpeg run that takes longer is killed. A 120 s batch takes well under a second.
pub const FFMPEG_TIMEOUT: Duration = Duration::from_secs(30);

// === exchange ===

// === air ===

// === stages ===

// === store ===
