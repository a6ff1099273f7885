//! A database that is removed, damaged, copied and restored.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::*;
use crate::files::Storage;

/// Makes a change whose result is returned to a caller.
async fn change(database: &Database, name: &'static str) -> Result<(), DatabaseError> {
    database.write_durable_or(move |transaction| add(transaction, name)).await
}

/// Counts the rows of the file, as another process would.
fn rows(path: &Path) -> u64 {
    count(&Connection::open(path).unwrap()).unwrap()
}

fn lost(ended: Result<(), DatabaseError>) -> FileTrouble {
    match ended {
        Err(DatabaseError::Lost(trouble)) => trouble,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn changes_are_refused_while_the_file_is_away_and_what_is_noted_meanwhile_is_not_lost() {
    let (dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    change(&database, "a").await.unwrap();
    let aside = dir.path().join("aside.db");
    std::fs::rename(&path, &aside).unwrap();
    assert_eq!(lost(change(&database, "b").await), FileTrouble::Gone);
    database.write(|transaction| add(transaction, "noted")).await.unwrap();
    std::fs::write(&path, "another").unwrap();
    assert_eq!(lost(change(&database, "b").await), FileTrouble::Replaced);
    std::fs::rename(&aside, &path).unwrap();
    change(&database, "c").await.unwrap();
    drop(database);
    assert_eq!(rows(&path), 3, "a, noted and c");
}

#[tokio::test]
async fn an_emptied_file_is_not_written_to_any_more() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    change(&database, "a").await.unwrap();
    std::fs::File::create(&path).unwrap();
    assert_eq!(lost(change(&database, "b").await), FileTrouble::Cut);
    assert_eq!(lost(database.write(|transaction| add(transaction, "noted")).await), FileTrouble::Cut);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "half a database would look like one");
}

#[tokio::test]
async fn another_content_in_the_same_file_is_seen() {
    let (dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    change(&database, "a").await.unwrap();
    let other = dir.path().join("other.db");
    let foreign = Connection::open(&other).unwrap();
    foreign.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(2000000))").unwrap();
    foreign.close().unwrap();
    write_over(&path, &other);
    assert_eq!(lost(change(&database, "b").await), FileTrouble::Overwritten);
}

/// Overwrites the content in place, as `cp` does, without truncating it.
fn write_over(path: &Path, with: &Path) {
    let mut content = std::fs::read(with).unwrap();
    let size = usize::try_from(std::fs::metadata(path).unwrap().len()).unwrap();
    content.resize(content.len().max(size), 0);
    let written = OpenOptions::new().write(true).open(path).unwrap().write_all_at(&content, 0);
    written.unwrap();
}

#[tokio::test]
async fn copies_of_the_same_database_in_its_place_are_seen() {
    // The source is a backup made by `outboard`, or a plain copy of the file of an earlier run.
    for backed_up in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (database_file(dir.path()), dir.path().join("copy.db"));
        let database = Database::open_checked(dir.path()).unwrap();
        change(&database, "a").await.unwrap();
        let database = if backed_up {
            backup::back_up(dir.path(), &copy).unwrap();
            database
        } else {
            let other = Connection::open(&path).unwrap();
            other.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(())).unwrap();
            std::fs::copy(&path, &copy).unwrap();
            drop(database);
            Database::open_checked(dir.path()).unwrap()
        };
        assert_eq!(rows(&copy), 1);
        change(&database, "b").await.unwrap();
        let kept = std::fs::read(&path).unwrap();
        write_over(&path, &copy);
        assert_eq!(lost(change(&database, "c").await), FileTrouble::Overwritten, "backed up: {backed_up}");
        assert_eq!(lost(database.write(|transaction| add(transaction, "d")).await), FileTrouble::Overwritten);
        // Writes since the copy would be missing.
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&kept, 0).unwrap();
        assert_eq!(lost(change(&database, "c").await), FileTrouble::Overwritten);
    }
}

#[tokio::test]
async fn another_process_beside_a_server_leaves_its_file_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let server = Database::open_checked(dir.path()).unwrap();
    change(&server, "a").await.unwrap();
    let guest = Database::open(&database_file(dir.path())).unwrap();
    change(&guest, "b").await.unwrap();
    backup::back_up(dir.path(), &dir.path().join("copy.db")).unwrap();
    change(&server, "c").await.unwrap();
    change(&guest, "d").await.unwrap();
}

#[test]
fn an_empty_database_beside_media_is_refused_and_a_new_storage_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(dir.path()).unwrap();
    drop(Database::open_checked(storage.root()).unwrap());
    let files = storage.stream("default", "tv").unwrap();
    let path = storage.journal();
    std::fs::remove_file(&path).unwrap();
    check::not_forgotten(storage.root()).unwrap();
    std::fs::write(files.segments.join("segment-0.ts"), "x").unwrap();
    for empty in [false, true] {
        if empty {
            std::fs::write(&path, "").unwrap();
        }
        let error = Database::open_checked(storage.root()).unwrap_err().to_string();
        for part in ["outboard database restore", "outboard database init", "original_stream/tv"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "refusing makes nothing");
    std::fs::remove_file(&path).unwrap();
    // Dropped on purpose.
    drop(Database::open(&path).unwrap());
    drop(Database::open_checked(storage.root()).unwrap());
}

#[tokio::test]
async fn damage_is_found_at_the_start_and_a_limit_ends_the_look() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let whole = Connection::open(&path).unwrap();
    whole
        .execute_batch(
            "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO t SELECT hex(randomblob(200)) FROM n",
        )
        .unwrap();
    whole.close().unwrap();
    assert_eq!(check::whole(&path, Duration::from_secs(60)).unwrap(), check::Checked::Whole);
    assert_eq!(check::whole(&path, Duration::ZERO).unwrap(), check::Checked::Unfinished);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.get_mut(40_960..45_056).unwrap().fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let error = Database::open_checked(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is damaged") && error.contains("outboard database restore"), "{error}");
    std::fs::write(&path, "certainly not a database of any kind").unwrap();
    let error = Database::open_checked(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
}

#[tokio::test]
async fn a_backup_taken_beside_writers_is_restored_with_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&dir.path().join("storage")).unwrap();
    let database = Database::open_checked(storage.root()).unwrap();
    change(&database, "a").await.unwrap();
    let (root, to) = (storage.root().to_owned(), dir.path().join("copy.db"));
    let copy = to.clone();
    let backed_up = tokio::task::spawn_blocking(move || backup::back_up(&root, &copy)).await.unwrap();
    assert_eq!(backed_up.unwrap(), check::Checked::Whole);
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let error = backup::back_up(storage.root(), &to).unwrap_err().to_string();
    assert!(error.contains("already exists"), "{error}");
    change(&database, "after").await.unwrap();
    drop(database);
    // A file that is not a backup changes nothing.
    let other = dir.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = backup::restore(&storage, &other).unwrap_err().to_string();
    assert!(error.contains("not a backup"), "{error}");
    assert_eq!(rows(&storage.journal()), 2);
    let old = backup::restore(&storage, &to).unwrap().unwrap();
    assert_eq!((rows(&storage.journal()), rows(&old)), (1, 2));
    let again = Database::open_checked(storage.root()).unwrap();
    change(&again, "b").await.unwrap();
    drop(again);
    let left: Vec<_> = std::fs::read_dir(storage.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("restored")), "{left:?}");
}
