//! What a child process may use, and how long its end may take.

use std::time::Duration;

/// A child that was killed, or that ended, has closed its outputs: what it said last is waited for no longer than this.
/// Only a process that left its group can hold them open.
pub const CHILD_LAST_WORDS: Duration = Duration::from_secs(5);
/// A child that was killed is gone from the system after this. What takes longer waits inside the kernel for a disk or
/// a network file system.
pub const CHILD_REAPED: Duration = Duration::from_secs(5);
/// Threads that start children. A start takes some milliseconds, for a part of which the thread waits for
/// the child's exec.
pub const CHILD_LAUNCHERS: usize = 2;
/// Children that wait to be started. One more is refused.
pub const CHILD_LAUNCHES_WAITING: usize = 1024;
/// Time from the order to a running child. More is a disk that does not answer, or a machine without a moment to spare.
pub const CHILD_LAUNCH_TIME: Duration = Duration::from_secs(60);
/// Files that a child may have open at once, unless said otherwise.
pub const CHILD_OPEN_FILES: u64 = 64;

/// Processor time of one ffmpeg run of a pipeline, all its threads together. Its wall clock limit ends it before, as
/// long as the host lives.
pub const FFMPEG_CPU: Duration = Duration::from_secs(120);
/// Bytes of one file that an ffmpeg run of a pipeline writes: 120 s at 280 Mb/s.
pub const FFMPEG_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Files that ffmpeg may have open at once. `concat:` opens all segments of a batch.
pub const FFMPEG_OPEN_FILES: u64 = 1024;
