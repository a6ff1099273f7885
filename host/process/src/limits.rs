//! Bounds of starting and ending child processes.

use std::time::Duration;

/// Threads that start children. A start takes some milliseconds, for a part of which the thread waits for
/// the child's exec.
pub const CHILD_LAUNCHERS: usize = 2;
/// Children that wait to be started. One more is refused.
pub const CHILD_LAUNCHES_WAITING: usize = 1024;
/// Time from the order to a running child. More is a disk that does not answer, or a machine without a moment to spare.
pub const CHILD_LAUNCH_TIME: Duration = Duration::from_secs(60);
/// Files that a child may have open at once, unless said otherwise.
pub const CHILD_OPEN_FILES: u64 = 64;
/// A child that was killed is gone from the system after this. What takes longer waits inside the kernel for a disk or
/// a network file system.
pub const CHILD_REAPED: Duration = Duration::from_secs(5);
