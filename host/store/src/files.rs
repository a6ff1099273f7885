//! The folders and files below `storage/`, and the lock that allows one host per storage folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use outboard_base::NameError;
pub use outboard_base::check_name;

use outboard_base::room;

/// Why a storage folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file or folder could not be created, read or removed.
    #[error("storage {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Another process holds the lock.
    #[error("storage {path} is in use by another outboard process; stop it or choose another --storage")]
    InUse {
        /// Path of the storage folder that is locked.
        path: PathBuf,
    },
    /// The name of a tenant or stream is not valid as a folder's name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FilesError {
    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if room::is_full(source))
    }
}

/// A storage folder that this process has locked.
#[derive(Debug)]
pub struct Storage {
    root: PathBuf,
    _lock: File,
}

impl Storage {
    /// Opens or creates the folder and takes its lock (`outboard.lock`). The lock is released when the process ends.
    pub fn open(root: &Path) -> Result<Self, FilesError> {
        make(root)?;
        // The path must be absolute: ffmpeg runs in other folders.
        let root = root.canonicalize().map_err(|source| FilesError::Io { path: root.to_owned(), source })?;
        let path = root.join("outboard.lock");
        let lock = File::create(&path).map_err(|source| FilesError::Io { path, source })?;
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                sweep_scratch(&root);
                Ok(Self { root, _lock: lock })
            }
            Err(_) => Err(FilesError::InUse { path: root }),
        }
    }

    /// Creates a folder for temporary files; it is removed when the result is dropped.
    ///
    /// # Errors
    /// [`FilesError::Io`] if the folder cannot be created.
    pub fn scratch(&self) -> Result<tempfile::TempDir, FilesError> {
        let made = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&self.root);
        made.map_err(|source| FilesError::Io { path: self.root.clone(), source })
    }

    /// Returns the path of the storage folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of the journal.
    pub fn journal(&self) -> PathBuf {
        database_file(&self.root)
    }

    /// The path of the key that authenticates compiled components.
    pub fn key(&self) -> PathBuf {
        self.root.join("outboard.key")
    }

    /// The folder of compiled components.
    pub fn aot(&self) -> PathBuf {
        aot_dir(&self.root)
    }

    /// The path of a stage component, see [`component_file`].
    pub fn component(&self, digest: &str) -> Option<PathBuf> {
        component_file(&self.root, digest)
    }

    /// The folders of one stream, whether they exist or not. The names were checked when the stream was created.
    pub fn find(&self, tenant: &str, stream: &str) -> StreamFiles {
        StreamFiles::below(&self.root.join(tenant), stream)
    }

    /// Creates the folders of one stream.
    pub fn stream(&self, tenant: &str, stream: &str) -> Result<StreamFiles, FilesError> {
        check_name("tenant", tenant)?;
        check_name("stream id", stream)?;
        let files = StreamFiles::below(&self.root.join(tenant), stream);
        for dir in [&files.segments, &files.batches, &files.logs] {
            make(dir)?;
        }
        Ok(files)
    }
}

/// The path of the database in a storage folder.
pub fn database_file(storage: &Path) -> PathBuf {
    storage.join("outboard.db")
}

/// The folder of compiled components in a storage folder.
pub fn aot_dir(storage: &Path) -> PathBuf {
    storage.join("aot")
}

/// The folder of stage components in a storage folder.
pub fn components_dir(storage: &Path) -> PathBuf {
    storage.join("stages")
}

/// The folder where the operator puts components for all tenants.
pub fn shared_stages_dir(storage: &Path) -> PathBuf {
    components_dir(storage).join("shared")
}

/// The folder where components for one tenant are put.
pub fn tenant_stages_dir(storage: &Path, tenant: &str) -> PathBuf {
    storage.join(tenant).join("stages")
}

/// The path of a stage component, whether it exists or not. `None` if `digest` is not `sha256:` and 64 hexadecimal
/// digits.
pub fn component_file(storage: &Path, digest: &str) -> Option<PathBuf> {
    let hex = digest.strip_prefix("sha256:")?;
    let fits = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| components_dir(storage).join(format!("{hex}.wasm")))
}

/// Stores a component under its digest and returns the digest. The file is written completely or not at all.
///
/// # Errors
/// [`FilesError`] if the file cannot be read or stored.
pub async fn keep_component(storage: &Path, file: &Path) -> Result<String, FilesError> {
    let bytes = tokio::fs::read(file).await;
    keep_component_bytes(storage, &bytes.map_err(|source| FilesError::Io { path: file.to_owned(), source })?).await
}

/// [`keep_component`] for bytes in memory.
///
/// # Errors
/// [`FilesError`] if the bytes cannot be stored.
pub async fn keep_component_bytes(storage: &Path, bytes: &[u8]) -> Result<String, FilesError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| FilesError::Io { path, source }
    };
    let digest = format!("sha256:{}", outboard_base::Digest::of(bytes));
    let dir = components_dir(storage);
    let Some(kept) = component_file(storage, &digest).filter(|kept| !kept.is_file()) else { return Ok(digest) };
    tokio::fs::create_dir_all(&dir).await.map_err(failed(&dir))?;
    let part = kept.with_extension("wasm.part");
    tokio::fs::write(&part, bytes).await.map_err(failed(&part))?;
    tokio::fs::rename(&part, &kept).await.map_err(failed(&kept))?;
    Ok(digest)
}

/// The folders of a tenant that contain one folder per stream.
pub const STREAM_FOLDERS: [&str; 4] = ["original_stream", "processed_fragments", "logs", "evidence"];

/// Prefix of temporary folders; no tenant's name may begin with it.
const SCRATCH: &str = ".scratch-";

/// Removes temporary folders that a killed process left.
fn sweep_scratch(root: &Path) {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SCRATCH)) {
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "failed to remove a temporary folder of an earlier run");
        }
    }
}

/// The folders of one stream.
#[derive(Debug, Clone)]
pub struct StreamFiles {
    /// The folder `original_stream/<stream>/`, which holds segments as `segment-<n>.ts` or `segment-<n>.m4s`.
    pub segments: PathBuf,
    /// The folder `processed_fragments/<stream>/`, which holds the files of each batch in `batch-<n>/`.
    pub batches: PathBuf,
    /// The folder `logs/<stream>/`, which holds the stream's log files.
    pub logs: PathBuf,
    /// `evidence/<stream>/<id>.json`: evidence of failed stages; created with the first file.
    pub evidence: PathBuf,
}

impl StreamFiles {
    /// The folders of a stream below a tenant's folder, whether they exist or not.
    pub fn below(tenant: &Path, stream: &str) -> Self {
        let [segments, batches, logs, evidence] = STREAM_FOLDERS.map(|folder| tenant.join(folder).join(stream));
        Self { segments, batches, logs, evidence }
    }

    /// The folder of a batch, whether it exists or not.
    pub fn batch(&self, number: u64) -> PathBuf {
        self.batches.join(format!("batch-{number}"))
    }

    /// Creates the folder of a batch.
    pub fn make_batch(&self, number: u64) -> Result<PathBuf, FilesError> {
        let dir = self.batch(number);
        make(&dir)?;
        Ok(dir)
    }
}

fn make(dir: &Path) -> Result<(), FilesError> {
    std::fs::create_dir_all(dir).map_err(|source| FilesError::Io { path: dir.to_owned(), source })
}

/// Names in a batch's folder.
pub mod names {
    /// Video of the batch, copied from the segments.
    pub const VIDEO: &str = "video.fmp4";
    /// The original sound, copied.
    pub const AUDIO: &str = "audio.fmp4";
    /// What the processor returned.
    pub const PROCESSED_AUDIO: &str = "processed_audio.fmp4";
    /// What goes on air as one file, where `keep.output` asks for it.
    pub const OUTPUT: &str = "output.fmp4";
    /// Every packet's timestamps, in the form of ffmpeg's framecrc muxer.
    pub const PACKETS: &str = "packets.txt";
    /// Which packets of the other files go on air, and when.
    pub const AIR_INDEX: &str = "air.index";
    /// Video that ffmpeg copied from a file whose packets cannot be listed.
    pub const COPIED_VIDEO: &str = "copied_video.fmp4";
    /// Sound that ffmpeg copied from a file whose packets cannot be listed.
    pub const COPIED_AUDIO: &str = "copied_audio.fmp4";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out_a_stream_as_documented() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&dir.path().join("storage")).unwrap();
        let files = storage.stream("default", "tv-1").unwrap();
        assert!(files.segments.ends_with("storage/default/original_stream/tv-1") && files.segments.is_dir());
        assert!(files.make_batch(7).unwrap().ends_with("default/processed_fragments/tv-1/batch-7"));
        assert!(files.batch(7).is_dir() && files.logs.is_dir());
    }

    #[test]
    fn two_hosts_do_not_share_a_storage() {
        let dir = tempfile::tempdir().unwrap();
        let first = Storage::open(dir.path()).unwrap();
        assert!(matches!(Storage::open(dir.path()), Err(FilesError::InUse { .. })));
        drop(first);
        Storage::open(dir.path()).unwrap();
    }

    #[test]
    fn what_is_only_looked_at_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(dir.path()).unwrap();
        let scratch = storage.scratch().unwrap();
        let gone = scratch.path().to_owned();
        assert!(gone.starts_with(storage.root()) && gone.is_dir());
        drop(scratch);
        assert!(!gone.exists());
        // Simulates a process that was killed.
        let left = storage.scratch().unwrap().keep();
        std::fs::write(left.join("x"), "x").unwrap();
        drop(storage);
        Storage::open(dir.path()).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn ids_that_leave_their_folder_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(dir.path()).unwrap();
        for bad in ["", "..", "../x", "a/b", ".hidden", "a b", &"x".repeat(65), "ä"] {
            let error = storage.stream("default", bad).unwrap_err().to_string();
            assert!(error.contains("stream id") && error.contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn a_storage_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Storage::open(&file.path().join("storage")).unwrap_err().to_string();
        assert!(error.contains("storage"), "{error}");
    }
}
