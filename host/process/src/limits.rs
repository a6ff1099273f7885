//! Bounds of starting and ending child processes.

use std::time::Duration;

/// Threads that start children. A start takes some milliseconds, for a part of which the thread waits for
/// the child's exec.
pub const CHILD_LAUNCHERS: usize = 2;
/// Most children that wait to be started; one more is refused.
pub const CHILD_LAUNCHES_WAITING: usize = 1024;
/// Longest time to start a child. Longer means that the disk does not answer, or that the machine is overloaded.
pub const CHILD_LAUNCH_TIME: Duration = Duration::from_secs(60);
/// Default for the most files that a child may have open at once.
pub const CHILD_OPEN_FILES: u64 = 64;
/// Longest wait for a killed child to end. A child that takes longer waits inside the kernel for a disk or a network file system.
pub const CHILD_REAPED: Duration = Duration::from_secs(5);
