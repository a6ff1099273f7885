//! When the process is taken to hang.

use std::time::Duration;

/// Threads that work write down this often that they run.
pub const WATCHDOG_BEAT: Duration = Duration::from_millis(200);
/// The watchdog looks this often. A look that comes later than twice this was held up itself, with the whole process: the rest
/// of that time counts for nobody.
pub const WATCHDOG_LOOK: Duration = Duration::from_millis(250);
/// Threads that have not run for so long are told of.
pub const WATCHDOG_WARN: Duration = Duration::from_secs(1);
/// Between two such warnings.
pub const WATCHDOG_WARN_EVERY: Duration = Duration::from_secs(10);
/// A process that was not run at all for so long is told to have been away.
pub const WATCHDOG_AWAY: Duration = Duration::from_secs(2);
/// Threads that have not run for so long never will: the process ends, to be started again (`limits.hang_seconds`), seconds.
pub const HANG_SECONDS_DEFAULT: u64 = 30;
/// Least that can be set: a busy machine is no hang.
pub const HANG_SECONDS_MIN: u64 = 5;
/// Most that can be set.
pub const HANG_SECONDS_MAX: u64 = 3600;
/// A shutdown that takes longer than all of its own limits together hangs.
pub const SHUTDOWN_HANGS_AFTER: Duration = Duration::from_secs(26);
/// For the log to take what is said of a hang; it may be what hangs.
pub const WATCHDOG_REPORT: Duration = Duration::from_secs(2);
/// Threads that are listed in such a report.
pub const WATCHDOG_THREADS: usize = 256;
/// A process that may have less address space than this (`ulimit -v`), in bytes, does not begin: threads and memory would be
/// refused in the middle of the work.
pub const ADDRESS_SPACE_MIN: u64 = 1 << 30;
/// Areas that the C library allocates from in a process whose address space is limited: each reserves 64 MiB, and by default
/// there are eight a core.
pub const MALLOC_ARENAS_SCARCE: i32 = 2;
