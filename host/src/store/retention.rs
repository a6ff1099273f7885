//! Cleans what went on air: keeps the newest batches, never touches one that is not done.

use std::path::Path;

use super::files::StreamFiles;
use super::journal::{JournalError, StreamJournal};

/// Removes done batches beyond the newest `keep`: files first, then the journal's rows, so that a restart in between
/// finds them again. Answers how many were removed.
pub async fn clean(journal: &StreamJournal, files: &StreamFiles, keep: usize) -> Result<usize, JournalError> {
    let done = journal.done().await?;
    let Some(over) = done.len().checked_sub(keep).filter(|over| *over > 0) else { return Ok(0) };
    for (number, first, last) in done.into_iter().take(over) {
        remove_dir(&files.batch(number)).await;
        remove_segments(&files.segments, |index| (first..=last).contains(&index)).await;
        journal.forget(number).await?;
    }
    Ok(over)
}

/// Removes segments of an earlier run that are in no batch: where a run was told to stop after so many batches, the source
/// is ahead.
pub async fn clean_unused(journal: &StreamJournal, files: &StreamFiles) -> Result<(), JournalError> {
    let done = journal.done().await?;
    let used = |index: u64| done.iter().any(|(_, first, last)| (*first..=*last).contains(&index));
    remove_segments(&files.segments, |index| !used(index)).await;
    Ok(())
}

/// Removes what an earlier run left half-written: files with a temporary name.
pub async fn sweep(files: &StreamFiles) {
    let mut dirs = vec![files.segments.clone(), files.batches.clone()];
    while let Some(dir) = dirs.pop() {
        let Ok(mut entries) = tokio::fs::read_dir(&dir).await else { continue };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let path = entry.path();
            if entry.file_type().await.is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| end == "part") {
                remove_file(&path).await;
            }
        }
    }
}

async fn remove_segments(dir: &Path, wanted: impl Fn(u64) -> bool) {
    let Ok(mut entries) = tokio::fs::read_dir(dir).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let index =
            name.to_str().and_then(|name| name.strip_prefix("segment-")?.split(['.', '-']).next()?.parse::<u64>().ok());
        if index.is_some_and(&wanted) {
            remove_file(&entry.path()).await;
        }
    }
}

async fn remove_file(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(path = %path.display(), %error, "cannot remove a file");
    }
}

async fn remove_dir(path: &Path) {
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove a folder");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::Storage;
    use super::super::journal::{CutRecord, Journal, Step};
    use super::*;

    #[tokio::test]
    async fn keeps_the_newest_and_all_that_is_not_done() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(dir.path()).unwrap();
        let files = storage.stream("default", "tv").unwrap();
        let (journal, _) = Journal::open(&storage.journal()).unwrap().begin("default", "tv", "u").await.unwrap();
        for number in 0..5_u64 {
            std::fs::write(files.make_batch(number).unwrap().join("output.fmp4"), b"x").unwrap();
            std::fs::write(files.segments.join(format!("segment-{number}.ts")), b"x").unwrap();
            std::fs::write(files.segments.join(format!("segment-{number}-audio-0.m4s")), b"x").unwrap();
            let cut = CutRecord {
                number,
                first: number,
                last: number,
                reason: "length".into(),
                discontinuity: false,
                complete_ms: 0,
            };
            journal.segment(None, vec![cut], None).await.unwrap();
            if number != 1 {
                journal.step(number, Step::Done).await.unwrap();
            }
        }
        assert_eq!(clean(&journal, &files, 2).await.unwrap(), 2);
        let left: Vec<bool> = (0..5).map(|number| files.batch(number).exists()).collect();
        assert_eq!(left, [false, true, false, true, true]);
        let segments = std::fs::read_dir(&files.segments).unwrap().count();
        assert_eq!(segments, 6);
        assert_eq!(clean(&journal, &files, 2).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn sweeps_temporary_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(dir.path()).unwrap();
        let files = storage.stream("default", "tv").unwrap();
        let batch = files.make_batch(0).unwrap();
        for name in ["video.fmp4", "audio.fmp4.part"] {
            std::fs::write(batch.join(name), b"x").unwrap();
        }
        sweep(&files).await;
        assert!(batch.join("video.fmp4").exists() && !batch.join("audio.fmp4.part").exists());
    }
}
