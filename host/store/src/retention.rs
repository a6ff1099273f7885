//! Chooses and removes the files of a stream that exceed its retention: finished batches with their segments, oldest
//! first. Unfinished batches are never removed.
//!
//! The choice is a pure function. Only the journal decides what is finished. Files are removed before the journal's
//! rows, so that a restart in between finds them again. [`super::janitor`] decides when to run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::files::StreamFiles;
use super::journal::{FinishedBatch, JournalError, SegmentInit, StreamJournal};
use super::usage::segment_index;

/// The retention of a pipeline for batches that were on air. A batch that exceeds any of these limits is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Maximum number of batches.
    pub batches: usize,
    /// Maximum time since the batch was done.
    pub max_age: Option<Duration>,
    /// Maximum bytes of all files of the stream, including those not yet on air.
    pub max_bytes: Option<u64>,
}

impl Keep {
    /// Keeps this number of batches, of any age and size.
    pub fn newest(batches: usize) -> Self {
        Self { batches, max_age: None, max_bytes: None }
    }

    /// Number of oldest batches to remove.
    pub fn surplus(&self, held: &Held, now_ms: u64) -> usize {
        let many = held.count.saturating_sub(self.batches);
        let old = self.max_age.map_or(0, |age| {
            let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            held.oldest.iter().take_while(|batch| batch.done_ms.saturating_add(age_ms) < now_ms).count()
        });
        let large = self.max_bytes.map_or(0, |max| {
            let mut bytes = held.bytes;
            let over = |batch: &&Candidate| {
                let over = bytes > max;
                bytes = bytes.saturating_sub(batch.bytes);
                over
            };
            held.oldest.iter().take_while(over).count()
        });
        many.max(old).max(large).min(held.oldest.len())
    }
}

/// The files of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Number of finished batches.
    pub count: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// The oldest finished batches, oldest first.
    pub oldest: Vec<Candidate>,
}

/// A finished batch that may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Number of the batch.
    pub batch: u64,
    /// Bytes of the batch's folder and of its segments.
    pub bytes: u64,
    /// When the batch was done, Unix time in milliseconds.
    pub done_ms: u64,
    /// Indices of the first and last segment.
    #[serde(skip)]
    pub segments: (u64, u64),
}

impl Candidate {
    /// A finished batch of the given size in bytes.
    pub fn new(batch: FinishedBatch, bytes: u64) -> Self {
        Self { batch: batch.number, bytes, done_ms: batch.done_ms, segments: (batch.first, batch.last) }
    }
}

/// Removes the files of these batches and returns the numbers of those whose folder is gone. Blocks.
pub fn remove(files: &StreamFiles, batches: &[Candidate]) -> Vec<u64> {
    remove_segments(&files.segments, |index| {
        batches.iter().any(|batch| (batch.segments.0..=batch.segments.1).contains(&index))
    });
    batches.iter().map(|batch| batch.batch).filter(|number| remove_dir(&files.batch(*number))).collect()
}

/// Removes all batches and segments. Blocks.
pub fn remove_media(files: &StreamFiles) {
    remove_dir(&files.batches);
    remove_dir(&files.segments);
}

/// Removes initialization sections that no segment on disk needs and that have not been used since `unused_since`.
/// Blocks.
///
/// Removes nothing while a segment is on disk that the journal does not know (of an earlier run, or not yet recorded):
/// such a segment may need any of them.
pub fn remove_inits(files: &StreamFiles, known: &[SegmentInit], unused_since: SystemTime) {
    let on_disk: BTreeSet<u64> = list(&files.segments).filter_map(|(name, _)| segment_index(&name)).collect();
    let indices: BTreeSet<u64> = known.iter().map(|(index, _)| *index).collect();
    if !on_disk.is_subset(&indices) {
        return;
    }
    let needed: BTreeSet<&Path> =
        known.iter().filter(|(index, _)| on_disk.contains(index)).filter_map(|(_, init)| init.as_deref()).collect();
    for (path, facts) in inits(files) {
        if !needed.contains(path.as_path()) && facts.modified().is_ok_and(|at| at < unused_since) {
            remove_file(&path);
        }
    }
}

/// The initialization sections of a stream, with their metadata.
pub fn inits(files: &StreamFiles) -> impl Iterator<Item = (PathBuf, std::fs::Metadata)> {
    let found = list(&files.segments).filter(|(name, _)| name.starts_with("init-"));
    found.filter_map(|(_, entry)| Some((entry.path(), entry.metadata().ok()?)))
}

/// Removes segments of an earlier run that belong to no batch. They exist when a run ended after a fixed number of
/// batches, because the source fetches ahead.
pub async fn clean_unused(journal: &StreamJournal, files: &StreamFiles) -> Result<(), JournalError> {
    let done = journal.done().await?;
    let used = |index: u64| done.iter().any(|(_, first, last)| (*first..=*last).contains(&index));
    remove_segments(&files.segments, |index| !used(index));
    Ok(())
}

/// Removes files with a temporary name, which an earlier run did not complete.
pub async fn sweep(files: &StreamFiles) {
    let mut dirs = vec![files.segments.clone(), files.batches.clone()];
    while let Some(dir) = dirs.pop() {
        let Ok(mut entries) = tokio::fs::read_dir(&dir).await else { continue };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let path = entry.path();
            if entry.file_type().await.is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| end == "part") {
                remove_file(&path);
            }
        }
    }
}

fn remove_segments(dir: &Path, wanted: impl Fn(u64) -> bool) {
    for (name, entry) in list(dir) {
        if segment_index(&name).is_some_and(&wanted) {
            remove_file(&entry.path());
        }
    }
}

fn list(dir: &Path) -> impl Iterator<Item = (String, std::fs::DirEntry)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry)))
}

fn remove_file(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove a file");
        }
        _ => {}
    }
}

/// Removes a folder; returns true if it is gone.
fn remove_dir(path: &Path) -> bool {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove a folder");
            false
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests;
