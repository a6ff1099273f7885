//! When the watchdog treats the process as hung.

use std::time::Duration;

/// Interval at which the watched threads record that they run.
pub const WATCHDOG_BEAT: Duration = Duration::from_millis(200);
/// Interval of the watchdog's checks. A check that comes later than twice this was delayed with the whole process; the
/// additional time is not counted.
pub const WATCHDOG_LOOK: Duration = Duration::from_millis(250);
/// A warning is logged for threads that have not run for this long.
pub const WATCHDOG_WARN: Duration = Duration::from_secs(1);
/// Minimum interval between two such warnings.
pub const WATCHDOG_WARN_EVERY: Duration = Duration::from_secs(10);
/// A pause of the whole process of at least this length is logged.
pub const WATCHDOG_AWAY: Duration = Duration::from_secs(2);
/// A shutdown that takes longer than all of its own limits together hangs.
pub const SHUTDOWN_HANGS_AFTER: Duration = Duration::from_secs(26);
/// Time for the log to accept the report of a hang; the log itself may hang.
pub const WATCHDOG_REPORT: Duration = Duration::from_secs(2);
/// Threads that are listed in such a report.
pub const WATCHDOG_THREADS: usize = 256;
/// Minimum address space in bytes (`ulimit -v`). With less, the process refuses to start: threads and memory could be
/// refused during work.
pub const ADDRESS_SPACE_MIN: u64 = 1 << 30;
/// Allocation arenas of the C library in a process with limited address space: each reserves 64 MiB, and the default is
/// eight per core.
pub const MALLOC_ARENAS_SCARCE: i32 = 2;
/// Time for blocking threads (files, replies that are being read) after everything else has ended; the process does not
/// wait longer.
pub const BLOCKING_END_LIMIT: Duration = Duration::from_secs(2);
/// Largest file of a recording or an evidence bundle in bytes: the inputs as base64, and some room for the rest.
pub const STAGE_FILE_BYTES_MAX: u64 = 256 << 20;
/// Longest validity of a token that expires, in days.
pub const TOKEN_DAYS_MAX: u64 = 3650;
