//! Limits of playlists, segments and keys.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Largest playlist after decompression, in bytes; a larger one is refused.
pub const PLAYLIST_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Largest segment in bytes; a larger one is skipped.
pub const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Largest initialization section (EXT-X-MAP) in bytes; it is held in memory once.
pub const INIT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes that are read of a response that should be a key of 16 bytes, to report what came instead.
pub const KEY_BYTES_MAX: u64 = 64 * 1024;
/// Bytes that are collected before a write to disk (and decrypted at once).
pub const SEGMENT_WRITE_BYTES: usize = 256 * 1024;
/// Redirects that one request follows.
pub const REDIRECTS_MAX: usize = 5;
/// Limit for TCP and TLS of one connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Idle connections kept per host.
pub const IDLE_CONNECTIONS_MAX: usize = 4;
/// Hosts of one source whose idle connections are kept; connections to further hosts close after their response.
pub const HOSTS_KEPT_MAX: usize = 16;
/// An idle connection is closed after this time.
pub const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(30);

/// Playlist: limit from the request to the first byte.
pub const PLAYLIST_FIRST_BYTE: Duration = Duration::from_secs(10);
/// Playlist: limit from the request to the last byte.
pub const PLAYLIST_WHOLE: Duration = Duration::from_secs(20);
/// Playlist: attempts before the stream has started; later the attempts never end.
pub const PLAYLIST_TRIES: u32 = 4;
/// Segment: limit from the request to the first byte, and between two reads.
pub const SEGMENT_FIRST_BYTE: Duration = Duration::from_secs(10);
/// Segment: limit from the request to the last byte.
pub const SEGMENT_WHOLE: Duration = Duration::from_secs(120);
/// Segment: attempts before it is skipped.
pub const SEGMENT_TRIES: u32 = 6;
/// Key: limit from the request to the first byte.
pub const KEY_FIRST_BYTE: Duration = Duration::from_secs(8);
/// Key: limit from the request to the last byte.
pub const KEY_WHOLE: Duration = Duration::from_secs(20);
/// Key: attempts before the segments that need it are skipped.
pub const KEY_TRIES: u32 = 8;
/// Attempts if the server answers with 4xx: a segment may appear a moment after it was listed.
pub const REFUSED_TRIES: u32 = 3;
/// First delay of the two schedules below.
pub const RETRY_STEP: Duration = Duration::from_millis(400);
/// Delays before retrying a segment, a key or the first playlist: up to 400 ms, doubling to 8 s (full jitter).
pub const REQUEST_RETRY: Schedule = Schedule::doubling(RETRY_STEP, Duration::from_secs(8)).jitter(0, 100);
/// Delays before reloading a live playlist that could not be loaded, without end: up to 400 ms, doubling to 30 s (full
/// jitter).
pub const RELOAD_RETRY: Schedule = Schedule::doubling(RETRY_STEP, Duration::from_secs(30)).jitter(0, 100);

/// A live source starts this many target durations before the end of the playlist (RFC 8216 section 6.3.3).
pub const LIVE_EDGE_TARGETS: u32 = 3;
/// There it starts at most this many segments before the end for each target duration, however short EXTINF says they are.
pub const EDGE_SEGMENTS_PER_TARGET: u32 = 8;
/// A playlist without a new segment for this many target durations is stale. A segment's own duration counts where it is
/// longer.
pub const STALE_TARGETS: u32 = 3;
/// A playlist that goes back to known segments counts as an old copy for this many target durations, then as a restart.
pub const OLD_COPY_TARGETS: u32 = 2;
/// A main segment waits this many target durations for its part of a separate audio rendition.
pub const AUDIO_WAIT_TARGETS: u32 = 3;
/// Consecutive 4xx responses for a running media playlist, after which the master playlist is reloaded for a new URL.
pub const RELOCATE_AFTER_REFUSALS: u32 = 3;
/// Minimum interval between two loads of a playlist, whatever its target duration.
pub const RELOAD_MIN: Duration = Duration::from_millis(500);
/// Maximum interval between two loads of a healthy live playlist, whatever its target duration. If its segments leave it in
/// less than twice the interval, the interval is half of that.
pub const RELOAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest target duration that is used; a longer one counts as this. All intervals are multiples of it.
pub const TARGET_DURATION_MAX: Duration = Duration::from_secs(60);
/// Longest EXTINF that is used; a longer one counts as this.
pub const EXTINF_MAX: Duration = Duration::from_secs(3600);
/// Largest EXT-X-MEDIA-SEQUENCE that is used; a larger one is ignored.
pub const MEDIA_SEQUENCE_MAX: u64 = 1 << 53;
/// Maximum segments of one playlist; a longer one is refused. 27 hours of segments of 1 s.
pub const PLAYLIST_ENTRIES_MAX: usize = 100_000;
/// Key formats in effect at once in one playlist; further ones are ignored.
pub const KEY_FORMATS_MAX: usize = 16;

/// Maximum number of concurrent downloads of a source.
pub const DOWNLOADS_IN_FLIGHT: usize = 3;
/// Live: segments fetched or in progress that the receiver has not taken yet; at this number the source waits.
pub const SEGMENTS_AHEAD_LIVE: usize = 64;
/// ENDLIST: segments fetched or in progress that the receiver has not taken yet; few, because no segment leaves the
/// playlist.
pub const SEGMENTS_AHEAD_VOD: usize = 4;
/// Steps of a playlist (metadata only) that wait for a download slot.
pub const STEPS_WAITING_MAX: usize = 64;
/// Notices (stale, warnings) queued for the receiver; further ones are only logged.
pub const NOTICES_WAITING_MAX: usize = 32;
/// Decryption keys that are held.
pub const KEYS_MAX: usize = 16;
/// Initialization sections that are remembered.
pub const INITS_MAX: usize = 16;
/// Segments that are remembered for finding the position after a reload.
pub const SEGMENTS_KNOWN_MAX: usize = 512;
/// Cues on one segment; further ones are dropped.
pub const CUES_PER_SEGMENT_MAX: usize = 32;
/// EXT-X-DATERANGE tags that are remembered, so that each is passed on once.
pub const DATERANGES_KNOWN_MAX: usize = 512;

/// Variants, and renditions, that are read from a master playlist; further ones are ignored with a warning.
pub const MASTER_ENTRIES_MAX: usize = 1024;
/// Warnings about one playlist; further ones are dropped.
pub const PLAYLIST_WARNINGS_MAX: usize = 16;
/// Attributes that are read from one tag; further ones are ignored.
pub const ATTRIBUTES_MAX: usize = 128;
/// Variables of one playlist (EXT-X-DEFINE).
pub const VARIABLES_MAX: usize = 256;
/// Longest name of a variable in bytes.
pub const VARIABLE_NAME_BYTES_MAX: usize = 128;
/// Longest value of a variable in bytes.
pub const VARIABLE_VALUE_BYTES_MAX: usize = 4096;
/// Longest text (a URI, an attribute) after substitution of variables, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 16 * 1024;
/// Longest key as `data:` URI, in characters.
pub const KEY_URI_BYTES_MAX: usize = 1024;
/// Largest number of segments before the end of the playlist at which a live source can be set to start.
pub const LIVE_EDGE_SEGMENTS_MAX: u32 = 1000;
/// Bytes before a transport stream's first packet that are dropped.
pub const BYTES_BEFORE_SYNC_MAX: usize = 64 * 1024;
/// Consecutive reloads with other sequence numbers, after which a playlist's numbers are ignored.
pub const RENUMBERED_MAX: u32 = 2;
/// EXTINF may differ from the media's own duration by this, or by a quarter of it, whichever is more.
pub const EXTINF_TOLERANCE: Duration = Duration::from_millis(500);
/// A stream that is set to catch up skips media before the live edge once this many target durations have accumulated;
/// one slow reload causes fewer.
pub const CATCH_UP_TARGETS: u32 = 2;
/// Delays before retrying a live source that ended: 1 s, doubling to 5 s.
pub const SOURCE_BACK: Schedule = Schedule::doubling(Duration::from_secs(1), Duration::from_secs(5));
