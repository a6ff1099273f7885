//! Limits of destinations and of the air clock.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Packets due within this time are sent in one write: about 20 writes and timer wake-ups per second and destination.
pub const AIR_QUANTUM: Duration = Duration::from_millis(50);
/// Maximum bytes of packets in one write (plus one packet).
pub const AIR_WRITE_BYTES: usize = 256 * 1024;
/// Bytes of a batch's file that are read ahead at a time, twice per destination; a longer packet is read alone.
pub const AIR_READ_AHEAD: u64 = 256 * 1024;
/// Slowest rate to which the air clock adjusts in normal operation.
pub const AIR_RATE_MIN: f64 = 0.95;
/// Fastest rate to which the air clock adjusts in normal operation.
pub const AIR_RATE_MAX: f64 = 1.05;
/// Fastest rate of the air clock after an outage of our own.
pub const AIR_CATCH_UP_MAX: f64 = 1.25;
/// A shorter standstill of the clock is not counted as a stall.
pub const AIR_STALL_MIN: Duration = Duration::from_millis(5);
/// Speed, relative to the clock, at which a destination sends its backlog.
pub const AIR_BACKLOG_SPEED: f64 = 2.0;
/// A destination that is further behind sends its backlog at [`AIR_BACKLOG_SPEED`]; one that is less behind sends it at
/// once.
pub const AIR_BACKLOG_FROM: Duration = Duration::from_secs(1);
/// Default lag after which a destination skips to a key frame.
pub const AIR_MAX_LAG_DEFAULT: Duration = Duration::from_secs(30);
/// A packet that is sent later than this after its time is counted as late.
pub const AIR_LATE_AFTER: Duration = Duration::from_secs(1);
/// A destination is on air if its last packet was sent less than this ago.
pub const AIR_ON_AIR_WINDOW: Duration = Duration::from_secs(3);
/// A session on which nothing was sent for this long is idle; if it is lost then, neither a loss nor a fault of the
/// receiver is counted.
pub const AIR_IDLE_AFTER: Duration = Duration::from_secs(3);
/// Interval for journalling positions between key frames, and for streams without video.
pub const AIR_POSITION_EVERY: Duration = Duration::from_secs(1);
/// A journal call or a full event queue delays packets by at most this; then they are sent without it.
pub const AIR_JOURNAL_WAIT: Duration = Duration::from_millis(500);
/// Positions in a session at which a reconnect may resume; the oldest is dropped first.
pub const AIR_MARKS_MAX: usize = 1024;
/// With a server that acknowledges nothing, bytes written longer ago than this count as received.
pub const AIR_UNACKED_GRACE: Duration = Duration::from_secs(5);
/// Shortest time from one new output to the next where new sequence headers need new outputs, so that a source that changes
/// its configuration all the time does not start processes without end.
pub const AIR_RENEW_EVERY: Duration = Duration::from_secs(1);
/// Maximum age of the published status.
pub const AIR_STATUS_EVERY: Duration = Duration::from_millis(250);
/// Time before the first packet is due at which the session is opened.
pub const AIR_CONNECT_AHEAD: Duration = Duration::from_secs(3);

/// Limit for name resolution and TCP connection of a destination; the TLS handshake has the same limit again.
pub const AIR_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for the RTMP handshake.
pub const AIR_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for the response to each of connect, createStream and publish.
pub const AIR_COMMAND_TIMEOUT: Duration = Duration::from_secs(8);
/// A write that does not finish in this time ends the session: the receiver is stalled.
pub const AIR_WRITE_TIMEOUT: Duration = Duration::from_secs(6);
/// A server that has acknowledged before is stalled if it does not acknowledge for this long while more than two of its
/// windows are unacknowledged.
pub const AIR_ACK_TIMEOUT: Duration = Duration::from_secs(8);
/// Limit for the clean end of a session: unpublish, flush, wait until the receiver has closed.
pub const AIR_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for a write in progress to finish when the destination is stopped.
pub const AIR_STOP_GRACE: Duration = Duration::from_secs(1);
/// Delays before a reconnect, without end: 100 ms, doubling to 15 s, a quarter of each random. After a session of at
/// least 5 s the delays start from the beginning.
pub const AIR_RECONNECT: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(15))
    .jitter(75, 100)
    .healthy_after(Duration::from_secs(5));
/// Delays early in an outage, see [`AIR_OUTAGE_YOUNG_FOR`]: at most 1 s.
pub const AIR_RECONNECT_YOUNG: Schedule = Schedule { longest: Duration::from_secs(1), ..AIR_RECONNECT };
/// The first part of an outage, with short delays, has this length.
pub const AIR_OUTAGE_YOUNG_FOR: Duration = Duration::from_secs(30);
/// Delay after a refusal that only a person can resolve, such as a refused login.
pub const AIR_REFUSED_WAIT: Duration = Duration::from_secs(30);
/// Delay after "stream busy", a quarter of it random: the server has not yet noticed that the last session ended (SRS:
/// 4-10 s).
pub const AIR_BUSY: Schedule = Schedule::constant(Duration::from_millis(1200)).jitter(75, 100);
/// "Stream busy" is expected for this long after a session was lost.
pub const AIR_BUSY_FOR: Duration = Duration::from_secs(15);

/// Chunk size that we announce: nearly every packet fits in one chunk; nginx-rtmp, SRS and the large services accept
/// it.
pub const RTMP_CHUNK_BYTES: usize = 60_000;
/// Bytes after which the server is asked to acknowledge: 2.6 s of a 100 kb/s stream, 20 times per second at 5 Mb/s.
/// After two of them it is known whether a server reads what is in the sockets' buffers.
pub const RTMP_ACK_WINDOW: u32 = 32 * 1024;
/// Longest message accepted from a server, in bytes; commands have some hundred bytes.
pub const RTMP_MESSAGE_MAX: usize = 256 * 1024;
/// Chunk streams that a server may use towards us.
pub const RTMP_CHUNK_STREAMS_MAX: usize = 32;
/// Maximum nesting depth of values in a server's message.
pub const AMF_DEPTH_MAX: usize = 8;
/// Maximum number of values in a server's message.
pub const AMF_VALUES_MAX: usize = 512;

/// Bytes from the end of a receiver ffmpeg's stderr that are kept for the error.
pub const AIR_STDERR_BYTES: usize = 2048;
/// Lines per minute that the ffmpeg of a destination may write to the log; the rest is counted.
pub const FFMPEG_LOG_LINES_PER_MINUTE: u32 = 30;
/// A destination that is on air but further behind the clock than this is a problem: its viewers see old media, and at
/// `AIR_KEEP_FOR_LATE` packets are dropped.
pub const DESTINATION_BEHIND_MAX: Duration = Duration::from_secs(10);
