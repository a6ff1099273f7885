//! Limits of reading and writing containers.

use std::time::Duration;

/// Longest measured duration of a segment that is used; above it, EXTINF is used instead.
pub const SEGMENT_MEASURED_MAX: Duration = Duration::from_secs(120);
/// Most packets in a returned file. 120 s of AAC at 96 kHz have 11 250.
pub const PROBE_PACKETS_MAX: u64 = 50_000;
/// Longest time to read a returned file. A file that takes longer was made to be slow.
pub const PROBE_TIME_MAX: Duration = Duration::from_secs(2);
/// Most table entries that the reading of a returned MP4 file may visit. A fragment with 120 s of AAC takes 32 million.
pub const PROBE_STEPS_MAX: u64 = 400_000_000;
/// Most tracks in a returned MP4 file.
pub const PROBE_TRACKS_MAX: u64 = 16;
/// Most chunks before the audio data of a returned WAV file.
pub const PROBE_CHUNKS_MAX: usize = 1024;
/// Most channels of a returned WAV file.
pub const PROBE_CHANNELS_MAX: u32 = 32;
/// Largest tags and images in a returned file, bytes.
pub const PROBE_TAGS_BYTES_MAX: usize = 2 << 20;
/// Longest time from a reply to the end of its probe, including the wait for other probes; then the reply cannot be
/// used.
pub const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Most fragments in one `output.fmp4`. Each lasts 1 s or more, so a batch of 120 s has 120 at most.
pub const OUTPUT_FRAGMENTS_MAX: usize = 1024;
/// Largest head of an `output.fmp4`, which lists the positions of its fragments, bytes.
pub const OUTPUT_HEAD_BYTES_MAX: u64 = 64 << 10;
/// Bytes of samples at which an open fragment of a batch's `video.fmp4` or `audio.fmp4` is written, without waiting for
/// its end: one more unit ([`DEMUX_UNIT_BYTES_MAX`]) may be in memory beside them. Two seconds at 8 Mb/s have as many.
pub const FRAGMENT_BYTES_MAX: usize = 2 << 20;
/// Most samples of such a fragment.
pub const FRAGMENT_SAMPLES_MAX: usize = 10_000;
/// Length of a fragment of `audio.fmp4`. One fragment per packet would double the size.
pub const FRAGMENT_AUDIO: Duration = Duration::from_secs(5);
/// A larger jump of the source's timestamps within a track is spliced out.
pub const TIMESTAMP_JUMP: Duration = Duration::from_secs(1);

/// Largest picture or MP4 sample in bytes; a larger one is discarded. Video in 4K at 100 Mb/s has key frames of some
/// MB.
pub const DEMUX_UNIT_BYTES_MAX: usize = 16 << 20;
/// Most elementary streams of one programme, and most tracks of one MP4 file; further ones are ignored.
pub const DEMUX_STREAMS_MAX: usize = 64;
/// Most programmes of one transport stream; further ones are ignored.
pub const DEMUX_PROGRAMS_MAX: usize = 64;
/// Largest parameter set (SPS, PPS, VPS) in bytes; a larger one is ignored.
pub const DEMUX_PARAMETER_SET_BYTES_MAX: usize = 4096;
/// Most parameter sets in one track, of each type in H.264 and of all types in H.265; further ones are ignored. H.264
/// allows 32 sequence and 256 picture parameter sets.
pub const DEMUX_PARAMETER_SETS_MAX: usize = 64;
/// Most bytes of all parameter sets of one track, and of a decoder configuration record; further sets are ignored, and a
/// track with a larger record is not taken. A configuration may change with each picture, and is copied each time.
pub const DEMUX_CONFIG_BYTES_MAX: usize = 16 << 10;
/// Time without a key frame, in ticks of 90 kHz, after which a picture of only intra slices counts as one, because some
/// encoders send no others.
pub const DEMUX_KEY_WAIT_TICKS: i64 = 10 * 90_000;
/// Largest PES packet of a data stream in bytes; a larger one is skipped.
pub const DEMUX_DATA_BYTES_MAX: usize = 1 << 20;
/// Largest `moov` or `moof` of a source in bytes; a larger one is skipped.
pub const DEMUX_BOX_BYTES_MAX: usize = 4 << 20;
/// Most samples of one fragment (`moof`) of a source, and most that fragments may announce beyond one for each byte that
/// arrived; 60 s of AAC at 96 kHz have 5625.
pub const DEMUX_SAMPLES_MAX: usize = 50_000;
/// Most boxes of the top level in a file whose packets are listed: of a batch with a fragment for each packet there are three
/// for each.
pub const INDEX_BOXES_MAX: usize = 600_000;
/// Most packets that are listed of one file.
pub const INDEX_PACKETS_MAX: usize = 200_000;
/// Characters of a segment's file name in messages.
pub const SEGMENT_NAME_CHARS_MAX: usize = 64;
