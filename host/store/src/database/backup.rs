//! Copies of the database: taken beside a running server, put back while none runs.

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

/// Writes all that is committed at one moment into a new file, for its owner alone. Writers are not held up. Takes about as
/// long as reading and writing the file takes. Whole or not at all.
///
/// # Errors
/// [`DatabaseError`]: there is no database, the target exists or cannot be written, the copy is damaged.
pub fn back_up(storage: &Path, to: &Path) -> Result<Checked, DatabaseError> {
    let from = database_file(storage);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DatabaseError::File { path, source }
    };
    if to.try_exists().map_err(failed(to))? {
        let exists = io::Error::new(io::ErrorKind::AlreadyExists, "it exists already; name a file that does not");
        return Err(failed(to)(exists));
    }
    if std::fs::metadata(&from).map_err(failed(&from))?.len() == 0 {
        return Err(failed(&from)(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is empty; there is nothing to back up",
        )));
    }
    let part = Part(beside(to, ".part"));
    // SQLite takes an empty file, and leaves it to its owner.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0).map_err(failed(&part.0))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&from, flags)?;
    connection.busy_timeout(DATABASE_BUSY_TIMEOUT)?;
    let name = part.0.to_str().ok_or_else(|| failed(to)(io::Error::other("its name must be UTF-8")))?;
    connection.execute("VACUUM INTO ?", [name])?;
    drop(connection);
    // Another one than the server's: see `file`.
    let copy = Connection::open_with_flags(&part.0, flags)?;
    give_new_id(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    let checked = check::whole(&part.0, DATABASE_CHECK_LIMIT)?;
    keep(&part.0, to).map_err(failed(to))?;
    Ok(checked)
}

/// Puts a backup in the database's place. The one that was there, with its log, is kept beside it under the name that is
/// answered; its last state comes back by restoring it.
///
/// # Errors
/// [`DatabaseError`]: the backup is damaged or not one of ours. A file could not be moved; then the old one is still there,
/// or lies under its new name.
pub fn restore(storage: &Storage, from: &Path) -> Result<Option<PathBuf>, DatabaseError> {
    let to = database_file(storage.root());
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DatabaseError::File { path, source }
    };
    let part = Part(beside(&to, ".restored"));
    // What an earlier try left.
    std::fs::remove_file(&part.0).ok();
    std::fs::copy(from, &part.0).map_err(failed(from))?;
    check::whole(&part.0, DATABASE_CHECK_LIMIT)?;
    bring_up_to_date(&part.0).map_err(|error| match error {
        Foreign::Database(error) => error,
        Foreign::Other => {
            let foreign = io::Error::new(io::ErrorKind::InvalidData, "it is no backup of outboard's database");
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
            // A log without its database would be taken for the new one's.
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

/// Takes the steps of the schema that a backup lacks. It is closed, and all in one file, when this answers.
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

/// A file that goes unless it was renamed, with what SQLite put beside it.
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

/// `outboard.db.old-1`, or the first number that is free.
fn free_name(path: &Path) -> PathBuf {
    let names = (1_u64..).map(|n| beside(path, &format!(".old-{n}")));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| beside(path, ".old"))
}

/// Flushes a file to the disk and gives it its name.
fn keep(part: &Path, to: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    std::fs::rename(part, to)?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}
