//! Bounds of what is read of containers, and of what is written.

use std::time::Duration;

/// Media of one segment that is believed to be measured right; above, EXTINF counts.
pub const SEGMENT_MEASURED_MAX: Duration = Duration::from_secs(120);
/// Most packets that a returned file may hold: 120 s of AAC at 96 kHz is 11 250.
pub const PROBE_PACKETS_MAX: u64 = 50_000;
/// A returned file that takes longer to read is made to.
pub const PROBE_TIME_MAX: Duration = Duration::from_secs(2);
/// Entries of its tables that reading a returned MP4 file may ask for: a fragment of 120 s of AAC takes 32 million.
pub const PROBE_STEPS_MAX: u64 = 400_000_000;
/// Tracks of a returned MP4 file.
pub const PROBE_TRACKS_MAX: u64 = 16;
/// Chunks of a returned WAV file before its sound.
pub const PROBE_CHUNKS_MAX: usize = 1024;
/// Channels of a returned WAV file.
pub const PROBE_CHANNELS_MAX: u32 = 32;
/// Bytes of tags and pictures in a returned file.
pub const PROBE_TAGS_BYTES_MAX: usize = 2 << 20;
/// From the reply to the end of reading it, the wait for others included; then it cannot be used.
pub const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Fragments of one `output.fmp4`: each lasts 1 s or more, so 120 s have 120 at most.
pub const OUTPUT_FRAGMENTS_MAX: usize = 1024;
/// Bytes at the start of an `output.fmp4` that tell where its fragments lie.
pub const OUTPUT_HEAD_BYTES_MAX: u64 = 64 << 10;

/// Bytes of one picture, one sound frame, or one PES packet of data, while it is gathered. 4K at 100 Mb/s has key frames of some MB.
pub const DEMUX_UNIT_BYTES_MAX: usize = 16 << 20;
/// Elementary streams of one programme, and tracks of one MP4 file, that are told and chosen from.
pub const DEMUX_STREAMS_MAX: usize = 64;
/// Programmes of one transport stream.
pub const DEMUX_PROGRAMS_MAX: usize = 64;
/// Bytes of one parameter set (SPS, PPS, VPS) that is kept.
pub const DEMUX_PARAMETER_SET_BYTES_MAX: usize = 4096;
/// Parameter sets of one track that are kept: H.264 has 32 sequence and 256 picture parameter sets at most.
pub const DEMUX_PARAMETER_SETS_MAX: usize = 64;
/// Time without a key frame, in ticks of 90 kHz, after which pictures of intra slices only count as one: some encoders send no other.
pub const DEMUX_KEY_WAIT_TICKS: i64 = 10 * 90_000;
/// Bytes of one PES packet of a data stream that are kept; a longer one is passed over.
pub const DEMUX_DATA_BYTES_MAX: usize = 1 << 20;
/// Bytes of one `moov` or `moof` of a source.
pub const DEMUX_BOX_BYTES_MAX: usize = 4 << 20;
/// Samples of one fragment (`moof`) of a source: 60 s of AAC at 96 kHz are 5625.
pub const DEMUX_SAMPLES_MAX: usize = 50_000;
