//! Ranges of a pipeline's settings, for all callers; see [`crate::settings`].

use std::ops::RangeInclusive;

use outboard_hls::limits::LIVE_EDGE_SEGMENTS_MAX;
use outboard_stage::limits::{BATCH_SECONDS_MAX, BATCH_SECONDS_MIN};

/// Length of a batch, in seconds.
pub const BATCH_SECONDS: RangeInclusive<u64> = BATCH_SECONDS_MIN as u64..=BATCH_SECONDS_MAX as u64;
/// Delay between the completion of the first batch and the start of air, in seconds.
pub const HOLD_SECONDS: RangeInclusive<f64> = 0.0..=600.0;
/// Reserve time for slow replies, in seconds.
pub const CUSHION_SECONDS: RangeInclusive<f64> = 0.0..=120.0;
/// Seconds of media to send per second.
pub const SPEED: RangeInclusive<f64> = 1.0..=50.0;
/// Batches that are kept after they were on air.
pub const KEEP_BATCHES: RangeInclusive<u64> = 0..=100_000;
/// Default number of batches that are kept.
pub const KEEP_BATCHES_DEFAULT: u64 = 5;
/// Maximum age of a batch after it was on air, in seconds.
pub const KEEP_SECONDS: RangeInclusive<u64> = 1..=u32::MAX as u64;
/// Highest bitrate of a variant, in bits per second.
pub const MAX_BANDWIDTH: RangeInclusive<u64> = 1..=u64::MAX;
/// Segments before the end of a live playlist at which a stream starts.
pub const LIVE_EDGE: RangeInclusive<u64> = 1..=LIVE_EDGE_SEGMENTS_MAX as u64;
/// PID of an audio stream in a transport stream, or its track_ID in MP4.
pub const AUDIO_PID: RangeInclusive<u64> = 1..=u32::MAX as u64;
/// program_number of a programme of a transport stream.
pub const PROGRAM: RangeInclusive<u64> = 1..=u16::MAX as u64;
/// Longest name of an audio rendition, in characters.
pub const AUDIO_NAME_MAX_CHARS: usize = 256;
/// Maximum number of unanswered fragments.
pub const IN_FLIGHT: RangeInclusive<u64> = 1..=16;
/// Maximum number of destinations of one pipeline.
pub const DESTINATIONS_MAX: usize = 16;
/// Hosts, besides the source's own, that may receive its headers.
pub const HEADER_HOSTS_MAX: usize = 16;
/// Longest name of a destination, in characters.
pub const DESTINATION_NAME_MAX_CHARS: usize = 64;
