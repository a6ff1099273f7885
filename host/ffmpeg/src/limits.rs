//! Limits of ffmpeg runs, of their queue and of their output.

use std::time::Duration;

/// Longest ffmpeg run of a pipeline; then it is killed. A 120 s batch takes well under a second.
pub const FFMPEG_TIMEOUT: Duration = Duration::from_secs(30);
/// Address space of one ffmpeg process, bytes. Copying a 120 s batch maps about 0.5 GB, most of it libraries.
pub const FFMPEG_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Processor time of one ffmpeg run of a pipeline, all its threads together. The wall-clock limit ends it earlier while the
/// host runs.
pub const FFMPEG_CPU: Duration = Duration::from_secs(120);
/// Largest file that an ffmpeg run of a pipeline may write, bytes: 120 s at 280 Mb/s.
pub const FFMPEG_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Most files that ffmpeg may have open at once. `concat:` opens all segments of a batch.
pub const FFMPEG_OPEN_FILES: u64 = 1024;
/// How much of the end of ffmpeg's stderr is kept for the error, bytes.
pub const FFMPEG_STDERR_BYTES: usize = 2 * 1024;
/// How long the end of a child's outputs is waited for after the child ended. They are closed then, unless a process that left its
/// group keeps them open.
pub const CHILD_LAST_WORDS: Duration = Duration::from_secs(5);
/// Lines that one ffmpeg run may write to the log; further ones are only counted.
pub const FFMPEG_LOG_LINES: u64 = 20;
/// Longest line of ffmpeg's stderr in the log, bytes; the rest is cut.
pub const FFMPEG_LOG_LINE_BYTES: usize = 1024;
/// Default for the ffmpeg processes of all pipelines at once, per core: one computes while another waits for the disk.
pub const FFMPEG_PROCESSES_PER_CORE: usize = 2;
/// Lowest number of such processes that can be set: one run that hangs must not stop all others.
pub const FFMPEG_PROCESSES_MIN: usize = 2;
/// Highest number of such processes that can be set.
pub const FFMPEG_PROCESSES_MAX: usize = 256;
/// Most runs of one tenant that wait for a slot; more are refused. A pipeline has at most three.
pub const FFMPEG_WAITING_MAX: usize = 256;
/// A run without a deadline is queued as if it had to begin this long after it was requested.
pub const FFMPEG_SOFT_WAIT: Duration = Duration::from_secs(3);
