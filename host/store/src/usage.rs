//! What the storage holds: files and bytes by tenant, stream and kind, and the free space of the disk.
//!
//! In: the folders. Out: counts that are at most some seconds old. Scanning a stream lists its folders and calls `stat`
//! once per batch. A file is counted once; the files of a batch are counted again only when its folder changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use super::files::{StreamFiles, check_name};

mod components;
mod scan;

use components::Components;
use scan::Scan;
pub(super) use scan::segment_index;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FileKind {
    /// `segment-<n>`, as received from the source.
    OriginalSegments,
    /// `video.fmp4`: the video of a batch from the source.
    VideoFragments,
    /// `audio.fmp4`: the audio of a batch from the source.
    AudioFragments,
    /// The processor's reply, and audio made from it.
    ProcessedAudio,
    /// `output.fmp4`: video and audio of a batch as they go on air, where `keep.output` asks for the file.
    RemuxedOutput,
    /// Internal files: `air.index`, copies that ffmpeg made, packet lists, initialization sections, unfinished files.
    Other,
    /// Log files of the stream.
    Logs,
    /// Stage components that the tenant added; they belong to no stream.
    Components,
}

impl FileKind {
    /// All kinds, in the order of the data.
    pub const ALL: [Self; 8] = [
        Self::OriginalSegments,
        Self::VideoFragments,
        Self::AudioFragments,
        Self::ProcessedAudio,
        Self::RemuxedOutput,
        Self::Other,
        Self::Logs,
        Self::Components,
    ];

    /// The name in the API and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::OriginalSegments => "originalSegments",
            Self::VideoFragments => "videoFragments",
            Self::AudioFragments => "audioFragments",
            Self::ProcessedAudio => "processedAudio",
            Self::RemuxedOutput => "remuxedOutput",
            Self::Other => "other",
            Self::Logs => "logs",
            Self::Components => "components",
        }
    }
}

/// A number of files and their total size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Number of files that are counted.
    pub files: u64,
    /// Total size in bytes.
    pub bytes: u64,
}

/// The amounts by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals([Amount; FileKind::ALL.len()]);

impl Totals {
    /// The amount of one kind.
    pub fn of(&self, kind: FileKind) -> Amount {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// The sum of all kinds.
    pub fn all(&self) -> Amount {
        let add = |sum: Amount, one: &Amount| Amount { files: sum.files + one.files, bytes: sum.bytes + one.bytes };
        self.0.iter().fold(Amount::default(), add)
    }

    fn add_file(&mut self, kind: FileKind, bytes: u64) {
        if let Some(amount) = self.0.get_mut(kind as usize) {
            amount.files += 1;
            amount.bytes += bytes;
        }
    }

    fn add(&mut self, other: &Self) {
        for (to, from) in self.0.iter_mut().zip(other.0) {
            to.files += from.files;
            to.bytes += from.bytes;
        }
    }
}

/// The file system of the storage folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Space {
    /// Bytes available to this process.
    pub free: u64,
    /// Size of the file system in bytes.
    pub total: u64,
}

impl Space {
    /// Reads the values for the file system of `path`.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let stat = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Self { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
    }
}

/// The owner of files: tenant and stream.
pub type Owner = (String, String);

/// The counts of a storage folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<UsageState>);

#[derive(Debug)]
struct UsageState {
    root: PathBuf,
    /// Locked while folders are scanned, never while counts are read.
    scans: Mutex<BTreeMap<Owner, Scan>>,
    shown: Mutex<BTreeMap<Owner, Totals>>,
    components: Components,
    changes: watch::Sender<u64>,
}

impl Ledger {
    /// Creates the counts without scanning.
    pub fn new(root: &Path) -> Self {
        Self(Arc::new(UsageState {
            root: root.to_owned(),
            scans: Mutex::default(),
            shown: Mutex::default(),
            components: Components::default(),
            changes: watch::Sender::new(0),
        }))
    }

    /// The totals of a stream.
    pub fn stream(&self, tenant: &str, stream: &str) -> Totals {
        self.shown().get(&(tenant.to_owned(), stream.to_owned())).copied().unwrap_or_default()
    }

    /// The totals of a tenant.
    pub fn tenant(&self, tenant: &str) -> Totals {
        let mut totals = self.sum(|owner| owner.0 == tenant);
        self.0.components.sizes(tenant).into_iter().for_each(|bytes| totals.add_file(FileKind::Components, bytes));
        totals
    }

    /// The totals of all tenants.
    pub fn all(&self) -> Totals {
        let mut totals = self.sum(|_| true);
        for tenant in self.0.components.tenants() {
            self.0.components.sizes(&tenant).into_iter().for_each(|bytes| totals.add_file(FileKind::Components, bytes));
        }
        totals
    }

    /// The tenants' stage components, which count towards their quotas.
    pub fn components(&self) -> &Components {
        &self.0.components
    }

    /// Every stream that has files, with its totals.
    pub fn streams(&self) -> Vec<(Owner, Totals)> {
        self.shown().iter().map(|(owner, totals)| (owner.clone(), *totals)).collect()
    }

    /// The file system of the storage folder.
    pub fn space(&self) -> std::io::Result<Space> {
        Space::of(&self.0.root)
    }

    /// A number that rises whenever a count changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Scans every stream of every tenant, including streams without a pipeline. Blocks.
    pub fn look_at_all(&self) {
        let found = scan::streams(&self.0.root);
        self.lock_scans().retain(|owner, _| found.contains(owner));
        self.shown().retain(|owner, _| found.contains(owner));
        for (tenant, stream) in found {
            self.look(&tenant, &stream);
        }
    }

    /// Scans one stream. Blocks.
    pub fn look(&self, tenant: &str, stream: &str) {
        let owner = (tenant.to_owned(), stream.to_owned());
        let files = self.files(tenant, stream);
        let mut scans = self.lock_scans();
        let scan = scans.entry(owner.clone()).or_default();
        scan.look(&files);
        let totals = scan.totals();
        if self.shown().insert(owner, totals) != Some(totals) {
            self.0.changes.send_modify(|count| *count += 1);
        }
    }

    /// Makes the next scan count the stream from scratch, because another run may have overwritten files.
    pub fn distrust(&self, tenant: &str, stream: &str) {
        if let Some(scan) = self.lock_scans().get_mut(&(tenant.to_owned(), stream.to_owned())) {
            scan.distrust();
        }
    }

    /// Bytes of some batches with their segments. Each batch is given as its number and the indices of its first and
    /// last segment.
    pub fn batches(&self, tenant: &str, stream: &str, batches: &[(u64, u64, u64)]) -> Vec<u64> {
        let scans = self.lock_scans();
        let Some(scan) = scans.get(&(tenant.to_owned(), stream.to_owned())) else { return vec![0; batches.len()] };
        batches.iter().map(|(number, first, last)| scan.batch(*number, *first, *last)).collect()
    }

    /// The folders of a stream, whether they exist or not.
    pub(super) fn files(&self, tenant: &str, stream: &str) -> StreamFiles {
        StreamFiles::below(&self.0.root.join(tenant), stream)
    }

    /// Removes the folders of a stream. Blocks.
    pub(super) fn remove(&self, tenant: &str, stream: &str) {
        let files = self.files(tenant, stream);
        for dir in [files.segments, files.batches, files.logs] {
            match std::fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(path = %dir.display(), %error, "cannot remove a folder");
                }
                _ => {}
            }
        }
        self.look(tenant, stream);
        let owner = (tenant.to_owned(), stream.to_owned());
        self.lock_scans().remove(&owner);
        self.shown().remove(&owner);
    }

    /// Removes the folder of a tenant. Blocks.
    pub(super) fn remove_tenant(&self, tenant: &str) -> std::io::Result<()> {
        // An empty name would be the storage folder itself.
        check_name("tenant", tenant).map_err(std::io::Error::other)?;
        match std::fs::remove_dir_all(self.0.root.join(tenant)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.lock_scans().retain(|owner, _| owner.0 != tenant);
        self.shown().retain(|owner, _| owner.0 != tenant);
        self.0.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    fn sum(&self, wanted: impl Fn(&Owner) -> bool) -> Totals {
        let mut sum = Totals::default();
        self.shown().iter().filter(|(owner, _)| wanted(owner)).for_each(|(_, totals)| sum.add(totals));
        sum
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<Owner, Totals>> {
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_scans(&self) -> MutexGuard<'_, BTreeMap<Owner, Scan>> {
        self.0.scans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
