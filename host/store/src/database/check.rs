//! Checks before a server opens a database: that an empty database does not lie beside existing media, and that the
//! file is intact.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, ffi};

use super::DatabaseError;
use crate::files::{STREAM_FOLDERS, database_file};

/// The result of checking a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The whole file is intact.
    Whole,
    /// The time limit was reached; the checked part is intact.
    Unfinished,
}

/// Refuses an empty database when streams already have files. Such a database was removed or emptied; starting with it
/// would silently lose tenants, tokens, pipelines and positions on air.
///
/// # Errors
/// [`DatabaseError::Empty`] if the database is missing or empty and a stream has files.
pub fn not_forgotten(storage: &Path) -> Result<(), DatabaseError> {
    let path = database_file(storage);
    if std::fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    match some_media(storage) {
        Some(media) => Err(DatabaseError::Empty { path, storage: storage.to_owned(), media }),
        None => Ok(()),
    }
}

/// A stream's folder that is not empty.
fn some_media(storage: &Path) -> Option<PathBuf> {
    let below = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    below(storage.to_owned())
        .flat_map(|tenant| STREAM_FOLDERS.iter().take(2).map(move |folder| tenant.join(folder)))
        .flat_map(below)
        .find(|stream| below(stream.clone()).next().is_some())
}

/// Runs SQLite's check on every page of an existing file, for at most `limit`.
///
/// # Errors
/// [`DatabaseError::Damaged`] with the first fault.
pub fn whole(path: &Path, limit: Duration) -> Result<Checked, DatabaseError> {
    let damaged = |what: String| DatabaseError::Damaged { path: path.to_owned(), what };
    // Not read-only, so that SQLite can apply the log of a killed process.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(crate::limits::DATABASE_BUSY_TIMEOUT)?;
    let stop = connection.get_interrupt_handle();
    let (done, ended) = mpsc::channel::<()>();
    let clock = std::thread::Builder::new().name("db-check".into()).spawn(move || {
        let mut wait = limit;
        while ended.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
            stop.interrupt();
            // Again, because an interrupt before the check has begun is lost.
            wait = Duration::from_millis(1);
        }
    });
    let clock = clock.map_err(|source| DatabaseError::File { path: path.to_owned(), source })?;
    let found = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
    drop(done);
    let _ = clock.join();
    match found {
        Ok(found) if found == "ok" => Ok(Checked::Whole),
        Ok(found) => Err(damaged(found)),
        Err(error) => match error.sqlite_error_code() {
            Some(ffi::ErrorCode::OperationInterrupted) => Ok(Checked::Unfinished),
            Some(ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase) => Err(damaged(error.to_string())),
            _ => Err(error.into()),
        },
    }
}
