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
/// Address space of one ffmpeg process. Copying a 120 s batch maps about 0.5 GB, most of it libraries.
pub const FFMPEG_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Last part of what ffmpeg wrote to stderr that is kept for the error.
pub const FFMPEG_STDERR_BYTES: usize = 2 * 1024;
/// Packet facts of one batch, as text: about 60 bytes a packet, so two tracks of 120 s take under 1 MB.
pub const PACKET_FACTS_BYTES: usize = 16 * 1024 * 1024;
/// A jump of the source's timestamps inside a track that is larger than this is spliced out.
pub const TIMESTAMP_JUMP: Duration = Duration::from_secs(1);

/// Time before a batch is due at which its decision falls, until remuxing has been measured...
pub const REMUX_MARGIN_FIRST: Duration = Duration::from_millis(500);
/// ...then three times what it took, but at least this...
pub const REMUX_MARGIN_MIN: Duration = Duration::from_millis(250);
/// ...and at most this.
pub const REMUX_MARGIN_MAX: Duration = Duration::from_secs(5);
/// Batches are not put together earlier than this (or three batch lengths) before they are due.
pub const AIR_AHEAD: Duration = Duration::from_secs(60);
/// Largest change of speed that a plan may ask for, in per mille.
pub const PLAN_STRETCH_PERMILLE_MAX: u32 = 250;
/// Largest shift of sound against picture that a plan may ask for.
pub const PLAN_OFFSET_MAX: Duration = Duration::from_secs(2);
/// Largest gain that a plan may ask for, in hundredths of a decibel.
pub const PLAN_GAIN_CENTIBEL_MAX: u32 = 6000;

// === exchange ===

// === air ===

// === stages ===

// === store ===
