//! Whether the file that is open is still the one under its name, and still a database.
//!
//! SQLite holds its file open and never looks at the name again: where somebody removes, replaces or cuts the file, writes
//! go on to succeed into what nobody will read. Looked at with one `stat` and one read of the header. The file must be
//! opened here before SQLite closes it last: closing a file drops the locks that this process has on it.
//!
//! Contents are told apart by an id in the header (`application_id`). A server gives its file a new one at each start, and a
//! backup has one of its own, so that what was written over the file shows also where it is a copy of the very same database.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::DatabaseError;

/// What each SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where the header has the `application_id`, a big-endian number of 4 bytes.
const ID_AT: usize = 68;
/// Bytes of the header that are looked at.
const HEADER_BYTES: usize = 72;

/// What is wrong with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileTrouble {
    /// Nothing has its name.
    Gone,
    /// Another file has its name.
    Replaced,
    /// It is empty or shorter than it was.
    Cut,
    /// Its content was written over.
    Overwritten,
}

impl FileTrouble {
    /// The open file has what was written, and takes more: it has only lost its name.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Gone | Self::Replaced)
    }
}

impl fmt::Display for FileTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "was removed while the server runs",
            Self::Replaced => "was replaced by another file while the server runs",
            Self::Cut => "was emptied or cut while the server runs",
            Self::Overwritten => "was written over while the server runs",
        })
    }
}

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    /// Whoever holds the storage: copies that were made before are told from the file.
    Server,
    /// Another process for a moment, perhaps beside a server.
    Guest,
}

/// Gives a database an id that no other has, nor an earlier copy of it. Answers the id.
pub(super) fn give_new_id(connection: &Connection) -> rusqlite::Result<i32> {
    let before: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let id = match rand::random_range(1..i32::MAX) {
        same if same == before => i32::MAX,
        other => other,
    };
    connection.pragma_update(None, "application_id", id)?;
    Ok(id)
}

/// Looks at an open database's file.
#[derive(Debug)]
pub(super) struct FileWatch {
    path: PathBuf,
    file: File,
    /// Device and inode.
    identity: (u64, u64),
    /// What the header on disk may say: what it says now, and what it will say when the log has been written back.
    ids: [u32; 2],
    size: u64,
    trouble: Option<FileTrouble>,
}

impl FileWatch {
    /// Of the file that `connection` has just opened.
    pub(super) fn of(path: &Path, connection: &Connection, opener: Opener) -> Result<Self, DatabaseError> {
        let mut id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if id == 0 || opener == Opener::Server {
            match give_new_id(connection).map_err(DatabaseError::from) {
                Ok(new) => id = new,
                // A server begins also where it can write nothing; only copies are not told from its file then.
                Err(DatabaseError::Full(error)) if id != 0 => {
                    tracing::warn!(%error, "the database keeps the id that it has");
                }
                Err(error) => return Err(error),
            }
            // Into the file itself, as far as nobody reads what was before and the disk takes it: `ids` has both.
            let written = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = written {
                tracing::debug!(%error, "the database's id is in its log only");
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

    /// What is wrong now. Each change is logged once.
    pub(super) fn look(&mut self) -> Option<FileTrouble> {
        let found = self.find();
        if found != self.trouble {
            let path = self.path.display();
            match found {
                Some(trouble) => tracing::error!(
                    %path,
                    "the database {trouble}; changes are refused and what is on air goes on. Put the file back, or stop \
                     the server and restore a backup (outboard database restore)"
                ),
                None => tracing::info!(%path, "the database is back under its name; changes are taken again"),
            }
            self.trouble = found;
        }
        found
    }

    fn find(&mut self) -> Option<FileTrouble> {
        // What was cut or written over stays so: what lies between was lost.
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

/// The first bytes and the id that the file has on disk; `None` where it is shorter.
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
