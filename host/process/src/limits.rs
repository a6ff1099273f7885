//! Limits of starting and ending child processes.

use std::time::Duration;

/// Threads that start children. A start takes some milliseconds, part of which the thread waits for the child's exec.
pub const CHILD_LAUNCHERS: usize = 2;
/// Children queued to be started; further ones are refused.
pub const CHILD_LAUNCHES_WAITING: usize = 1024;
/// Time from the order to a running child. It is only exceeded by a disk that does not respond, or an overloaded
/// machine.
pub const CHILD_LAUNCH_TIME: Duration = Duration::from_secs(60);
/// Default number of files that a child may have open.
pub const CHILD_OPEN_FILES: u64 = 64;
/// Time after which a killed child has left the system. Longer means that it waits inside the kernel for a disk or a
/// network file system.
pub const CHILD_REAPED: Duration = Duration::from_secs(5);
