//! Processes of this machine, read from `/proc`. Each may end while it is being read.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A process. Its pid may be reused, so it is identified by the time when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Process id in this machine's `/proc`.
    pub pid: u32,
    /// Its arguments, separated by spaces.
    pub line: String,
    parent: u32,
    /// Start time in ticks after boot.
    began: u64,
}

impl Process {
    /// `None`: there is no process with this pid, or only a zombie.
    fn read(pid: u32) -> Option<Self> {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let stat = std::fs::read_to_string(dir.join("stat")).ok()?;
        let line = std::fs::read(dir.join("cmdline")).ok()?;
        // From the third field on, because the second one is a name that may contain any character.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        let line = String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned();
        Some(Self { pid, line, parent: fields.get(1)?.parse().ok()?, began: fields.get(19)?.parse().ok()? })
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.began == self.began)
    }
}

/// Reads all running processes of this machine, except zombies.
fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// The descendants of a process.
pub fn below(pid: u32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            parents.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}

/// Processes with this text in their arguments.
pub fn with_argument(text: &str) -> Vec<Process> {
    all().into_iter().filter(|process| process.line.contains(text)).collect()
}

/// Polls until `left` returns nothing.
///
/// # Panics
/// If that takes longer than `limit`.
pub async fn until_none(what: &str, limit: Duration, mut left: impl FnMut() -> Vec<Process>) {
    let deadline = Instant::now() + limit;
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: still there after {limit:?}: {left:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
