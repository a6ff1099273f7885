//! Detects when the open database file is no longer the file under its name, or is no longer a database.
//!
//! SQLite keeps its file open and never looks at the name again. When the file is removed, replaced or truncated,
//! writes continue to succeed although nobody will read them. Each check costs one `stat` and one read of the header.
//! The file must be opened here before SQLite closes its last handle: closing a file releases this process's locks on
//! it.
//!
//! The `application_id` in the header identifies the content. A server sets a new id at each start, and each backup has
//! its own, so that overwriting the file is detected even when the new content is a copy of the same database.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::DatabaseError;

/// The first bytes of each SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Offset of the `application_id` in the header, a big-endian number of 4 bytes.
const ID_AT: usize = 68;
/// Bytes of the header that are read.
const HEADER_BYTES: usize = 72;

/// What is wrong with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTrouble {
    /// No file has the database's name.
    Gone,
    /// Another file has the database's name.
    Replaced,
    /// The file is empty or shorter than before.
    Cut,
    /// The content was overwritten.
    Overwritten,
}

impl FileTrouble {
    /// Whether the open file is intact and only its name is missing.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Gone | Self::Replaced)
    }
}

impl fmt::Display for FileTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "was removed while the server runs",
            Self::Replaced => "was replaced by another file while the server runs",
            Self::Cut => "was truncated while the server runs",
            Self::Overwritten => "was overwritten while the server runs",
        })
    }
}

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    /// The process that owns the storage. It sets a new id, so that earlier copies are detected.
    Server,
    /// Another process for a short time, perhaps while a server runs.
    Guest,
}

/// Sets an id that differs from every other database and from earlier copies of this one. Returns the id.
pub(super) fn give_new_id(connection: &Connection) -> rusqlite::Result<i32> {
    let before: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let id = match rand::random_range(1..i32::MAX) {
        same if same == before => i32::MAX,
        other => other,
    };
    connection.pragma_update(None, "application_id", id)?;
    Ok(id)
}

/// Watches the file of an open database.
#[derive(Debug)]
pub(super) struct FileWatch {
    path: PathBuf,
    file: File,
    /// Device and inode of the file.
    identity: (u64, u64),
    /// Valid ids in the header on disk: the current one, and the one after the log is written back.
    ids: [u32; 2],
    size: u64,
    trouble: Option<FileTrouble>,
}

impl FileWatch {
    /// Watches the file that `connection` has just opened.
    pub(super) fn of(path: &Path, connection: &Connection, opener: Opener) -> Result<Self, DatabaseError> {
        let mut id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if id == 0 || opener == Opener::Server {
            match give_new_id(connection).map_err(DatabaseError::from) {
                Ok(new) => id = new,
                // A server starts even when it cannot write; then only overwriting with a copy is not detected.
                Err(DatabaseError::Full(error)) if id != 0 => {
                    tracing::warn!(%error, "failed to set a new id for the database; it keeps the previous one");
                }
                Err(error) => return Err(error),
            }
            // Writes back to the file as far as readers and the disk allow: `ids` accepts both values.
            let written = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = written {
                tracing::debug!(%error, "failed to checkpoint the database; its new id is only in the write-ahead log");
            }
        }
        let failed = |source| DatabaseError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let on_disk = header(&file).map_err(failed)?.map_or(0, |(_, id)| id);
        Ok(Self {
            path: path.to_owned(),
            identity: (found.dev(), found.ino()),
            ids: [on_disk, id.cast_unsigned()],
            size: found.len(),
            file,
            trouble: None,
        })
    }

    /// Checks the file; returns what is wrong with it. Each change is logged once.
    pub(super) fn look(&mut self) -> Option<FileTrouble> {
        let found = self.find();
        if found != self.trouble {
            let path = self.path.display();
            match found {
                Some(trouble) => tracing::error!(
                    %path,
                    "the database {trouble}; changes are refused; running pipelines stay on air. Put the file back, or stop \
                     the server and restore a backup (outboard database restore)"
                ),
                None => tracing::info!(%path, "the database file is back in place; changes are accepted again"),
            }
            self.trouble = found;
        }
        found
    }

    fn find(&mut self) -> Option<FileTrouble> {
        // A truncated or overwritten file is never accepted again: the writes in between were lost.
        if let Some(trouble) = self.trouble.filter(|trouble| !trouble.is_whole()) {
            return Some(trouble);
        }
        let own = self.file.metadata().map(|found| found.len()).unwrap_or_default();
        if own < self.size || own == 0 {
            return Some(FileTrouble::Cut);
        }
        self.size = own;
        match header(&self.file) {
            Ok(Some((magic, id))) if magic == *MAGIC && self.ids.contains(&id) => {
                let [_, last] = self.ids;
                if id == last {
                    self.ids = [last; 2];
                }
            }
            _ => return Some(FileTrouble::Overwritten),
        }
        match std::fs::metadata(&self.path) {
            Ok(named) if (named.dev(), named.ino()) == self.identity => None,
            Ok(_) => Some(FileTrouble::Replaced),
            Err(_) => Some(FileTrouble::Gone),
        }
    }
}

/// The first bytes and the id in the file on disk; `None` if the file is too short.
fn header(file: &File) -> std::io::Result<Option<([u8; 16], u32)>> {
    let mut bytes = [0; HEADER_BYTES];
    if file.read_at(&mut bytes, 0)? < HEADER_BYTES {
        return Ok(None);
    }
    let (Some(magic), Some(id)) = (bytes.first_chunk(), bytes.get(ID_AT..).and_then(<[u8]>::first_chunk)) else {
        return Ok(None);
    };
    Ok(Some((*magic, u32::from_be_bytes(*id))))
}
