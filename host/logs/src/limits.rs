//! Bounds of the log: lines, their rates, memory, files and feeds.

use std::time::Duration;

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
