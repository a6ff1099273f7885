//! Bytes on their way to disk: decrypted, checked and written in large pieces to a temporary file that is renamed when
//! it is whole, and removed when nobody wants it any more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::container::{SNIFF_BYTES, sniff};
use super::crypt::Chain;
use super::error::FetchError;
use super::segment::Container;
use crate::limits::SEGMENT_WRITE_BYTES;

const SUFFIX: &str = ".part";
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file that disappears unless it is kept.
#[derive(Debug)]
pub(super) struct TempFile(Option<PathBuf>);

impl TempFile {
    fn new(dir: &Path) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(Some(dir.join(format!(".{}-{number}{SUFFIX}", std::process::id()))))
    }

    /// A small file at once.
    pub(super) async fn write(dir: &Path, bytes: &[u8]) -> io::Result<Self> {
        let temp = Self::new(dir);
        tokio::fs::write(temp.path(), bytes).await?;
        Ok(temp)
    }

    /// Where it is for now.
    pub(super) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Gives the file its final name, replacing what an interrupted run may have left under it.
    pub(super) async fn keep(mut self, name: &Path) -> io::Result<()> {
        tokio::fs::rename(self.path(), name).await?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // One unlink; what cannot be removed now is swept at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes what an interrupted run left half-written.
///
/// # Errors
/// The directory cannot be read.
pub(super) async fn sweep(dir: &Path) -> io::Result<()> {
    let mut entries = tokio::fs::read_dir(dir).await?;
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(SUFFIX) {
            let _ = tokio::fs::remove_file(entry.path()).await;
        }
    }
    Ok(())
}

/// A whole file, not yet under its final name.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) file: TempFile,
    pub(super) bytes: u64,
    pub(super) container: Container,
}

/// A media file that is being written.
pub(super) struct MediaFile {
    temp: TempFile,
    file: File,
    /// Bytes not yet written; with a chain, the last block is always among them.
    buffer: Vec<u8>,
    chain: Option<Chain>,
    container: Option<Container>,
    bytes: u64,
}

impl MediaFile {
    /// # Errors
    /// [`FetchError::Disk`].
    pub(super) async fn create(dir: &Path, chain: Option<Chain>) -> Result<Self, FetchError> {
        let temp = TempFile::new(dir);
        let file = File::create(temp.path()).await?;
        let buffer = Vec::with_capacity(SEGMENT_WRITE_BYTES + 64 * 1024);
        Ok(Self { temp, file, buffer, chain, container: None, bytes: 0 })
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// [`FetchError::Content`] as soon as the bytes are seen to be no media; [`FetchError::Disk`].
    pub(super) async fn push(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        self.buffer.extend_from_slice(chunk);
        // The first piece is small, so that an error page is refused before it costs anything.
        let enough = if self.container.is_none() { SNIFF_BYTES + 32 } else { SEGMENT_WRITE_BYTES };
        if self.buffer.len() < enough {
            return Ok(());
        }
        let clear = match &mut self.chain {
            Some(chain) => chain.advance(&mut self.buffer),
            None => self.buffer.len(),
        };
        self.write(clear).await
    }

    /// The body is complete.
    ///
    /// # Errors
    /// As [`Self::push`], and [`FetchError::Decrypt`] where the end does not fit the key.
    pub(super) async fn finish(mut self) -> Result<Whole, FetchError> {
        let clear = match self.chain.take() {
            Some(chain) => chain.finish(&mut self.buffer)?,
            None => self.buffer.len(),
        };
        self.buffer.truncate(clear);
        self.write(clear).await?;
        let Some(container) = self.container else { return Err(FetchError::Empty) };
        self.file.flush().await?;
        Ok(Whole { file: self.temp, bytes: self.bytes, container })
    }

    /// Writes the first `clear` bytes of the buffer.
    async fn write(&mut self, clear: usize) -> Result<(), FetchError> {
        let ready = self.buffer.get(..clear).unwrap_or_default();
        if ready.is_empty() {
            return Ok(());
        }
        if self.container.is_none() {
            self.container = Some(sniff(ready)?);
        }
        self.file.write_all(ready).await?;
        self.bytes += clear as u64;
        self.buffer.drain(..clear);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut media = vec![0; 188 * 4000];
        media.iter_mut().step_by(188).for_each(|byte| *byte = 0x47);
        let mut file = MediaFile::create(dir.path(), None).await.unwrap();
        for chunk in media.chunks(10_000) {
            file.push(chunk).await.unwrap();
        }
        let whole = file.finish().await.unwrap();
        assert_eq!((whole.bytes, whole.container), (media.len() as u64, Container::MpegTs));
        let name = dir.path().join("segment-0.ts");
        whole.file.keep(&name).await.unwrap();
        assert_eq!(names(dir.path()), ["segment-0.ts"]);
        assert!(std::fs::read(name).unwrap() == media);
    }

    #[tokio::test]
    async fn what_is_no_media_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut page = MediaFile::create(dir.path(), None).await.unwrap();
        assert!(matches!(page.push(&[b'<'; 2000]).await, Err(FetchError::Content { .. })));
        drop(page);
        let empty = MediaFile::create(dir.path(), None).await.unwrap();
        assert!(matches!(empty.finish().await, Err(FetchError::Empty)));
        let short = MediaFile::create(dir.path(), None).await.unwrap();
        drop(short);
        assert!(names(dir.path()).is_empty());
    }

    #[tokio::test]
    async fn a_start_sweeps_what_a_kill_left() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".1-2.part", "segment-1.ts", "other.part"] {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        sweep(dir.path()).await.unwrap();
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, ["other.part", "segment-1.ts"]);
        assert!(sweep(&dir.path().join("none")).await.is_err());
    }
}
