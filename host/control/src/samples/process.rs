//! The resources of this process. Complete on Linux; elsewhere only the processor time is known.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;

/// The resources of this process at one moment; `None`: unknown on this system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessSample {
    /// Resident memory in bytes.
    pub resident_bytes: Option<u64>,
    /// Number of threads of the process.
    pub threads: Option<u64>,
    /// Number of open file descriptors.
    pub open_fds: Option<u64>,
    /// Limit of open file descriptors.
    pub max_fds: Option<u64>,
    /// Number of running child processes.
    pub children: Option<u64>,
    /// Processor time, user and system.
    pub cpu: Option<Duration>,
}

impl ProcessSample {
    /// Reads some small files of `/proc`; takes well under a millisecond.
    pub fn take() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            resident_bytes: field(&status, "VmRSS:").map(|kib| kib.saturating_mul(1024)),
            threads: field(&status, "Threads:"),
            // One of them is the descriptor of the folder that is being read.
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|entries| (entries.count() as u64).saturating_sub(1)),
            max_fds: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
            children: children(),
            cpu: getrusage(UsageWho::RUSAGE_SELF).ok().map(|used| time(used.user_time()) + time(used.system_time())),
        }
    }
}

/// The number after a name in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Children are listed under the thread that started them.
fn children() -> Option<u64> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let of_each = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let counts: Vec<u64> = of_each.map(|children| children.split_whitespace().count() as u64).collect();
    // A kernel without this file reports nothing, which is different from zero.
    (!counts.is_empty()).then(|| counts.iter().sum())
}

fn time(value: TimeVal) -> Duration {
    let seconds = u64::try_from(value.tv_sec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(value.tv_usec()).unwrap_or(0))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_told() {
        let before = ProcessSample::take();
        assert!(before.resident_bytes.is_some_and(|bytes| bytes > 1 << 20), "{before:?}");
        assert!(before.threads.is_some_and(|threads| threads >= 1) && before.max_fds.is_some_and(|fds| fds > 3));
        assert!(before.open_fds.is_some_and(|fds| fds >= 3), "{before:?}");
        let files: Vec<_> = (0..200).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        assert!(ProcessSample::take().open_fds >= Some(200), "{} files are open", files.len());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let with_child = ProcessSample::take().children;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(with_child >= Some(1), "{with_child:?}");
        assert!(ProcessSample::take().cpu.unwrap() > Duration::ZERO);
    }
}
