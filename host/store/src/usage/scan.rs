//! The state of one stream's folders at the last scan.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirEntry, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::FileKind;
use super::Owner;
use super::Totals;
use crate::files::STREAM_FOLDERS;
use crate::files::StreamFiles;
use crate::files::check_name;
use crate::files::names;

/// A folder that changed less than this before a scan may change again within the same tick of the file system's clock.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// The result of the last scan.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Segment files and their lengths by index. A file with its final name is complete, so its length does not change.
    segments: BTreeMap<u64, BTreeMap<Box<str>, u64>>,
    batches: BTreeMap<u64, Batch>,
    /// Initialization sections, unfinished files and logs, counted again in each scan.
    rest: Totals,
    /// The next scan counts everything again. Until then these values are used.
    distrusted: bool,
}

#[derive(Debug, Clone, Default)]
struct Batch {
    /// When the folder last changed; `None`: the folder must be counted again.
    settled: Option<SystemTime>,
    totals: Totals,
}

impl Scan {
    pub(super) fn distrust(&mut self) {
        self.distrusted = true;
    }

    pub(super) fn look(&mut self, files: &StreamFiles) {
        if self.distrusted {
            *self = Self::default();
        }
        self.rest = Totals::default();
        self.look_at_segments(&files.segments);
        self.look_at_batches(&files.batches);
        for (_, facts) in entries(&files.logs) {
            if facts.is_file() {
                self.rest.add_file(FileKind::Logs, facts.len());
            }
        }
        for (_, facts) in entries(&files.evidence) {
            if facts.is_file() {
                self.rest.add_file(FileKind::Other, facts.len());
            }
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let mut sum = self.rest;
        self.batches.values().for_each(|batch| sum.add(&batch.totals));
        for bytes in self.segments.values().flat_map(BTreeMap::values) {
            sum.add_file(FileKind::OriginalSegments, *bytes);
        }
        sum
    }

    pub(super) fn batch(&self, number: u64, first: u64, last: u64) -> u64 {
        let folder = self.batches.get(&number).map_or(0, |batch| batch.totals.all().bytes);
        let segments = if first <= last { Some(self.segments.range(first..=last)) } else { None };
        folder + segments.into_iter().flatten().flat_map(|(_, files)| files.values()).sum::<u64>()
    }

    fn look_at_segments(&mut self, dir: &Path) {
        let mut known = std::mem::take(&mut self.segments);
        for entry in list(dir) {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let index = segment_index(name);
            let known = index.and_then(|index| known.get_mut(&index)?.remove(name));
            let Some(bytes) = known.or_else(|| Some(entry.metadata().ok()?.len())) else { continue };
            match index {
                Some(index) => {
                    self.segments.entry(index).or_default().insert(name.into(), bytes);
                }
                None => self.rest.add_file(FileKind::Other, bytes),
            }
        }
    }

    fn look_at_batches(&mut self, dir: &Path) {
        let mut known = std::mem::take(&mut self.batches);
        for entry in list(dir) {
            let number = entry.file_name().to_str().and_then(|name| name.strip_prefix("batch-")?.parse::<u64>().ok());
            let (Some(number), Ok(facts)) = (number, entry.metadata()) else { continue };
            if !facts.is_dir() {
                continue;
            }
            let changed = facts.modified().ok();
            let batch = match known.remove(&number) {
                Some(batch) if batch.settled.is_some() && batch.settled == changed => batch,
                _ => count(&entry.path(), changed),
            };
            self.batches.insert(number, batch);
        }
    }
}

/// The index in the name of a segment's file.
pub(crate) fn segment_index(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.split(['.', '-']).next()?.parse().ok()
}

fn count(dir: &Path, changed: Option<SystemTime>) -> Batch {
    let mut totals = Totals::default();
    let mut growing = false;
    for (name, facts) in entries(dir) {
        growing |= name.ends_with(".part");
        totals.add_file(kind_of(&name), facts.len());
    }
    // A file that is being written grows without changing its folder's time.
    let quiet = changed.and_then(|at| at.elapsed().ok()).is_some_and(|since| since >= SETTLED_AFTER);
    Batch { settled: changed.filter(|_| quiet && !growing), totals }
}

fn kind_of(name: &str) -> FileKind {
    match name {
        names::VIDEO => FileKind::VideoFragments,
        names::AUDIO => FileKind::AudioFragments,
        names::PROCESSED_AUDIO => FileKind::ProcessedAudio,
        names::OUTPUT => FileKind::RemuxedOutput,
        name if name.starts_with("reply.") && !name.ends_with(".part") => FileKind::ProcessedAudio,
        _ => FileKind::Other,
    }
}

/// Lists a folder; empty if it cannot be read. Files may disappear during the scan.
fn list(dir: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(dir).into_iter().flatten().flatten()
}

fn entries(dir: &Path) -> impl Iterator<Item = (String, Metadata)> {
    list(dir).filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?)))
}

/// Every stream that has a folder.
pub(super) fn streams(root: &Path) -> BTreeSet<Owner> {
    let folders = |dir: &Path| {
        let names = entries(dir).filter(|(name, facts)| facts.is_dir() && check_name("name", name).is_ok());
        names.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let mut found = BTreeSet::new();
    for tenant in folders(root) {
        for folder in STREAM_FOLDERS {
            let streams = folders(&root.join(&tenant).join(folder));
            found.extend(streams.into_iter().map(|stream| (tenant.clone(), stream)));
        }
    }
    found
}
