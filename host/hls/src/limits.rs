//! Playlists, segments, keys.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Bytes of a playlist after decompression; a larger one is refused.
pub const PLAYLIST_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a segment; a larger one is given up.
pub const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of an initialization section (EXT-X-MAP), which is held in memory once.
pub const INIT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of an answer that should be a key of 16; more than that is only read to say what came instead.
pub const KEY_BYTES_MAX: u64 = 64 * 1024;
/// Bytes that are collected before a write to disk (and decrypted at once).
pub const SEGMENT_WRITE_BYTES: usize = 256 * 1024;
/// Redirects that one request follows.
pub const REDIRECTS_MAX: usize = 5;
/// TCP and TLS set-up of one connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Idle connections kept per host.
pub const IDLE_CONNECTIONS_MAX: usize = 4;
/// Hosts of one source whose idle connections are kept; those of further ones end with their answer.
pub const HOSTS_KEPT_MAX: usize = 16;
/// An idle connection is closed after so long.
pub const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(30);

/// Playlist: from the request to the first byte.
pub const PLAYLIST_FIRST_BYTE: Duration = Duration::from_secs(10);
/// Playlist: from the request to the last byte.
pub const PLAYLIST_WHOLE: Duration = Duration::from_secs(20);
/// Playlist: tries before the stream has started; once it runs, tries never end.
pub const PLAYLIST_TRIES: u32 = 4;
/// Segment: from the request to the first byte, and the longest pause between two reads.
pub const SEGMENT_FIRST_BYTE: Duration = Duration::from_secs(10);
/// Segment: from the request to the last byte.
pub const SEGMENT_WHOLE: Duration = Duration::from_secs(120);
/// Segment: tries before it is given up.
pub const SEGMENT_TRIES: u32 = 6;
/// Key: from the request to the first byte.
pub const KEY_FIRST_BYTE: Duration = Duration::from_secs(8);
/// Key: from the request to the last byte.
pub const KEY_WHOLE: Duration = Duration::from_secs(20);
/// Key: tries before the segments that need it are given up.
pub const KEY_TRIES: u32 = 8;
/// Tries where the server says "not there" or "not allowed" (4xx): a segment may appear a moment after it was listed.
pub const REFUSED_TRIES: u32 = 3;
/// First wait of the two schedules below.
pub const RETRY_STEP: Duration = Duration::from_millis(400);
/// Waits before another request for a segment, a key or a first playlist: up to 400 ms doubling to 8 s (full jitter).
pub const REQUEST_RETRY: Schedule = Schedule::doubling(RETRY_STEP, Duration::from_secs(8)).jitter(0, 100);
/// Waits before another load of a live playlist that could not be loaded, for ever: up to 400 ms doubling to 30 s (full
/// jitter).
pub const RELOAD_RETRY: Schedule = Schedule::doubling(RETRY_STEP, Duration::from_secs(30)).jitter(0, 100);

/// A live source starts this many target durations before the end of the playlist (RFC 8216 section 6.3.3).
pub const LIVE_EDGE_TARGETS: u32 = 3;
/// A playlist without a new segment for this many target durations is stale.
pub const STALE_TARGETS: u32 = 3;
/// A playlist that went back to segments we know is an old copy for this many target durations, then a restart.
pub const OLD_COPY_TARGETS: u32 = 2;
/// A main segment waits this many target durations for its part of a separate audio rendition.
pub const AUDIO_WAIT_TARGETS: u32 = 3;
/// Refusals (4xx) of a running media playlist in a row, before the master playlist is asked for a fresh address.
pub const RELOCATE_AFTER_REFUSALS: u32 = 3;
/// Shortest time between two loads of a playlist, whatever target duration it claims.
pub const RELOAD_MIN: Duration = Duration::from_millis(500);
/// Longest time between two loads of a live playlist that is well, whatever target duration it claims.
pub const RELOAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Target duration that is believed; a longer one counts as this. All waits are multiples of it.
pub const TARGET_DURATION_MAX: Duration = Duration::from_secs(60);
/// EXTINF that is believed; a longer one counts as this.
pub const EXTINF_MAX: Duration = Duration::from_secs(3600);
/// EXT-X-MEDIA-SEQUENCE that is believed; a larger one counts as none.
pub const MEDIA_SEQUENCE_MAX: u64 = 1 << 53;
/// Segments of one playlist; a longer one is refused. 27 hours of segments of 1 s.
pub const PLAYLIST_ENTRIES_MAX: usize = 100_000;
/// Key formats in force at once in one playlist; further ones are passed over.
pub const KEY_FORMATS_MAX: usize = 16;

/// Downloads under way at once.
pub const DOWNLOADS_IN_FLIGHT: usize = 3;
/// Live: segments fetched or under way and not yet taken by the receiver; past this, the source waits.
pub const SEGMENTS_AHEAD_LIVE: usize = 64;
/// ENDLIST: the same; nothing slides away there, so little needs to lie on disk.
pub const SEGMENTS_AHEAD_VOD: usize = 4;
/// Steps of a playlist (metadata only) that wait for a download place.
pub const STEPS_WAITING_MAX: usize = 64;
/// Notices (stale, warnings) that wait for the receiver; further ones only go to the log.
pub const NOTICES_WAITING_MAX: usize = 32;
/// Decryption keys held.
pub const KEYS_MAX: usize = 16;
/// Initialization sections remembered.
pub const INITS_MAX: usize = 16;
/// Segments of the playlist remembered for finding the place after a reload.
pub const SEGMENTS_KNOWN_MAX: usize = 512;
/// Cues on one segment; further ones are dropped.
pub const CUES_PER_SEGMENT_MAX: usize = 32;
/// EXT-X-DATERANGE tags remembered, so that each is passed on once.
pub const DATERANGES_KNOWN_MAX: usize = 512;

/// Variants, and renditions, that are read of a master playlist; further ones are left out with a warning.
pub const MASTER_ENTRIES_MAX: usize = 1024;
/// Warnings told of one playlist; further ones are left out.
pub const PLAYLIST_WARNINGS_MAX: usize = 16;
/// Attributes read of one tag; further ones are left out.
pub const ATTRIBUTES_MAX: usize = 128;
/// Variables of one playlist (EXT-X-DEFINE).
pub const VARIABLES_MAX: usize = 256;
/// Bytes of a variable's name.
pub const VARIABLE_NAME_BYTES_MAX: usize = 128;
/// Bytes of a variable's value.
pub const VARIABLE_VALUE_BYTES_MAX: usize = 4096;
/// Bytes of one text (a URI, an attribute) with its variables filled in.
pub const EXPANDED_BYTES_MAX: usize = 16 * 1024;
/// Characters of a key as `data:` URI.
pub const KEY_URI_BYTES_MAX: usize = 1024;
/// Most segments before the end of the playlist that a live source can be told to start at.
pub const LIVE_EDGE_SEGMENTS_MAX: u32 = 1000;
/// Bytes before a transport stream's first packet that are left out.
pub const BYTES_BEFORE_SYNC_MAX: usize = 64 * 1024;
/// Reloads in a row under other numbers, after which a playlist's numbers are not used any more.
pub const RENUMBERED_MAX: u32 = 2;
/// EXTINF may differ from the media's own length by this much, or by a quarter of it, whichever is more.
pub const EXTINF_TOLERANCE: Duration = Duration::from_millis(500);
/// Media that lies before the live edge is skipped where a stream is to catch up and so many target durations have piled up:
/// fewer come with one slow load.
pub const CATCH_UP_TARGETS: u32 = 2;
/// Waits before a live source that ended is looked at again: 1 s doubling to 5 s.
pub const SOURCE_BACK: Schedule = Schedule::doubling(Duration::from_secs(1), Duration::from_secs(5));
