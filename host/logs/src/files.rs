//! Rolling files, `<tenant>/logs/<stream>/outboard.log` below the storage folder, with one JSON object per line.
//!
//! `outboard.log` is the newest. A full file is renamed to `outboard.log.1`, the previous `.1` to `.2`, and so on; the
//! oldest is removed. Limited to [`LOG_FILES`] files of [`LOG_FILE_BYTES`] per stream. A file that cannot be written is
//! retried after [`LOG_FILE_RETRY`]; lost lines are counted.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::record::LogRecord;
use super::ring::Key;
use crate::limits::{LOG_FILE_BYTES, LOG_FILE_RETRY, LOG_FILES, LOG_FILES_OPEN};
use outboard_base::check_name;

const NAME: &str = "outboard.log";

/// All files of the host.
#[derive(Debug, Default)]
pub(super) struct Files {
    root: Option<PathBuf>,
    known: HashMap<Key, State>,
    /// Rises with every line; orders files by last use.
    used: u64,
    failures: Arc<AtomicU64>,
}

#[derive(Debug)]
enum State {
    Open { file: File, bytes: u64, used: u64 },
    Failed { again: Instant },
}

impl Files {
    /// `failures` counts the lines that could not be written.
    pub(super) fn new(failures: Arc<AtomicU64>) -> Self {
        Self { failures, ..Self::default() }
    }

    /// Writes the following lines below `root`.
    pub(super) fn open(&mut self, root: PathBuf) {
        self.known.clear();
        self.root = Some(root);
    }

    /// Writes a line. A line without tenant and stream is not written to a file.
    pub(super) fn write(&mut self, record: &LogRecord) {
        let key = Key { tenant: record.tenant.clone(), stream: record.stream.clone() };
        let Some(dir) = self.dir(&key) else { return };
        if matches!(self.known.get(&key), Some(State::Failed { again }) if Instant::now() < *again) {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut line = record.to_json();
        line.push('\n');
        if let Err(error) = self.append(&key, &dir, line.as_bytes()) {
            self.failures.fetch_add(1, Ordering::Relaxed);
            let again = Instant::now() + LOG_FILE_RETRY;
            // Logged once per failure as a line of the host: a line of the stream would fail again.
            if !matches!(self.known.insert(key, State::Failed { again }), Some(State::Failed { .. })) {
                tracing::warn!(path = %dir.join(NAME).display(), %error, "failed to write a log file");
            }
        }
    }

    /// Removes a stream's files, and their folder if it is empty; without a stream, the tenant's whole log folder.
    pub(super) fn remove(&mut self, key: &Key) {
        if let (Some(tenant), None) = (key.tenant.as_deref(), &key.stream) {
            self.known.retain(|other, _| other.tenant != key.tenant);
            let Some(root) = self.root.as_ref().filter(|_| check_name("tenant", tenant).is_ok()) else { return };
            let dir = root.join(tenant).join("logs");
            if let Err(error) = std::fs::remove_dir_all(&dir)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %dir.display(), %error, "failed to remove a folder of log files");
            }
            return;
        }
        self.known.remove(key);
        let Some(dir) = self.dir(key) else { return };
        for n in 0..=LOG_FILES {
            if let Err(error) = std::fs::remove_file(path(&dir, n))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path(&dir, n).display(), %error, "failed to remove a log file");
            }
        }
        // The folder stays if it contains other files.
        let _ = std::fs::remove_dir(&dir);
    }

    fn dir(&self, key: &Key) -> Option<PathBuf> {
        let (tenant, stream) = (key.tenant.as_deref()?, key.stream.as_deref()?);
        let fits = check_name("tenant", tenant).is_ok() && check_name("stream id", stream).is_ok();
        fits.then_some(self.root.as_ref()?.join(tenant).join("logs").join(stream))
    }

    fn append(&mut self, key: &Key, dir: &Path, line: &[u8]) -> io::Result<()> {
        self.used += 1;
        let now = self.used;
        let length = line.len() as u64;
        if let Some(State::Open { file, bytes, used }) = self.known.get_mut(key)
            && *bytes + length <= LOG_FILE_BYTES
        {
            (*bytes, *used) = (*bytes + length, now);
            return file.write_all(line);
        }
        self.close_one();
        let (mut file, mut bytes) = reopen(dir)?;
        if bytes > 0 && bytes + length > LOG_FILE_BYTES {
            drop(file);
            roll(dir)?;
            (file, bytes) = reopen(dir)?;
        }
        file.write_all(line)?;
        self.known.insert(key.clone(), State::Open { file, bytes: bytes + length, used: now });
        Ok(())
    }

    /// Limits the number of open files: closes the least recently used one.
    fn close_one(&mut self) {
        if self.known.len() < LOG_FILES_OPEN {
            return;
        }
        let used = |state: &State| match state {
            State::Open { used, .. } => *used,
            State::Failed { .. } => 0,
        };
        if let Some(key) = self.known.iter().min_by_key(|(_, state)| used(state)).map(|(key, _)| key.clone()) {
            self.known.remove(&key);
        }
    }
}

fn path(dir: &Path, n: usize) -> PathBuf {
    if n == 0 { dir.join(NAME) } else { dir.join(format!("{NAME}.{n}")) }
}

/// Opens the newest file for appending; returns it with its length.
fn reopen(dir: &Path) -> io::Result<(File, u64)> {
    std::fs::create_dir_all(dir)?;
    let file = OpenOptions::new().append(true).create(true).open(path(dir, 0))?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// Renames the files to make room for a new one.
fn roll(dir: &Path) -> io::Result<()> {
    for n in (0..LOG_FILES).rev() {
        match std::fs::rename(path(dir, n), path(dir, n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Level;

    fn record(tenant: &str, stream: &str, message: &str) -> LogRecord {
        LogRecord {
            id: 1,
            at_ms: 1,
            level: Level::Info,
            target: "air",
            tenant: Some(tenant.into()),
            stream: Some(stream.into()),
            batch: None,
            message: message.into(),
            fields: Box::new([]),
        }
    }

    fn opened(root: &Path) -> Files {
        let mut files = Files::default();
        files.open(root.to_owned());
        files
    }

    #[test]
    fn files_roll_and_the_oldest_goes() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/logs/tv");
        let mut files = opened(root.path());
        assert!(!dir.exists(), "made with the first line");
        // Each file takes four of these lines: seven files are written in all, and the file is reopened once in
        // between.
        let long = "x".repeat(usize::try_from(LOG_FILE_BYTES).unwrap() / 5);
        for n in 0..4 * (LOG_FILES + 3) {
            files.write(&record("a", "tv", &format!("{n} {long}")));
            if n == 6 {
                files = opened(root.path());
            }
        }
        let mut names: Vec<_> =
            std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let expected: Vec<String> =
            (0..=LOG_FILES).map(|n| path(Path::new(""), n).to_string_lossy().into_owned()).collect();
        assert_eq!(names, expected);
        let mut lines = Vec::new();
        for n in (0..=LOG_FILES).rev() {
            assert!(path(&dir, n).metadata().unwrap().len() <= LOG_FILE_BYTES);
            for line in std::fs::read_to_string(path(&dir, n)).unwrap().lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                lines.push(value["message"].as_str().unwrap().split(' ').next().unwrap().parse::<usize>().unwrap());
            }
        }
        let last = 4 * (LOG_FILES + 3);
        assert_eq!(lines, (8..last).collect::<Vec<_>>(), "in order, the newest {} files", LOG_FILES + 1);
    }

    #[test]
    fn what_is_forgotten_is_gone_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let mut files = opened(root.path());
        for (tenant, stream) in [("a", "tv"), ("a", "radio"), ("b", "tv")] {
            files.write(&record(tenant, stream, "hello"));
        }
        std::fs::write(root.path().join("a/logs/radio/mine.txt"), "").unwrap();
        for stream in ["tv", "radio"] {
            files.remove(&Key { tenant: Some("a".into()), stream: Some(stream.into()) });
        }
        assert!(!root.path().join("a/logs/tv").exists());
        assert!(root.path().join("a/logs/radio/mine.txt").exists());
        assert!(!root.path().join("a/logs/radio/outboard.log").exists());
        assert!(root.path().join("b/logs/tv/outboard.log").exists());
    }

    #[test]
    fn all_of_a_tenant_goes_at_once_and_is_written_anew() {
        let root = tempfile::tempdir().unwrap();
        let mut files = opened(root.path());
        for (tenant, stream) in [("a", "tv"), ("a", "radio"), ("b", "tv")] {
            files.write(&record(tenant, stream, "of the first"));
        }
        files.remove(&Key { tenant: Some("a".into()), stream: None });
        assert!(!root.path().join("a/logs").exists() && root.path().join("b/logs/tv/outboard.log").exists());
        files.write(&record("a", "tv", "of the next"));
        let text = std::fs::read_to_string(root.path().join("a/logs/tv/outboard.log")).unwrap();
        assert!(text.contains("of the next") && !text.contains("of the first"), "{text}");
        files.remove(&Key { tenant: Some("..".into()), stream: None });
        assert!(root.path().join("b/logs/tv/outboard.log").exists());
    }

    #[test]
    fn names_that_leave_the_folder_have_no_file() {
        let root = tempfile::tempdir().unwrap();
        let mut files = opened(&root.path().join("storage"));
        files.write(&record("..", "tv", "x"));
        files.write(&record("a", "../../x", "x"));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_counted_and_let_alone() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a"), "a file, not a folder").unwrap();
        let failures = Arc::new(AtomicU64::new(0));
        let mut files = Files::new(failures.clone());
        files.open(root.path().to_owned());
        for _ in 0..3 {
            files.write(&record("a", "tv", "x"));
        }
        files.write(&record("b", "tv", "x"));
        assert_eq!(failures.load(Ordering::Relaxed), 3);
        assert!(root.path().join("b/logs/tv/outboard.log").exists());
    }

    #[test]
    fn open_files_are_bounded() {
        let root = tempfile::tempdir().unwrap();
        let mut files = opened(root.path());
        for n in 0..LOG_FILES_OPEN * 2 {
            files.write(&record("a", &format!("s{n}"), "one"));
            files.write(&record("a", "s0", "again"));
        }
        assert_eq!(files.known.len(), LOG_FILES_OPEN);
        let text = std::fs::read_to_string(root.path().join("a/logs/s0/outboard.log")).unwrap();
        assert_eq!(text.lines().count(), LOG_FILES_OPEN * 2 + 1);
    }
}
