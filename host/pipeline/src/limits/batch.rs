//! Limits of batches, and of how they are demuxed and remuxed.

use std::time::Duration;

use outboard_base::backoff::Schedule;

// === batch ===

// === demux and remux ===

/// Bytes of the packet list of one batch: about 60 bytes per packet, so two tracks of 120 s need less than 1 MB.
pub const PACKET_FACTS_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of the few packets from which the one between encoded and copied sound is taken: 32 of the largest.
pub const LEAD_IN_BYTES: usize = 256 * 1024;
/// Bytes of a file that are read at once while its packets are listed: those behind a box or a header.
pub const REMUX_READ_BYTES: usize = 16 * 1024;
/// Largest index of what a batch has on air, in bytes: about 8 for each of two times [`BATCH_PACKETS_MAX`] packets, and headers.
pub const AIR_INDEX_BYTES_MAX: u64 = 16 << 20;
/// Bytes of `output.fmp4` that are put together at a time, for a download or for the file.
pub const OUTPUT_PIECE_BYTES: usize = 128 * 1024;
/// Delays before retrying a source that was unavailable when the stream was resumed: 1 s, doubling to 15 s.
pub const SOURCE_AGAIN: Schedule = Schedule::doubling(Duration::from_secs(1), Duration::from_secs(15));
/// Batches queued between two steps; their media is on disk.
pub const BATCHES_WAITING: usize = 4;
/// Segments and cuts queued for the demux step; their media is on disk.
pub const SEGMENTS_WAITING: usize = 16;
/// Source events queued for the batch step.
pub const SOURCE_EVENTS_WAITING: usize = 16;
/// Divisor of the batch length that gives the default reserve time for slow replies.
pub const CUSHION_PART: u32 = 10;
/// Minimum of the default reserve time: playlists are polled every half target duration, so batches arrive that
/// unevenly.
pub const CUSHION_MIN: Duration = Duration::from_millis(2500);
/// A batch that is less late was delayed by chance; one that is more late although its segments came in time was
/// delayed by the host.
pub const LATE_BY_US: Duration = Duration::from_millis(500);
/// Tolerance for the arrival of a batch's segments relative to their duration, before the source counts as slow.
pub const SOURCE_UNEVEN: Duration = Duration::from_secs(2);
/// Batches become longer on air only while at least one part in this many of the cushion remains.
pub const CUSHION_RESERVE_PART: u32 = 3;
/// Delay before a stream resumes with buffered media, so that destinations can connect.
pub const START_AFTER_RESTART: Duration = Duration::from_millis(300);
/// Time beyond the duration of the buffered media that draining may take: a destination may have to reconnect.
pub const DRAIN_SPARE: Duration = Duration::from_secs(20);
/// A destination that is further behind the clock loses the packets that it has not sent.
pub const AIR_KEEP_FOR_LATE: Duration = Duration::from_secs(60);
/// A destination of a stream with `source.catch_up = "live"` skips packets that are later than this.
pub const AIR_LIVE_LAG: Duration = Duration::from_secs(2);
/// Destination events queued for the journal.
pub const AIR_EVENTS_WAITING: usize = 256;
/// Time before a batch is due at which the decision is made, until remuxing has been measured.
pub const REMUX_MARGIN_FIRST: Duration = Duration::from_millis(500);
/// Minimum of that time once remuxing has been measured; it is three times the measured duration.
pub const REMUX_MARGIN_MIN: Duration = Duration::from_millis(250);
/// Maximum of that time.
pub const REMUX_MARGIN_MAX: Duration = Duration::from_secs(5);
/// Batches are remuxed at most this long (or three batch lengths) before they are due.
pub const AIR_AHEAD: Duration = Duration::from_secs(60);
/// Largest change of speed that a plan may request, in per mille.
pub const PLAN_STRETCH_PERMILLE_MAX: u32 = 250;
/// Largest shift of audio against video that a plan may request.
pub const PLAN_OFFSET_MAX: Duration = Duration::from_secs(2);
/// Largest gain that a plan may request, in hundredths of a decibel.
pub const PLAN_GAIN_CENTIBEL_MAX: u32 = 6000;

// === demux ===

/// Most packets of one track in a batch; a batch with more is lost. 120 s of AAC at 96 kHz have 11 250.
pub const BATCH_PACKETS_MAX: usize = 200_000;
/// Most segments that are read again after a restart to go on inside the stream.
pub const RESUME_SEGMENTS_MAX: usize = 16;
/// Bytes of a segment that are read at once while it is demuxed.
pub const SEGMENT_READ_BYTES: usize = 256 << 10;
/// Notices of a demuxer that are logged per batch; the rest is a number.
pub const NOTICES_LOGGED: usize = 8;
/// Samples that decoder and encoder are given each to settle, before what is encoded of a source's sound: 170 ms at 48 kHz. Opus
/// needs 80 ms (RFC 7845 section 4.6); MP3 the bits of up to nine frames before (ISO/IEC 11172-3 section 2.4.3.1).
pub const ENCODED_SETTLE_SAMPLES: u64 = 8 * 1024;
/// Largest sound of a batch that is encoded, in bytes of the source's codec; it is in memory meanwhile. 120 s of AC-3 at 640 kb/s have
/// 9.6 MB.
pub const ENCODED_BYTES_MAX: u64 = 32 << 20;
/// A longer gap in sound that is encoded is not filled with silence.
pub const ENCODED_GAP_MAX: Duration = Duration::from_secs(1);
