//! The state of this process's threads, as the kernel reports it.

use std::path::Path;

use crate::limits::WATCHDOG_THREADS;

/// One line per thread: number, name, state, kernel wait channel and system call.
pub(super) fn list() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else {
        return vec!["cannot list the threads: /proc is not readable".to_owned()];
    };
    let mut lines: Vec<String> = entries.flatten().take(WATCHDOG_THREADS).map(|entry| line(&entry.path())).collect();
    lines.sort();
    lines
}

fn line(task: &Path) -> String {
    let read = |name: &str| std::fs::read_to_string(task.join(name)).unwrap_or_default().trim().to_owned();
    let number = task.file_name().unwrap_or_default().to_string_lossy();
    let stat = read("stat");
    // The name stands in parentheses and may contain any character, so the state is read after the last one.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or("?").to_owned();
    let times = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').skip(11).take(2).collect::<Vec<_>>().join("+"));
    let call = read("syscall");
    let call = call.split(' ').next().unwrap_or_default();
    format!(
        "thread {number} {:?}: state {state}, waits in {}, system call {call}, {} ticks on a processor",
        read("comm"),
        read("wchan"),
        times.unwrap_or_default(),
    )
}
