//! Components that crashed their compiler or reached its limits, by digest: they are not compiled again, not even after a restart.
//!
//! One small file for each in `<aot>/quarantine/`, at most [`STAGE_QUARANTINED_MAX`]; the oldest are removed first. A component is
//! tried again when a limit was raised since, when the engine is another one, or after its [release](Quarantine::release).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::ChildCompiler;
use crate::aot::{make_private, remove, write_renamed};
use crate::error::LoadError;
use crate::limits::STAGE_QUARANTINED_MAX;
use outboard_base::Digest;

/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 16 << 10;

/// Why and under which limits a component was quarantined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct QuarantineRecord {
    reason: String,
    /// The engine that it was compiled for.
    engine: String,
    /// The limits of that compilation.
    cpu_ms: u64,
    memory_bytes: u64,
}

/// The quarantine of one host.
#[derive(Debug, Clone)]
pub(super) struct Quarantine {
    dir: Option<PathBuf>,
}

// === impl Quarantine ===

impl Quarantine {
    pub(super) fn new(aot_dir: Option<&Path>) -> Self {
        Self { dir: aot_dir.map(|dir| dir.join("quarantine")) }
    }

    /// Checks that a component may be compiled under these limits.
    ///
    /// # Errors
    /// [`LoadError::Quarantined`] with the reason of the failed compilation.
    pub(super) async fn check(&self, digest: &Digest, engine: &str, limits: &ChildCompiler) -> Result<(), LoadError> {
        let Some(path) = self.file(&digest.to_string()) else { return Ok(()) };
        let now = record("", engine, limits);
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let Ok(Some(then)) = read else { return Ok(()) };
        let again = then.engine != now.engine || now.cpu_ms > then.cpu_ms || now.memory_bytes > then.memory_bytes;
        if again { Ok(()) } else { Err(LoadError::Quarantined { digest: *digest, reason: then.reason }) }
    }

    pub(super) async fn keep(&self, digest: &Digest, engine: &str, reason: &str, limits: &ChildCompiler) {
        let (Some(dir), Some(path)) = (self.dir.clone(), self.file(&digest.to_string())) else { return };
        let record = record(reason, engine, limits);
        let written = tokio::task::spawn_blocking(move || write(&dir, &path, &record)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%digest, %error, "failed to quarantine a component that ended its compiler");
        }
    }

    /// Removes a component from the quarantine. False: it was not in it.
    pub(super) async fn release(&self, digest: &str) -> bool {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        match self.file(hex).filter(|_| is_digest) {
            Some(path) => tokio::fs::remove_file(path).await.is_ok(),
            None => false,
        }
    }

    fn file(&self, hex: &str) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join(format!("{hex}.json")))
    }
}

fn record(reason: &str, engine: &str, limits: &ChildCompiler) -> QuarantineRecord {
    QuarantineRecord {
        reason: reason.to_owned(),
        engine: engine.to_owned(),
        cpu_ms: u64::try_from(limits.cpu.as_millis()).unwrap_or(u64::MAX),
        memory_bytes: limits.memory_bytes,
    }
}

/// Reads a record; `None` if the file does not exist or cannot be read.
fn read(path: &Path) -> Option<QuarantineRecord> {
    let size = fs::metadata(path).ok()?.len();
    let bytes = (size <= FILE_BYTES_MAX).then(|| fs::read(path))?.ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn write(dir: &Path, path: &Path, record: &QuarantineRecord) -> io::Result<()> {
    make_private(dir)?;
    write_renamed(path, &serde_json::to_vec(record)?)?;
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let over = files.len().saturating_sub(STAGE_QUARANTINED_MAX);
    files.iter().filter(|(_, other)| other != path).take(over).try_for_each(|(_, path)| remove(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ENGINE: &str = "engine";

    fn limits(seconds: u64, memory_bytes: u64) -> ChildCompiler {
        ChildCompiler { cpu: Duration::from_secs(seconds), memory_bytes, ..ChildCompiler::default() }
    }

    #[tokio::test]
    async fn a_file_is_refused_until_something_changed() {
        let tmp = tempfile::tempdir().unwrap();
        let (digest, usual) = (Digest::of(b"bomb"), limits(10, 1000));
        let quarantine = Quarantine::new(Some(tmp.path()));
        assert!(quarantine.check(&digest, ENGINE, &usual).await.is_ok());
        quarantine.keep(&digest, ENGINE, "it took too long", &usual).await;
        // Another process has the same folder.
        let quarantine = Quarantine::new(Some(tmp.path()));
        let refused = quarantine.check(&digest, ENGINE, &usual).await.unwrap_err().to_string();
        assert!(refused.contains("it took too long") && refused.contains(&format!("sha256:{digest}")), "{refused}");
        assert!(quarantine.check(&digest, ENGINE, &limits(9, 999)).await.is_err());
        assert!(quarantine.check(&digest, ENGINE, &limits(11, 999)).await.is_ok(), "more time");
        assert!(quarantine.check(&digest, ENGINE, &limits(9, 1001)).await.is_ok(), "more memory");
        assert!(quarantine.check(&digest, "newer", &usual).await.is_ok(), "another engine");
        assert!(quarantine.check(&Digest::of(b"good"), ENGINE, &usual).await.is_ok());
        assert!(quarantine.release(&format!("sha256:{digest}")).await);
        assert!(quarantine.check(&digest, ENGINE, &usual).await.is_ok());
        for none in [format!("sha256:{digest}"), "sha256:../../x".to_owned(), String::new()] {
            assert!(!quarantine.release(&none).await, "{none:?}");
        }
    }

    #[tokio::test]
    async fn at_most_so_many_are_kept_and_the_oldest_are_removed() {
        let tmp = tempfile::tempdir().unwrap();
        let (quarantine, usual) = (Quarantine::new(Some(tmp.path())), limits(1, 1));
        let digests: Vec<Digest> = (0..=STAGE_QUARANTINED_MAX).map(|n| Digest::of(&n.to_le_bytes())).collect();
        for (age, digest) in digests.iter().rev().enumerate().rev() {
            quarantine.keep(digest, ENGINE, "x", &usual).await;
            let time = SystemTime::now() - Duration::from_secs(60 * (age as u64 + 1));
            let file = quarantine.file(&digest.to_string()).unwrap();
            if let Ok(file) = fs::File::options().write(true).open(file) {
                file.set_modified(time).unwrap();
            }
        }
        let (first, others) = digests.split_first().unwrap();
        assert!(quarantine.check(first, ENGINE, &usual).await.is_ok());
        for digest in others {
            assert!(quarantine.check(digest, ENGINE, &usual).await.is_err(), "{digest}");
        }
    }

    #[tokio::test]
    async fn without_a_folder_and_with_a_broken_file_nothing_is_refused() {
        let (digest, usual) = (Digest::of(b"bomb"), limits(1, 1));
        let quarantine = Quarantine::new(None);
        quarantine.keep(&digest, ENGINE, "x", &usual).await;
        assert!(quarantine.check(&digest, ENGINE, &usual).await.is_ok());
        let tmp = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::new(Some(tmp.path()));
        quarantine.keep(&digest, ENGINE, "x", &usual).await;
        fs::write(quarantine.file(&digest.to_string()).unwrap(), "{").unwrap();
        assert!(quarantine.check(&digest, ENGINE, &usual).await.is_ok());
    }
}
