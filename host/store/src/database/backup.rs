//! Backup and restore of the database. A backup can be made while a server runs; a restore needs the server to be
//! stopped.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::DatabaseError;
use super::check::{self, Checked};
use super::file::give_new_id;
use crate::files::{Storage, database_file};
use crate::limits::{DATABASE_BUSY_TIMEOUT, DATABASE_CHECK_LIMIT};

/// Writes a consistent copy of the committed state into a new file, readable by its owner only. Writers are not
/// blocked. Takes about as long as reading and writing the file. The copy is complete or not created.
///
/// # Errors
/// [`DatabaseError`] if there is no database, the target exists or cannot be written, or the copy is damaged.
pub fn back_up(storage: &Path, to: &Path) -> Result<Checked, DatabaseError> {
    let from = database_file(storage);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DatabaseError::File { path, source }
    };
    if to.try_exists().map_err(failed(to))? {
        let exists = io::Error::new(io::ErrorKind::AlreadyExists, "the file already exists; give a new file name");
        return Err(failed(to)(exists));
    }
    if std::fs::metadata(&from).map_err(failed(&from))?.len() == 0 {
        return Err(failed(&from)(io::Error::new(
            io::ErrorKind::InvalidData,
            "the database is empty; there is nothing to back up",
        )));
    }
    let part = Part(beside(to, ".part"));
    // SQLite accepts an empty file and keeps its permissions.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0).map_err(failed(&part.0))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&from, flags)?;
    connection.busy_timeout(DATABASE_BUSY_TIMEOUT)?;
    let name = part.0.to_str().ok_or_else(|| failed(to)(io::Error::other("its name must be UTF-8")))?;
    connection.execute("VACUUM INTO ?", [name])?;
    drop(connection);
    // The copy gets its own id: see `file`.
    let copy = Connection::open_with_flags(&part.0, flags)?;
    give_new_id(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    let checked = check::whole(&part.0, DATABASE_CHECK_LIMIT)?;
    keep(&part.0, to).map_err(failed(to))?;
    Ok(checked)
}

/// Replaces the database with a backup. The previous database and its log are kept beside it under the name that is
/// returned; restoring that file brings the previous state back.
///
/// # Errors
/// [`DatabaseError`] if the backup is damaged or was not made by Outboard, or a file could not be moved. In that case
/// the previous database is unchanged or has its new name.
pub fn restore(storage: &Storage, from: &Path) -> Result<Option<PathBuf>, DatabaseError> {
    let to = database_file(storage.root());
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DatabaseError::File { path, source }
    };
    let part = Part(beside(&to, ".restored"));
    // Remains of an earlier attempt.
    std::fs::remove_file(&part.0).ok();
    std::fs::copy(from, &part.0).map_err(failed(from))?;
    check::whole(&part.0, DATABASE_CHECK_LIMIT)?;
    bring_up_to_date(&part.0).map_err(|error| match error {
        Foreign::Database(error) => error,
        Foreign::Other => {
            let foreign =
                io::Error::new(io::ErrorKind::InvalidData, "the file is not a backup of an outboard database");
            failed(from)(foreign)
        }
    })?;
    let old = match to.try_exists().map_err(failed(&to))? {
        true => Some(free_name(&to)),
        false => None,
    };
    for suffix in ["", "-wal", "-shm"] {
        let lies = beside(&to, suffix);
        if !lies.try_exists().map_err(failed(&lies))? {
            continue;
        }
        match &old {
            Some(old) => std::fs::rename(&lies, beside(old, suffix)).map_err(failed(&lies))?,
            // SQLite would apply a log without its database to the new database.
            None => std::fs::remove_file(&lies).map_err(failed(&lies))?,
        }
    }
    keep(&part.0, &to).map_err(failed(&to))?;
    Ok(old)
}

enum Foreign {
    Database(DatabaseError),
    Other,
}

impl From<rusqlite::Error> for Foreign {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Applies the schema steps that a backup lacks. On return the backup is closed and consists of one file.
fn bring_up_to_date(path: &Path) -> Result<(), Foreign> {
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let ours = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('stream', 'batch', 'segment')";
    let tables: u64 = connection.query_row(ours, [], |row| row.get(0))?;
    if version == 0 || tables != 3 {
        return Err(Foreign::Other);
    }
    super::migrate(&mut connection, path).map_err(Foreign::Database)?;
    connection.close().map_err(|(_, error)| error.into())
}

/// A temporary file that is removed on drop unless it was renamed, together with SQLite's auxiliary files.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            std::fs::remove_file(beside(&self.0, suffix)).ok();
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The first free name of the form `outboard.db.old-1`.
fn free_name(path: &Path) -> PathBuf {
    let names = (1_u64..).map(|n| beside(path, &format!(".old-{n}")));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| beside(path, ".old"))
}

/// Flushes a file to disk and renames it.
fn keep(part: &Path, to: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    std::fs::rename(part, to)?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}
