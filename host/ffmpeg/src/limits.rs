//! Limits of ffmpeg runs, of their queue and of their output.

use std::time::Duration;

/// An ffmpeg run that takes longer is killed. A 120 s batch takes well under a second.
pub const FFMPEG_TIMEOUT: Duration = Duration::from_secs(30);
/// Address space of one ffmpeg process in bytes. Copying a 120 s batch maps about 0.5 GB, most of it libraries.
pub const FFMPEG_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Processor time of one ffmpeg run of a pipeline, all its threads together. The wall-clock limit ends it earlier, as
/// long as the host runs.
pub const FFMPEG_CPU: Duration = Duration::from_secs(120);
/// Maximum size of a file that an ffmpeg run of a pipeline writes, in bytes: 120 s at 280 Mb/s.
pub const FFMPEG_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Files that ffmpeg may have open at once. `concat:` opens all segments of a batch.
pub const FFMPEG_OPEN_FILES: u64 = 1024;
/// Bytes from the end of ffmpeg's stderr that are kept for the error.
pub const FFMPEG_STDERR_BYTES: usize = 2 * 1024;
/// Time for reading the remaining output of a child that has ended. Only a process that left its group can hold the
/// output open.
pub const CHILD_LAST_WORDS: Duration = Duration::from_secs(5);
/// Lines that one run of ffmpeg may log; the rest is counted.
pub const FFMPEG_LOG_LINES: u64 = 20;
/// Longest line of ffmpeg's output in bytes; a longer one is truncated.
pub const FFMPEG_LOG_LINE_BYTES: usize = 1024;
/// Default ffmpeg processes per core, of all pipelines: one computes while another waits for the disk.
pub const FFMPEG_PROCESSES_PER_CORE: usize = 2;
/// Smallest number of such processes that can be set: a hung run must not stop all others.
pub const FFMPEG_PROCESSES_MIN: usize = 2;
/// Largest number of such processes that can be set.
pub const FFMPEG_PROCESSES_MAX: usize = 256;
/// Queued runs of one tenant; a pipeline has at most three, and more are refused.
pub const FFMPEG_WAITING_MAX: usize = 256;
/// A run without a deadline is queued as if it were due this long after its arrival.
pub const FFMPEG_SOFT_WAIT: Duration = Duration::from_secs(3);
