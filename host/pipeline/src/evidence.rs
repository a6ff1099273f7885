//! Evidence of failed stages, one JSON file each: `<tenant>/evidence/<stream>/<id>.json`. A separate thread writes the
//! files, so that a failure does not delay the stream. The newest [`EVIDENCE_KEPT`] files of a stream are kept.

use crate::limits::{EVIDENCE_KEPT, EVIDENCE_WAITING};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use outboard_stage::evidence::{Evidence, FailureSink, LazyReport};
use outboard_store::files::StreamFiles;

/// Writes the evidence of failed stages below a storage folder.
#[derive(Debug)]
pub struct EvidenceStore {
    root: PathBuf,
    reports: SyncSender<LazyReport>,
}

impl EvidenceStore {
    /// Starts the thread that writes below `root`.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(root: &Path) -> std::io::Result<Self> {
        let (reports, waiting) = sync_channel(EVIDENCE_WAITING);
        let of_thread = root.to_owned();
        std::thread::Builder::new().name("evidence".to_owned()).spawn(move || keep(&of_thread, &waiting))?;
        Ok(Self { root: root.to_owned(), reports })
    }

    /// A handle that accepts evidence; it never blocks.
    pub fn failure_sink(&self) -> FailureSink {
        let reports = self.reports.clone();
        FailureSink::new(move |report| {
            if reports.try_send(report).is_err() {
                tracing::warn!("dropped evidence of a stage failure: the queue is full");
            }
        })
    }

    /// The path of an evidence file, whether it exists or not. `None` if `id` is not a valid id.
    pub fn file(&self, tenant: &str, stream: &str, id: &str) -> Option<PathBuf> {
        let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        fits.then(|| file(&self.root, tenant, stream, id))
    }
}

fn file(root: &Path, tenant: &str, stream: &str, id: &str) -> PathBuf {
    StreamFiles::below(&root.join(tenant), stream).evidence.join(format!("{id}.json"))
}

/// Writes evidence until the last sender is dropped.
fn keep(root: &Path, waiting: &Receiver<LazyReport>) {
    for report in waiting {
        let evidence = report();
        let path = file(root, &evidence.tenant, &evidence.stream, &evidence.id);
        if let Err(error) = write(&path, &evidence) {
            tracing::warn!(path = %path.display(), %error, "failed to store evidence of a stage failure");
        }
    }
}

fn write(path: &Path, evidence: &Evidence) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)?;
    let part = path.with_extension("part");
    fs::write(&part, serde_json::to_vec(evidence)?)?;
    fs::rename(&part, path)?;
    let mut kept: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    // Names begin with milliseconds since the epoch, which keep the same number of digits for the next 250 years.
    kept.sort();
    let surplus = kept.len().saturating_sub(EVIDENCE_KEPT);
    kept.iter().take(surplus).try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_stage::{Digest, StageCounts, StageKind};

    fn evidence(id: &str) -> Evidence {
        let component = outboard_stage::ComponentLabel {
            digest: format!("sha256:{}", Digest::of(b"x")),
            name: "x".into(),
            version: "1".into(),
        };
        Evidence {
            format: 1,
            id: id.into(),
            at_ms: 1,
            tenant: "acme".into(),
            stream: "tv".into(),
            kind: StageKind::Batching,
            component,
            settings: String::new(),
            call: "push".into(),
            error: "it trapped".into(),
            frames: vec!["f".into()],
            limit: None,
            took_us: 1,
            memory_bytes: 1,
            counts: StageCounts::default(),
            state: Some("AAE=".into()),
            calls: Vec::new(),
        }
    }

    #[test]
    fn the_newest_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (sender, waiting) = sync_channel::<LazyReport>(100);
        for n in 0..EVIDENCE_KEPT + 5 {
            sender.send(Box::new(move || evidence(&format!("{}-{n}", 1_700_000_000_000_u64 + n as u64)))).unwrap();
        }
        drop(sender);
        keep(dir.path(), &waiting);
        let store = EvidenceStore { root: dir.path().to_owned(), reports: sync_channel(1).0 };
        let of = |n: u64| store.file("acme", "tv", &format!("{}-{n}", 1_700_000_000_000 + n)).unwrap();
        assert!(!of(4).exists() && of(5).exists());
        let read: Evidence = serde_json::from_slice(&fs::read(of(44)).unwrap()).unwrap();
        assert_eq!((read.state_bytes(), read.call.as_str()), (Ok(Some(vec![0, 1])), "push"));
        for odd in ["", "../x", "a", "1.json", &"1".repeat(65)] {
            assert_eq!(store.file("acme", "tv", odd), None);
        }
    }
}
