//! Every bound on the media path, with its unit. A queue, retry, body, file or wait without a limit here is a bug.

use std::time::Duration;

// === source ===

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
/// First step of the exponential backoff; each wait is drawn from zero to the step (full jitter).
pub const RETRY_STEP: Duration = Duration::from_millis(400);
/// Largest step of the backoff for segments and keys.
pub const RETRY_STEP_MAX: Duration = Duration::from_secs(8);
/// Largest step of the backoff for reloads of a live playlist, which are tried for ever.
pub const RELOAD_STEP_MAX: Duration = Duration::from_secs(30);

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

/// First wait before a resumed stream looks again for an origin that was away...
pub const SOURCE_AGAIN_MIN: Duration = Duration::from_secs(1);
/// ...and the longest one.
pub const SOURCE_AGAIN_MAX: Duration = Duration::from_secs(15);
/// Batches that wait between two steps; they are on disk.
pub const BATCHES_WAITING: usize = 4;
/// Events of the source that wait for the batch step.
pub const SOURCE_EVENTS_WAITING: usize = 16;
/// Time in hand for slower replies unless set: this part of a batch...
pub const CUSHION_PART: u32 = 10;
/// ...but at least this: a playlist is looked at each half target duration, so batches come that unevenly.
pub const CUSHION_MIN: Duration = Duration::from_millis(2500);
/// A stream that is resumed with media in hand starts so long after the start, so that destinations can connect.
pub const START_AFTER_RESTART: Duration = Duration::from_millis(300);
/// What is buffered at the end may take this much longer than it lasts: a destination may have to reconnect.
pub const DRAIN_SPARE: Duration = Duration::from_secs(20);
/// A destination this far behind the clock loses what it has not taken.
pub const AIR_KEEP_FOR_LATE: Duration = Duration::from_secs(60);
/// Events of destinations that wait to be journalled.
pub const AIR_EVENTS_WAITING: usize = 256;
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

/// Fragments that a processor works on at once, unless set.
pub const IN_FLIGHT_DEFAULT: usize = 3;
/// Most fragments in flight that can be set.
pub const IN_FLIGHT_MAX: usize = 32;
/// Fragments that wait for the processor, sent ones included. More are refused: the pipeline's look-ahead is far smaller.
pub const EXCHANGE_FRAGMENTS_MAX: usize = 64;
/// Largest fragment read from disk to be sent: 120 s of 48 kHz stereo PCM is 23 MB.
pub const EXCHANGE_AUDIO_MAX_BYTES: u64 = 48 << 20;
/// Largest WebSocket message taken from a processor, text or binary.
pub const EXCHANGE_FRAME_MAX_BYTES: usize = 32 << 20;
/// Most bytes of all attachments of one incoming packet.
pub const EXCHANGE_ATTACHMENTS_MAX_BYTES: usize = 48 << 20;
/// Most attachments of one packet, either way.
pub const EXCHANGE_ATTACHMENTS_MAX: usize = 16;
/// Most packets that wait to be written. More means that the processor does not read.
pub const EXCHANGE_WRITE_QUEUE_PACKETS: usize = 128;
/// Packets read ahead of their handling; further ones stay in the socket.
pub const EXCHANGE_READ_QUEUE_PACKETS: usize = 2;
/// Most events that one message may mean.
pub const EXCHANGE_EVENTS_MAX: usize = 64;
/// Longest text of a processor's (reason, note, event name) that is kept or logged.
pub const EXCHANGE_TEXT_MAX_BYTES: usize = 1024;
/// Largest metadata object kept with a reply.
pub const EXCHANGE_METADATA_MAX_BYTES: usize = 64 << 10;
/// Ids of finished fragments that are remembered, to tell late and doubled replies from unknown ones.
pub const EXCHANGE_HISTORY_MAX: usize = 256;
/// For DNS, TCP, TLS and the WebSocket upgrade together, and again for the Socket.IO handshake, unless set.
pub const EXCHANGE_CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// From the greeting to the message that means `ready`, for dialects that have one, unless set.
pub const EXCHANGE_READY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);
/// For DISCONNECT and the close frame to leave.
pub const EXCHANGE_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest ping interval, and longest ping timeout, that a server may ask for.
pub const EXCHANGE_PING_MAX: Duration = Duration::from_secs(300);
/// First wait before a reconnect.
pub const RECONNECT_MIN: Duration = Duration::from_millis(250);
/// Longest wait before a reconnect.
pub const RECONNECT_MAX: Duration = Duration::from_secs(30);
/// A connection that lived so long was a healthy one: the next reconnect starts from the first wait.
pub const RECONNECT_HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// Longest wait that a processor can ask for with `slow-down`.
pub const SLOW_DOWN_MAX: Duration = Duration::from_secs(60);
/// A connection that is lost so soon after a fragment was written is taken to have been killed by it.
pub const SUSPECT_WINDOW: Duration = Duration::from_secs(5);
/// A fragment that seemed to kill so many connections in a row is not sent again.
pub const FRAGMENT_KILLS_MAX: u32 = 2;
/// A fragment is sent at most so many times, whatever the reasons.
pub const FRAGMENT_SENDS_MAX: u32 = 6;
/// How often a fragment is sent again after the processor gave it up as worth another try.
pub const FRAGMENT_RETRIES: u32 = 1;
/// Failures in a row that open the breaker, unless set.
pub const BREAKER_FAILURES_DEFAULT: u32 = 5;
/// How long the open breaker waits before it lets one fragment through, unless set.
pub const BREAKER_PROBE_AFTER_DEFAULT: Duration = Duration::from_secs(30);
/// Most packets that a returned file may hold: 120 s of AAC at 96 kHz is 11 250.
pub const PROBE_PACKETS_MAX: u64 = 50_000;
/// A returned file that takes longer to read is made to.
pub const PROBE_TIME_MAX: Duration = Duration::from_secs(2);

// --- the echo processor ---

/// Largest frame that the echo processor takes, unless set.
pub const ECHO_PAYLOAD_DEFAULT_BYTES: u64 = 32 << 20;
/// Longest that an answer is held back for the next one to overtake it.
pub const ECHO_REORDER_MAX: Duration = Duration::from_secs(5);
/// Fragments whose visits are counted.
pub const ECHO_FRAGMENTS_REMEMBERED: usize = 4096;
/// For connections to end when the echo processor stops.
pub const ECHO_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

// === air ===

/// Packets due within this time leave in one write: about 20 writes and timer wake-ups a second per destination.
pub const AIR_QUANTUM: Duration = Duration::from_millis(50);
/// One write holds at most this many bytes of packets (and one packet more).
pub const AIR_WRITE_BYTES: usize = 256 * 1024;
/// Bytes of a batch's file that are read ahead at a time, twice per destination; a longer packet is read alone.
pub const AIR_READ_AHEAD: u64 = 256 * 1024;
/// Slowest and fastest rate at which the air clock leans.
pub const AIR_LEAN_MIN: f64 = 0.95;
/// See [`AIR_LEAN_MIN`].
pub const AIR_LEAN_MAX: f64 = 1.05;
/// Fastest rate of the air clock after an outage of our own.
pub const AIR_CATCH_UP_MAX: f64 = 1.25;
/// The clock standing still for less is not counted as a stall.
pub const AIR_STALL_MIN: Duration = Duration::from_millis(5);
/// How much faster than the clock a destination sends what it is behind.
pub const AIR_BACKLOG_SPEED: f64 = 2.0;
/// A destination that is further behind sends its backlog at [`AIR_BACKLOG_SPEED`], one that is less behind at once.
pub const AIR_BACKLOG_FROM: Duration = Duration::from_secs(1);
/// A destination that is further behind skips to a key frame, unless set.
pub const AIR_MAX_LAG_DEFAULT: Duration = Duration::from_secs(30);
/// A packet that leaves later than this after its time is counted as late.
pub const AIR_LATE_AFTER: Duration = Duration::from_secs(1);
/// A destination is on air while its last packet left less than this ago.
pub const AIR_ON_AIR_WINDOW: Duration = Duration::from_secs(3);
/// Positions between key frames, and of streams without pictures, are journalled this often.
pub const AIR_POSITION_EVERY: Duration = Duration::from_secs(1);
/// A journal call or a full event queue holds packets back for at most this long; then they go without.
pub const AIR_JOURNAL_WAIT: Duration = Duration::from_millis(500);
/// Places in a session that a reconnect may resume at; the oldest is given up first.
pub const AIR_MARKS_MAX: usize = 1024;
/// With a server that acknowledges nothing, what was written longer ago than this is taken as received.
pub const AIR_UNACKED_GRACE: Duration = Duration::from_secs(5);
/// The status that others see is at most this old.
pub const AIR_STATUS_EVERY: Duration = Duration::from_millis(250);
/// The session is opened this long before the first packet is due.
pub const AIR_CONNECT_AHEAD: Duration = Duration::from_secs(3);

/// TCP connection and name resolution of a destination; the TLS handshake has the same again.
pub const AIR_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// RTMP handshake.
pub const AIR_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Answer to each of connect, createStream and publish.
pub const AIR_COMMAND_TIMEOUT: Duration = Duration::from_secs(8);
/// A write that makes no end in this time ends the session: the receiver is stalled.
pub const AIR_WRITE_TIMEOUT: Duration = Duration::from_secs(6);
/// A server that has acknowledged before and stops to, while more than two of its steps are under way, is stalled.
pub const AIR_ACK_TIMEOUT: Duration = Duration::from_secs(8);
/// Clean end of a session: unpublish, flush, wait until the receiver has closed.
pub const AIR_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// A write that is under way when we are told to stop has this long to end.
pub const AIR_STOP_GRACE: Duration = Duration::from_secs(1);
/// First wait before a reconnect, doubled each time, with jitter.
pub const AIR_RECONNECT_MIN: Duration = Duration::from_millis(100);
/// Longest wait before a reconnect while an outage is young, see [`AIR_RECONNECT_EAGER_FOR`].
pub const AIR_RECONNECT_EAGER_MAX: Duration = Duration::from_secs(1);
/// An outage is young for this long.
pub const AIR_RECONNECT_EAGER_FOR: Duration = Duration::from_secs(30);
/// Longest wait before a reconnect.
pub const AIR_RECONNECT_MAX: Duration = Duration::from_secs(15);
/// A session that lasted this long was good: the next outage starts anew.
pub const AIR_SESSION_GOOD: Duration = Duration::from_secs(5);
/// Wait after "stream busy": the server has not yet noticed that the last session is gone (SRS: 4-10 s).
pub const AIR_BUSY_WAIT: Duration = Duration::from_millis(1200);
/// "Stream busy" is expected for this long after a session was lost.
pub const AIR_BUSY_FOR: Duration = Duration::from_secs(15);

/// Chunk size that we announce: nearly every packet in one chunk; nginx-rtmp, SRS and the large services take it.
pub const RTMP_CHUNK_BYTES: usize = 60_000;
/// Bytes after which the server is asked to acknowledge: 0.4 s of a 5 Mb/s stream.
pub const RTMP_ACK_WINDOW: u32 = 256 * 1024;
/// Longest message that a server may send us, in bytes: commands are some hundred.
pub const RTMP_MESSAGE_MAX: usize = 256 * 1024;
/// Chunk streams that a server may use towards us.
pub const RTMP_CHUNK_STREAMS_MAX: usize = 32;
/// Depth to which values in a server's message may nest.
pub const AMF_DEPTH_MAX: usize = 8;
/// Values in a server's message.
pub const AMF_VALUES_MAX: usize = 512;

/// Bytes of a receiver ffmpeg's stderr that are kept for the error: its end.
pub const AIR_STDERR_BYTES: usize = 2048;

// === stages ===

/// Largest component file: Python stages have 18 MB, JavaScript ones 12 MB.
pub const STAGE_COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// Stage instances in one host unless set: about 80 pipelines.
pub const STAGE_INSTANCES_DEFAULT: u32 = 256;
/// Most memory that one instance can be given.
pub const STAGE_MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Memory of one instance unless set: two minutes of WAV audio, in, out and in between.
pub const STAGE_MEMORY_BYTES_DEFAULT: u64 = 128 << 20;
/// Time of execution in one call unless set. A call takes microseconds, milliseconds in Python.
pub const STAGE_CALL_CPU_DEFAULT: Duration = Duration::from_millis(500);
/// Time from start to end of one call unless set.
pub const STAGE_CALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// Time to start an instance and open it unless set: a language's runtime may start up in it.
pub const STAGE_OPEN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Size of a snapshot unless set.
pub const STAGE_SNAPSHOT_BYTES_DEFAULT: u64 = 64 << 10;
/// How long a guest runs before others get their turn.
pub const STAGE_EPOCH_TICK: Duration = Duration::from_millis(10);
/// Data that a guest may hand to the host in one call, bytes: the largest message, and room for what is around it.
pub const STAGE_ANSWER_BYTES_MAX: u64 = 72 << 20;
/// WASI resources (streams, timers) that an instance may hold at once.
pub const STAGE_HANDLES_MAX: usize = 256;
/// Problems with settings that are kept of an answer.
pub const STAGE_PROBLEMS_MAX: usize = 64;
/// Call stack of a guest, bytes.
pub const STAGE_STACK_BYTES: usize = 1 << 20;
/// Core instances in one component: languages with dynamic libraries have dozens.
pub const STAGE_CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Linear memories in one component.
pub const STAGE_MEMORIES_PER_COMPONENT: u32 = 4;
/// Tables in one component.
pub const STAGE_TABLES_PER_COMPONENT: u32 = 16;
/// Elements in one table.
pub const STAGE_TABLE_ELEMENTS: usize = 20_000;
/// Longest line of a guest's output that is kept.
pub const STAGE_LOG_LINE_BYTES: usize = 1024;
/// Lines that one instance may write to the log in a minute; the rest is counted.
pub const STAGE_LOG_LINES_PER_MINUTE: u32 = 60;
/// Size of the cache of compiled components on disk; the least recently written go first.
pub const STAGE_AOT_BYTES_MAX: u64 = 1 << 30;
/// Rest after a stage's second failure; doubles with each further one.
pub const STAGE_REST_MIN: Duration = Duration::from_secs(1);
/// Longest rest of a stage that keeps failing.
pub const STAGE_REST_MAX: Duration = Duration::from_secs(60);
/// A stage that ran so long without a failure starts its count anew.
pub const STAGE_HEALTHY_AFTER: Duration = Duration::from_secs(120);
/// Most segments that a batch may have, whatever their durations.
pub const BATCH_SEGMENTS_MAX: usize = 512;
/// Longest name of a Socket.IO event, bytes.
pub const FRAMING_EVENT_NAME_BYTES_MAX: usize = 128;
/// Most messages that one call of a framing stage may send.
pub const FRAMING_MESSAGES_MAX: usize = 16;
/// Most events that one message may decode to.
pub const FRAMING_EVENTS_MAX: usize = 64;
/// Largest message, arguments and attachments together.
pub const FRAMING_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Largest metadata of a reply, as JSON text.
pub const FRAMING_METADATA_BYTES_MAX: usize = 256 << 10;
/// Longest identifier in an event, bytes.
pub const FRAMING_ID_BYTES_MAX: usize = 512;
/// Longest wait that a processor may ask for between fragments.
pub const FRAMING_SLOW_DOWN_MS_MAX: u32 = 60_000;
/// Longest text of a stage's that is kept: notes and reasons, characters.
pub const STAGE_TEXT_CHARS_MAX: usize = 500;
/// Bit rates that a plan may ask for, bits per second.
pub const REMUX_BITRATES: std::ops::RangeInclusive<u32> = 16_000..=512_000;

// === store ===

// === control plane ===

/// Events of a pipeline that a listener may be behind; then it loses the oldest.
pub const PIPELINE_EVENTS_WAITING: usize = 512;
/// Steps of batches that a listener may be behind; then it loses the oldest.
pub const BATCH_STEPS_WAITING: usize = 256;
/// First wait before a pipeline that failed is started again; doubled each time.
pub const PIPELINE_AGAIN_MIN: Duration = Duration::from_secs(1);
/// Longest wait before a pipeline that failed is started again.
pub const PIPELINE_AGAIN_MAX: Duration = Duration::from_secs(60);
/// A pipeline that ran so long was a good one: the next wait is the first again.
pub const PIPELINE_GOOD_AFTER: Duration = Duration::from_secs(60);
/// A pipeline's status is made anew this often while it runs, so that nobody takes old numbers for new ones...
pub const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
/// ...and after a change, but not more often than this.
pub const SNAPSHOT_EVERY_MIN: Duration = Duration::from_millis(50);
/// Events of one pipeline that wait to be written down; further ones only go to the log.
pub const NOTES_WAITING: usize = 256;

// === database ===

/// Writes that may wait for the one writer; callers wait beyond that.
pub const DATABASE_WRITES_WAITING: usize = 256;
/// Reads that may wait for a reader; callers wait beyond that.
pub const DATABASE_READS_WAITING: usize = 256;
/// Threads that read: one long answer does not hold up the short ones.
pub const DATABASE_READERS: usize = 3;
/// How long a write waits for another process that writes, such as `outboard token create`.
pub const DATABASE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to open the database while another process makes or closes it.
pub const DATABASE_BUSY_STEP: Duration = Duration::from_millis(5);
/// Size to which the write-ahead log is cut back, bytes.
pub const DATABASE_WAL_BYTES: u64 = 64 << 20;
/// Statements that a connection keeps prepared.
pub const DATABASE_STATEMENTS: usize = 96;
/// Batches that stay in the journal, counted back from the newest, after their files are gone: a day of 30 s each.
pub const BATCH_HISTORY_ROWS: u64 = 2880;
/// Rows of a list that one call answers at most.
pub const PAGE_ROWS_MAX: usize = 500;

// === logs and metrics ===

/// Lines of a stream that are kept in memory...
pub const LOG_RING_RECORDS: usize = 1000;
/// ...and their bytes.
pub const LOG_RING_BYTES: usize = 512 << 10;
/// Bytes of all lines in memory; with many streams each keeps less.
pub const LOG_HUB_BYTES: usize = 64 << 20;
/// Streams whose lines are kept in memory; beyond it the quietest of the tenant that has most are let go.
pub const LOG_RINGS_MAX: usize = 1024;
/// Bytes of a line's message; a longer one is cut.
pub const LOG_MESSAGE_BYTES_MAX: usize = 4096;
/// Bytes of a field's text; a longer one is cut.
pub const LOG_VALUE_BYTES_MAX: usize = 1024;
/// Fields of a line, those of the spans around it included; further ones are left out.
pub const LOG_FIELDS_MAX: usize = 24;
/// Lines that one stream may write in a second...
pub const LOG_LINES_PER_SECOND: u32 = 100;
/// ...and at once, after a quiet time.
pub const LOG_LINES_BURST: u32 = 1000;
/// Lines that all streams of a tenant may write in a second...
pub const LOG_TENANT_LINES_PER_SECOND: u32 = 300;
/// ...and at once.
pub const LOG_TENANT_LINES_BURST: u32 = 3000;
/// Lines that the host may write for itself in a second...
pub const LOG_HOST_LINES_PER_SECOND: u32 = 1000;
/// ...and at once.
pub const LOG_HOST_LINES_BURST: u32 = 5000;
/// How often lines that were left out are told.
pub const LOG_TELL_EVERY: Duration = Duration::from_secs(1);
/// Readers of live feeds are woken at most this often.
pub const LOG_WAKE_EVERY: Duration = Duration::from_millis(50);
/// Lines that wait to be written to files; further ones are not written, and counted.
pub const LOG_QUEUE_LINES: usize = 8192;
/// Bytes of a log file; then the next one is begun.
pub const LOG_FILE_BYTES: u64 = 4 << 20;
/// Full log files that are kept of a stream, besides the one that is being written.
pub const LOG_FILES: usize = 4;
/// Log files that are open at once.
pub const LOG_FILES_OPEN: usize = 64;
/// A log file that cannot be written is tried again after this.
pub const LOG_FILE_RETRY: Duration = Duration::from_secs(10);
/// For lines to reach their files at the end of the process.
pub const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a text that lines are searched for; a longer one is found nowhere.
pub const LOG_TEXT_FILTER_BYTES: usize = 256;
/// Lines in one answer, and lines that a feed begins with.
pub const LOG_QUERY_MAX: usize = 1000;
/// Lines that one run of ffmpeg may write to the log; the rest is counted.
pub const FFMPEG_LOG_LINES: u64 = 20;
/// Lines that the ffmpeg of a destination may write to the log in a minute; the rest is counted.
pub const FFMPEG_LOG_LINES_PER_MINUTE: u32 = 30;
/// Bytes of a line of ffmpeg's; a longer one is cut.
pub const FFMPEG_LOG_LINE_BYTES: usize = 1024;
/// Bytes of a label's value; a longer one is cut.
pub const METRICS_LABEL_BYTES_MAX: usize = 256;
/// Batches between complete and on air whose time is measured; beyond it the oldest are not.
pub const METRICS_BATCHES_UNDER_WAY_MAX: usize = 256;

// === registry ===

/// Revisions of a pipeline's settings that are kept, the newest.
pub const REVISIONS_KEPT: u64 = 100;
/// Rows of the audit log that are kept, for each tenant and for the host.
pub const AUDIT_ROWS_KEPT: u64 = 10_000;
/// Events that are kept, for each stream, for each tenant itself and for the host.
pub const EVENTS_KEPT: u64 = 1000;
/// Deliveries that are kept for each webhook; one that is older than that many is not tried any more.
pub const DELIVERIES_KEPT: u64 = 1000;
/// Rows above such a bound that may be there before the oldest are removed, all at once.
pub const PRUNE_EVERY: u64 = 64;
/// Events that one call writes.
pub const EVENTS_AT_ONCE_MAX: usize = 512;
/// Bytes of an event's detail as JSON; a larger one is left out.
pub const EVENT_DETAIL_BYTES_MAX: usize = 16 << 10;
/// Characters of a text that is kept: an event's message, a note, why a delivery failed.
pub const KEPT_TEXT_CHARS_MAX: usize = 1000;
/// Bytes of a pipeline's settings as JSON.
pub const SETTINGS_BYTES_MAX: usize = 256 << 10;
/// Differences that are named when something is not as it was asked for.
pub const DIFFERENCES_MAX: usize = 16;
/// Tenants on a host.
pub const TENANTS_MAX: u64 = 10_000;
/// Tokens that can be used, for each tenant and for the host.
pub const TOKENS_MAX: u64 = 256;
/// Revoked tokens that are still listed, for each tenant and for the host.
pub const REVOKED_TOKENS_KEPT: u64 = 64;
/// Webhooks of a tenant.
pub const WEBHOOKS_MAX: u64 = 16;

/// What is known of a token is looked up again after this long: a token revoked by another process ends within it.
pub const TOKEN_FRESH: Duration = Duration::from_secs(1);
/// Tokens that are remembered.
pub const TOKENS_REMEMBERED: usize = 4096;
/// Unknown tokens that are remembered as such.
pub const UNKNOWN_TOKENS_REMEMBERED: usize = 4096;
/// Unknown tokens that are looked up in the database at once.
pub const TOKEN_LOOKUPS_AT_ONCE: usize = 2;
/// How long an unknown token waits for its turn to be looked up.
pub const TOKEN_LOOKUP_WAIT: Duration = Duration::from_secs(2);
/// A token's last use is written this often at most.
pub const TOKEN_USE_WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// A connection's token is looked at again this often; what this process changes counts at once.
pub const TOKEN_RECHECK: Duration = Duration::from_secs(10);
/// Longest life of a token that expires, days.
pub const TOKEN_DAYS_MAX: u64 = 3650;

// === quotas ===

/// Most pipelines that a tenant can be given.
pub const QUOTA_PIPELINES_MAX: u32 = 1000;
/// Most destinations of a pipeline that a tenant can be given.
pub const QUOTA_DESTINATIONS_MAX: u32 = 16;
/// Least storage of a tenant, bytes: a few batches.
pub const QUOTA_STORAGE_MIN: u64 = 100 << 20;
/// Most storage of a tenant, bytes.
pub const QUOTA_STORAGE_MAX: u64 = 1 << 50;
/// Least memory of a stage instance, bytes: Python's own needs.
pub const QUOTA_STAGE_MEMORY_MIN: u64 = 32 << 20;
/// Most fragments in flight that a tenant can be given.
pub const QUOTA_FRAGMENTS_MAX: u32 = 16_000;
/// Most ffmpeg processes at once that a tenant can be given.
pub const QUOTA_FFMPEG_MAX: u32 = 256;
/// Events that wait for the one task that writes them down; pipelines' own queues wait beyond that.
pub const EVENTS_WAITING: usize = 256;
/// Events that a subscriber may be behind; then it loses the oldest.
pub const EVENTS_LISTENED: usize = 1024;
/// For pipelines to stop when the server ends, and again to be ended at once.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

// === HTTP ===

/// Largest body of a request unless an address says otherwise, bytes.
pub const API_BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body of a REST call, bytes.
pub const REST_BODY_BYTES_MAX: usize = 64 << 10;
/// A response begins within this time or is given up.
pub const API_ANSWER_MAX: Duration = Duration::from_secs(60);
/// Connections at a time; further ones wait in the system's queue.
pub const API_CONNECTIONS_MAX: usize = 8192;
/// Wait before the next connection is taken, after one could not be.
pub const API_ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A connection without a whole request head for so long is closed.
pub const API_HEAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Largest request line with all headers, bytes.
pub const API_HEAD_BYTES_MAX: usize = 64 << 10;
/// Requests that are under way when the server stops have so long to end.
pub const API_CLOSE_MAX: Duration = Duration::from_secs(5);
/// How long a browser may keep what another origin may do.
pub const API_PREFLIGHT_KEPT: Duration = Duration::from_secs(600);
/// Failed sign-ins that are answered as such at once; then only one each [`SIGN_IN_AGAIN`]. Right tokens always get in.
pub const SIGN_IN_FAILURES: u32 = 20;
/// One more failed sign-in is allowed after so long.
pub const SIGN_IN_AGAIN: Duration = Duration::from_secs(3);
/// Health is looked at at most this often, however many ask.
pub const HEALTH_CHECK_EVERY: Duration = Duration::from_secs(1);
/// A database that does not answer within this time is told to be broken.
pub const HEALTH_CHECK_MAX: Duration = Duration::from_secs(3);
/// Finished batches of each pipeline that cleaning by hand leaves, unless told otherwise.
pub const REST_CLEAN_KEEPS: u32 = 5;
/// Names and reasons that one REST answer lists.
pub const REST_NAMES_SHOWN: usize = 20;
// === network ===

/// Entries in each list of a network policy.
pub const NET_RULES_MAX: usize = 256;
/// A name that is not looked up by then is given up.
pub const NET_LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Lookups under way at once for one tenant's guard; each holds a thread until the name server answers.
pub const NET_LOOKUPS_AT_ONCE: usize = 8;
/// Addresses of one name that are tried.
pub const NET_ADDRESSES_MAX: usize = 16;
/// An address that has not answered by then gets company from the next one.
pub const NET_CONNECT_STAGGER: Duration = Duration::from_millis(300);
// === storage and the ffmpeg queue ===

/// ffmpeg processes of all pipelines at once, unless set: this many a core, since one
/// computes while another waits for the disk.
pub const FFMPEG_PROCESSES_PER_CORE: usize = 2;
/// Fewest that can be set: a hung run must not stop all others.
pub const FFMPEG_PROCESSES_MIN: usize = 2;
/// Most that can be set.
pub const FFMPEG_PROCESSES_MAX: usize = 256;
/// Runs of one tenant that wait for their turn; a pipeline has at most three, so more are refused.
pub const FFMPEG_WAITING_MAX: usize = 256;
/// A run without a deadline takes its place in the queue as if it were due so long after it came.
pub const FFMPEG_SOFT_WAIT: Duration = Duration::from_secs(3);

/// Running pipelines' files are counted this often, and the bounds of the storage looked at.
pub const STORAGE_LOOK_EVERY: Duration = Duration::from_secs(5);
/// All files are counted this often, those of streams included that nobody runs.
pub const STORAGE_LOOK_ALL_EVERY: Duration = Duration::from_secs(60);
/// Bytes of the disk that stay free unless set (`storage.min_free`)...
pub const STORAGE_MIN_FREE_BYTES: u64 = 512 << 20;
/// ...or this part of a small one (5 %).
pub const STORAGE_MIN_FREE_PART: u64 = 20;
/// Fetching begins again, and all is well, once a bound is away by this part of it (10 %).
pub const STORAGE_CALM_PART: u64 = 10;
/// A bound that cleaning keeps from being passed is told to be well only after so long without coming near it.
pub const STORAGE_CALM_AFTER: Duration = Duration::from_secs(60);
/// Batches that are removed in one go.
pub const CLEAN_AT_ONCE: usize = 64;
/// Batches that a preview of cleaning lists.
pub const CLEAN_PLAN_MAX: usize = 10_000;
/// Initialization sections of a stream that are let be: they are small, and mostly there are one or two.
pub const INITS_KEPT_MIN: usize = 16;
/// An initialization section that was not used for so long goes, once no segment on disk needs it.
pub const INIT_UNUSED_FOR: Duration = Duration::from_secs(3600);
/// A stream's initialization sections are looked at this often.
pub const INITS_LOOK_EVERY: Duration = Duration::from_secs(600);
/// A live source's segments wait for room until so long after it ran out; then they are passed over. Demuxing that a full
/// disk refuses is tried for as long.
pub const ROOM_PATIENCE: Duration = Duration::from_secs(10);
/// Remuxing that was refused by a full disk is tried again until its batch is due, and at least so often...
pub const DISK_FULL_TRIES: u32 = 3;
/// ...after so long, where nothing could be removed.
pub const DISK_FULL_WAIT: Duration = Duration::from_secs(1);
/// A step of a batch waits so long for a journal that the disk refuses; then the stream goes on without it.
pub const JOURNAL_PATIENCE: Duration = Duration::from_millis(500);
/// Steps of one pipeline that wait to be journalled while the disk refuses; beyond, the pipeline ends.
pub const JOURNAL_LATE_MAX: usize = 4096;
/// Events of the storage that wait to be written down; further ones only go to the log.
pub const STORAGE_EVENTS_WAITING: usize = 256;

// === dry run ===

/// Dry runs that a tenant may have under way.
pub const DRY_RUNS_PER_TENANT: usize = 2;
/// Requests for a playlist, segment or key in a dry run.
pub const DRY_RUN_TRIES: u32 = 2;
/// For the playlists of a source.
pub const DRY_RUN_PLAYLIST_LIMIT: Duration = Duration::from_secs(20);
/// For the first segment and for ffmpeg to take it apart, or two target durations where those are longer.
pub const DRY_RUN_MEDIA_LIMIT: Duration = Duration::from_secs(30);
/// For the connection to the processor and the handshake.
pub const DRY_RUN_PROCESSOR_LIMIT: Duration = Duration::from_secs(15);
/// For a processor that was greeted to say that it is ready.
pub const DRY_RUN_READY_WAIT: Duration = Duration::from_secs(1);
/// For a destination: name, connection, TLS, handshake, two commands.
pub const DRY_RUN_DESTINATION_LIMIT: Duration = Duration::from_secs(15);
/// For a folder of this machine.
pub const DRY_RUN_FILE_LIMIT: Duration = Duration::from_secs(5);
/// To load and open a stage: a component that was never used here is compiled first.
pub const DRY_RUN_STAGE_LIMIT: Duration = Duration::from_secs(60);
/// Fragments of one `output.fmp4`: at least [`OUTPUT_FRAGMENT_MIN`] each, so 120 s have 120.
pub const OUTPUT_FRAGMENTS_MAX: usize = 1024;
/// Bytes at the start of an `output.fmp4` that tell where its fragments lie.
pub const OUTPUT_HEAD_BYTES_MAX: u64 = 64 << 10;
/// Shortest fragment of an `output.fmp4`; it ends with the next key frame.
pub const OUTPUT_FRAGMENT_MIN: Duration = Duration::from_secs(1);
/// Media time that a preview of a running pipeline goes back.
pub const PREVIEW_WINDOW: Duration = Duration::from_secs(180);
/// Batches that a preview is made of.
pub const PREVIEW_BATCHES_MAX: usize = 100;
/// Fragments in a preview's playlist.
pub const PREVIEW_FRAGMENTS_MAX: usize = 2000;
/// Components in the host's store that are listed.
pub const COMPONENTS_LISTED_MAX: usize = 64;

// === GraphQL ===

/// Bytes of a request's body.
pub const GRAPHQL_BODY_BYTES_MAX: usize = 256 << 10;
/// From a request's head to the end of its body.
pub const GRAPHQL_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// For a query or mutation to be answered; a dry run fetches and connects.
pub const GRAPHQL_ANSWER_TIMEOUT: Duration = Duration::from_secs(50);
/// Brackets in brackets in a request's text, those of values included. The parser takes some stack for each.
pub const GRAPHQL_BRACKETS_MAX: usize = 48;
/// Operations in one request, of which one is run.
pub const GRAPHQL_OPERATIONS_MAX: usize = 10;
/// Fields at the root of an operation.
pub const GRAPHQL_ROOT_FIELDS_MAX: usize = 24;
/// Fields and spreads, those of fragments counted each time that they are spread.
pub const GRAPHQL_SELECTIONS_MAX: usize = 1000;
/// Fields below each other: introspection takes 15.
pub const GRAPHQL_DEPTH_MAX: usize = 16;
/// Fields and fragments below each other.
pub const GRAPHQL_NESTING_MAX: usize = 28;
/// Fields that are given another name.
pub const GRAPHQL_ALIASES_MAX: usize = 48;
/// Directives in one place.
pub const GRAPHQL_DIRECTIVES_MAX: usize = 8;
/// Lists of types, fields and the like below each other in introspection: each multiplies the answer.
pub const GRAPHQL_INTROSPECTION_LISTS_MAX: usize = 2;
/// Values that an answer may come to, by the sizes that lists are asked for or usually have.
pub const GRAPHQL_COMPLEXITY_MAX: usize = 20_000;
/// Things that a list without pages counts for.
pub const GRAPHQL_LIST_COST: usize = 20;
/// Things in a page unless asked for.
pub const GRAPHQL_PAGE_DEFAULT: usize = 20;
/// Things in a page.
pub const GRAPHQL_PAGE_MAX: usize = 200;
/// Queries and mutations of one tenant under way at once.
pub const GRAPHQL_ANSWERS_MAX: usize = 64;
/// Subscriptions of one tenant at once, over all its connections.
pub const GRAPHQL_SUBSCRIPTIONS_MAX: usize = 2000;
/// WebSocket connections of one tenant at once.
pub const GRAPHQL_SOCKETS_MAX: usize = 2000;
/// WebSocket connections that have not said yet who they are.
pub const GRAPHQL_GREETINGS_MAX: usize = 256;
/// Operations of one WebSocket connection at once.
pub const GRAPHQL_SOCKET_OPERATIONS_MAX: usize = 128;
/// Bytes of a client's name for an operation.
pub const GRAPHQL_OPERATION_ID_BYTES_MAX: usize = 128;
/// Bytes of a WebSocket message from a client.
pub const GRAPHQL_MESSAGE_BYTES_MAX: usize = GRAPHQL_BODY_BYTES_MAX;
/// Bytes that a WebSocket connection reads at once; each has such a buffer for as long as it lasts.
pub const GRAPHQL_SOCKET_READ_BYTES: usize = 4 << 10;
/// Bytes that wait to be written to a WebSocket connection, beyond the answer that is being written.
pub const GRAPHQL_SOCKET_WRITE_BYTES_MAX: usize = 16 << 20;
/// For a client to say who it is, once its WebSocket is open.
pub const GRAPHQL_INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client to take a message; one that does not is let go of.
pub const GRAPHQL_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between signs of life to a client that hears nothing else; one that gives none itself in that time is let go of.
pub const GRAPHQL_PING_EVERY: Duration = Duration::from_secs(15);
/// Lines of the log in one answer of a subscription...
pub const GRAPHQL_LOG_LINES_AT_ONCE: usize = 200;
/// ...and answers come at most this often.
pub const GRAPHQL_LOG_UPDATE_EVERY: Duration = Duration::from_millis(200);
/// Between two looks at the storage, in seconds, unless asked for.
pub const GRAPHQL_STORAGE_EVERY_SECONDS: u32 = 10;
/// Between two looks at the server, in seconds, unless asked for.
pub const GRAPHQL_SERVER_EVERY_SECONDS: u32 = 5;
/// Longest time between two looks that can be asked for, in seconds.
pub const GRAPHQL_EVERY_SECONDS_MAX: u32 = 3600;

// === webhooks ===

/// Requests to receivers under way at once; each is a socket and a small task.
pub const WEBHOOK_SENDINGS_MAX: usize = 256;
/// Requests of one tenant under way at once; the others of its webhooks wait.
pub const WEBHOOK_TENANT_SENDINGS_MAX: usize = 4;
/// A receiver that has not answered by then has failed.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// A delivery that was claimed and never heard of again is due again after this: longer than a request may take.
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(60);
/// The queue is looked at this often even if nobody says that something is due.
pub const WEBHOOK_LOOK_EVERY: Duration = Duration::from_secs(5);
/// At the end of the process, for requests that are under way; what is cut off is sent again by the next start.
pub const WEBHOOK_STOP_LIMIT: Duration = Duration::from_secs(2);
/// Waits between the attempts of one delivery: 16 hours in all, then it is given up.
pub const WEBHOOK_WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
    Duration::from_secs(8 * 3600),
];
/// Part of a wait by which it is made longer or shorter at random.
pub const WEBHOOK_JITTER: f64 = 0.2;

// === SRS ===

/// SRS's API is asked this often about each destination that has one.
pub const SRS_ASK_EVERY: Duration = Duration::from_secs(2);
/// An API that has not answered by then has no view.
pub const SRS_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of one answer; a stream takes about 700.
pub const SRS_ANSWER_BYTES_MAX: usize = 1 << 20;
/// Streams in one page of SRS's list.
pub const SRS_PAGE_STREAMS: usize = 500;
/// Pages in which a stream is looked for.
pub const SRS_PAGES_MAX: usize = 8;
