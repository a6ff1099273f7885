//! Limits of the log: lines, rates, memory, files and feeds.

use std::time::Duration;

/// Lines of a stream that are kept in memory.
pub const LOG_RING_RECORDS: usize = 1000;
/// Maximum bytes of these lines.
pub const LOG_RING_BYTES: usize = 512 << 10;
/// Bytes of all lines in memory; with many streams each keeps less.
pub const LOG_HUB_BYTES: usize = 64 << 20;
/// Streams whose lines are kept in memory; after that the least recently used of the tenant that has most is removed.
pub const LOG_RINGS_MAX: usize = 1024;
/// Longest message of a line in bytes; a longer one is truncated.
pub const LOG_MESSAGE_BYTES_MAX: usize = 4096;
/// Longest text of a field in bytes; a longer one is truncated.
pub const LOG_VALUE_BYTES_MAX: usize = 1024;
/// Fields of a line, including those of the enclosing spans; further ones are dropped.
pub const LOG_FIELDS_MAX: usize = 24;
/// Lines per second that one stream may write.
pub const LOG_LINES_PER_SECOND: u32 = 100;
/// Lines that one stream may write at once after a quiet time.
pub const LOG_LINES_BURST: u32 = 1000;
/// Lines per second that all streams of a tenant may write together.
pub const LOG_TENANT_LINES_PER_SECOND: u32 = 300;
/// Lines that all streams of a tenant may write at once.
pub const LOG_TENANT_LINES_BURST: u32 = 3000;
/// Lines per second that the host itself may write.
pub const LOG_HOST_LINES_PER_SECOND: u32 = 1000;
/// Lines that the host itself may write at once.
pub const LOG_HOST_LINES_BURST: u32 = 5000;
/// Interval for reporting dropped lines.
pub const LOG_TELL_EVERY: Duration = Duration::from_secs(1);
/// Minimum interval between wake-ups of live feeds.
pub const LOG_WAKE_EVERY: Duration = Duration::from_millis(50);
/// Lines queued for files; further ones are counted and not written.
pub const LOG_QUEUE_LINES: usize = 8192;
/// Size of a log file in bytes at which the next one is begun.
pub const LOG_FILE_BYTES: u64 = 4 << 20;
/// Full log files of a stream that are kept, besides the current one.
pub const LOG_FILES: usize = 4;
/// Log files that are open at once.
pub const LOG_FILES_OPEN: usize = 64;
/// Delay before retrying a log file that could not be written.
pub const LOG_FILE_RETRY: Duration = Duration::from_secs(10);
/// Time for lines to reach their files at the end of the process.
pub const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest text of a search in lines, in bytes; a longer one matches nothing.
pub const LOG_TEXT_FILTER_BYTES: usize = 256;
/// Maximum lines in one response, and with which a feed begins.
pub const LOG_QUERY_MAX: usize = 1000;
