//! Writes downloads to disk: decrypts, checks and writes them in large pieces to a temporary file, which is renamed
//! when complete and removed if it is not needed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::container::{SNIFF_BYTES, SNIFF_BYTES_MAX, Start, TS_PACKET, sniff};
use super::crypt::Chain;
use super::error::FetchError;
use crate::limits::SEGMENT_WRITE_BYTES;
use outboard_media::segment::Container;

const SUFFIX: &str = ".part";
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A temporary file that is removed on drop unless it is kept.
#[derive(Debug)]
pub(super) struct TempFile(Option<PathBuf>);

impl TempFile {
    fn new(dir: &Path) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(Some(dir.join(format!(".{}-{number}{SUFFIX}", std::process::id()))))
    }

    /// Writes a small file at once.
    pub(super) async fn write(dir: &Path, bytes: &[u8]) -> io::Result<Self> {
        let temp = Self::new(dir);
        tokio::fs::write(temp.path(), bytes).await?;
        Ok(temp)
    }

    /// Returns the path of the temporary file.
    pub(super) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Renames the file to its final name, replacing a file of an interrupted run.
    pub(super) async fn keep(mut self, name: &Path) -> io::Result<()> {
        tokio::fs::rename(self.path(), name).await?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // One unlink; if it fails, the sweep at the next start removes the file.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes incomplete files of an interrupted run.
///
/// # Errors
/// The folder cannot be read.
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

/// A complete file that does not have its final name yet.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) file: TempFile,
    pub(super) bytes: u64,
    pub(super) container: Container,
    /// Bytes before the media that were dropped.
    pub(super) junk: u64,
}

/// A media file that is being written.
pub(super) struct MediaFile {
    temp: TempFile,
    file: File,
    /// Bytes that are not written yet; for encrypted media, the last block is always among them.
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that are clear text.
    clear: usize,
    chain: Option<Chain>,
    start: Option<Start>,
    /// Bytes in the buffer at which it is processed.
    enough: usize,
    bytes: u64,
}

impl MediaFile {
    /// Creates a temporary file in `dir`; `chain` decrypts it.
    ///
    /// # Errors
    /// [`FetchError::Disk`] if the file cannot be created.
    pub(super) async fn create(dir: &Path, chain: Option<Chain>) -> Result<Self, FetchError> {
        let temp = TempFile::new(dir);
        let file = File::create(temp.path()).await?;
        let buffer = Vec::with_capacity(SEGMENT_WRITE_BYTES + 64 * 1024);
        // The first piece is small, so that an error page is refused early.
        let enough = SNIFF_BYTES + 32;
        Ok(Self { temp, file, buffer, clear: 0, chain, start: None, enough, bytes: 0 })
    }

    /// Appends the next bytes of the body.
    ///
    /// # Errors
    /// [`FetchError::Content`] as soon as the bytes are known not to be media; [`FetchError::Disk`].
    pub(super) async fn push(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() < self.enough {
            return Ok(());
        }
        let (_, rest) = self.buffer.split_at_mut(self.clear);
        self.clear += match &mut self.chain {
            Some(chain) => chain.advance(rest),
            None => rest.len(),
        };
        self.write(false).await
    }

    /// Completes the file at the end of the body.
    ///
    /// # Errors
    /// Those of [`Self::push`], and [`FetchError::Decrypt`] if the end does not match the key.
    pub(super) async fn finish(mut self) -> Result<Whole, FetchError> {
        let (_, rest) = self.buffer.split_at_mut(self.clear);
        self.clear += match self.chain.take() {
            Some(chain) => chain.finish(rest)?,
            None => rest.len(),
        };
        self.buffer.truncate(self.clear);
        self.write(true).await?;
        let Some(start) = self.start else { return Err(FetchError::Empty) };
        self.file.flush().await?;
        Ok(Whole { file: self.temp, bytes: self.bytes, container: start.container, junk: start.junk() as u64 })
    }

    /// Writes the clear bytes of the buffer, without those before the media; `whole`: no more bytes follow.
    async fn write(&mut self, whole: bool) -> Result<(), FetchError> {
        let ready = self.buffer.get(..self.clear).unwrap_or_default();
        if ready.is_empty() {
            return Ok(());
        }
        let start = match self.start {
            Some(start) => start,
            None => {
                let head = ready.get(..SNIFF_BYTES_MAX.min(ready.len())).unwrap_or_default();
                let Some(start) = sniff(head, whole)? else {
                    self.enough = self.buffer.len().saturating_mul(2);
                    return Ok(());
                };
                (self.start, self.enough) = (Some(start), SEGMENT_WRITE_BYTES);
                self.buffer.drain(..start.skip);
                self.clear -= start.skip;
                start
            }
        };
        let ready = self.buffer.get(..self.clear).unwrap_or_default();
        let done = if start.stride == TS_PACKET {
            self.file.write_all(ready).await?;
            self.bytes += ready.len() as u64;
            ready.len()
        } else {
            // Only the packets, without the bytes between them.
            let packets = ready.chunks(start.stride).filter_map(|packet| packet.get(..TS_PACKET));
            let strides = ready.len() / start.stride;
            let kept = packets.take(if whole { usize::MAX } else { strides }).collect::<Vec<_>>().concat();
            self.file.write_all(&kept).await?;
            self.bytes += kept.len() as u64;
            if whole { ready.len() } else { strides * start.stride }
        };
        self.buffer.drain(..done);
        self.clear -= done;
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

    async fn written(dir: &Path, media: &[u8], chunk: usize, chain: Option<Chain>) -> (Vec<u8>, u64) {
        let mut file = MediaFile::create(dir, chain).await.unwrap();
        for chunk in media.chunks(chunk) {
            file.push(chunk).await.unwrap();
        }
        let whole = file.finish().await.unwrap();
        let bytes = std::fs::read(whole.file.path()).unwrap();
        assert_eq!(whole.bytes, bytes.len() as u64);
        (bytes, whole.junk)
    }

    /// Packets that contain their number, each followed by `between` bytes.
    fn packets(count: usize, between: usize) -> Vec<u8> {
        let packet =
            |n: usize| [vec![0x47, 0x1F, 0xFF, 0x10], vec![(n % 251) as u8; 184], vec![0x33; between]].concat();
        (0..count).flat_map(packet).collect()
    }

    #[tokio::test]
    async fn what_stands_before_and_between_packets_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let clean = packets(3000, 0);
        for junk in [0, 1, 376, 5000, 60_000] {
            let media = [vec![0xFF; junk], clean.clone()].concat();
            for chunk in [100, 1460, 1_000_000] {
                assert!(
                    written(dir.path(), &media, chunk, None).await == (clean.clone(), junk as u64),
                    "{junk} by {chunk}"
                );
            }
        }
        for chunk in [100, 1460, 1_000_000] {
            let stamped = [vec![0x33; 4], packets(3000, 4)].concat();
            let stamped = &stamped[..stamped.len() - 4];
            assert!(written(dir.path(), stamped, chunk, None).await == (clean.clone(), 0), "192 by {chunk}");
            assert!(written(dir.path(), &packets(3000, 16), chunk, None).await == (clean.clone(), 0), "204 by {chunk}");
        }
    }

    #[tokio::test]
    async fn encrypted_media_is_decrypted_once_however_long_the_look_takes() {
        use cbc::cipher::block_padding::Pkcs7;
        use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
        let dir = tempfile::tempdir().unwrap();
        let (key, iv) = (*b"0123456789abcdef", *b"fedcba9876543210");
        let media = [vec![0xFF; 20_000], packets(500, 0)].concat();
        let cipher = cbc::Encryptor::<aes::Aes128>::new(&key.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(&media);
        for chunk in [100, 1460, 1_000_000] {
            let (bytes, junk) = written(dir.path(), &cipher, chunk, Some(Chain::new(&key, &iv))).await;
            assert!(bytes == packets(500, 0) && junk == 20_000, "by {chunk}");
        }
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
