//! Bounds of runs of ffmpeg, of their queue and of what they write.

use std::time::Duration;

/// An ffmpeg run that takes longer is killed. A 120 s batch takes well under a second.
pub const FFMPEG_TIMEOUT: Duration = Duration::from_secs(30);
/// Address space of one ffmpeg process. Copying a 120 s batch maps about 0.5 GB, most of it libraries.
pub const FFMPEG_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Processor time of one ffmpeg run of a pipeline, all its threads together. Its wall clock limit ends it before, as
/// long as the host lives.
pub const FFMPEG_CPU: Duration = Duration::from_secs(120);
/// Bytes of one file that an ffmpeg run of a pipeline writes: 120 s at 280 Mb/s.
pub const FFMPEG_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Files that ffmpeg may have open at once. `concat:` opens all segments of a batch.
pub const FFMPEG_OPEN_FILES: u64 = 1024;
/// Last part of what ffmpeg wrote to stderr that is kept for the error.
pub const FFMPEG_STDERR_BYTES: usize = 2 * 1024;
/// A child that was killed, or that ended, has closed its outputs: what it said last is waited for no longer than this.
/// Only a process that left its group can hold them open.
pub const CHILD_LAST_WORDS: Duration = Duration::from_secs(5);
/// Lines that one run of ffmpeg may write to the log; the rest is counted.
pub const FFMPEG_LOG_LINES: u64 = 20;
/// Bytes of a line of ffmpeg's; a longer one is cut.
pub const FFMPEG_LOG_LINE_BYTES: usize = 1024;
/// ffmpeg processes of all pipelines at once, unless set: this many a core, since one computes while another
/// waits for the disk.
pub const FFMPEG_PROCESSES_PER_CORE: usize = 2;
/// Fewest such processes that can be set: a hung run must not stop all others.
pub const FFMPEG_PROCESSES_MIN: usize = 2;
/// Most such processes that can be set.
pub const FFMPEG_PROCESSES_MAX: usize = 256;
/// Runs of one tenant that wait for their turn; a pipeline has at most three, so more are refused.
pub const FFMPEG_WAITING_MAX: usize = 256;
/// A run without a deadline takes its place in the queue as if it were due so long after it came.
pub const FFMPEG_SOFT_WAIT: Duration = Duration::from_secs(3);
