//! Destinations and the air clock.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Packets due within this time leave in one write: about 20 writes and timer wake-ups a second per destination.
pub const AIR_QUANTUM: Duration = Duration::from_millis(50);
/// One write holds at most this many bytes of packets (and one packet more).
pub const AIR_WRITE_BYTES: usize = 256 * 1024;
/// Bytes of a batch's file that are read ahead at a time, twice per destination; a longer packet is read alone.
pub const AIR_READ_AHEAD: u64 = 256 * 1024;
/// Slowest rate of the air clock where it is to gain time, in media seconds per second.
pub const AIR_RATE_MIN: f64 = 0.95;
/// Fastest rate of the air clock where it is to lose spare time.
pub const AIR_RATE_MAX: f64 = 1.05;
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
/// A session that is lost when nothing was sent on it for this long was idle: no loss, and no fault of the receiver's.
pub const AIR_IDLE_AFTER: Duration = Duration::from_secs(3);
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
/// Waits before a reconnect, for ever: 100 ms doubling to 15 s, a quarter of each by chance. A session that lasted 5 s was
/// good: the next outage starts anew.
pub const AIR_RECONNECT: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(15))
    .jitter(75, 100)
    .healthy_after(Duration::from_secs(5));
/// The same while an outage is young, see [`AIR_OUTAGE_YOUNG_FOR`]: 1 s at most.
pub const AIR_RECONNECT_YOUNG: Schedule = Schedule { longest: Duration::from_secs(1), ..AIR_RECONNECT };
/// An outage is young for this long.
pub const AIR_OUTAGE_YOUNG_FOR: Duration = Duration::from_secs(30);
/// Wait after a refusal that only a person can end, such as of a login.
pub const AIR_REFUSED_WAIT: Duration = Duration::from_secs(30);
/// Wait after "stream busy", a quarter of it by chance: the server has not yet noticed that the last session is gone (SRS:
/// 4-10 s).
pub const AIR_BUSY: Schedule = Schedule::constant(Duration::from_millis(1200)).jitter(75, 100);
/// "Stream busy" is expected for this long after a session was lost.
pub const AIR_BUSY_FOR: Duration = Duration::from_secs(15);

/// Chunk size that we announce: nearly every packet in one chunk; nginx-rtmp, SRS and the large services take it.
pub const RTMP_CHUNK_BYTES: usize = 60_000;
/// Bytes after which the server is asked to acknowledge: 2.6 s of a 100 kb/s stream, 20 times a second at 5 Mb/s. Whether a
/// server takes what lies in the sockets' buffers shows after two of them.
pub const RTMP_ACK_WINDOW: u32 = 32 * 1024;
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
/// Lines that the ffmpeg of a destination may write to the log in a minute; the rest is counted.
pub const FFMPEG_LOG_LINES_PER_MINUTE: u32 = 30;
/// A destination that is on air but further behind the clock than this is a problem: its viewers see old media, and at
/// [`super::AIR_KEEP_FOR_LATE`] packets are dropped.
pub const DESTINATION_BEHIND_MAX: Duration = Duration::from_secs(10);
