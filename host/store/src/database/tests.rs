use std::time::Duration;

use rusqlite::params;

use super::*;

mod lost;

fn temporary() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    (dir, path)
}

/// Inserts a stream, as an example of a row.
fn add(transaction: &Transaction<'_>, name: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO stream (tenant, name, source, started_ms) VALUES ('default', ?, 'u', 0)",
        params![name],
    )?;
    Ok(())
}

fn count(connection: &Connection) -> Result<u64, DatabaseError> {
    Ok(connection.query_row("SELECT count(*) FROM stream", [], |row| row.get(0))?)
}

#[tokio::test]
async fn what_was_answered_is_read_by_others_and_what_failed_is_undone() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    database.write(|transaction| add(transaction, "a")).await.unwrap();
    let failed = database
        .write(|transaction| {
            add(transaction, "b")?;
            add(transaction, "a")
        })
        .await;
    assert!(matches!(failed, Err(DatabaseError::Sqlite(_))), "{failed:?}");
    assert_eq!(database.read(count).await.unwrap(), 1);
    assert_eq!(Database::open(&path).unwrap().read(count).await.unwrap(), 1);
}

/// The `synchronous` setting in effect for this transaction.
fn synchronous(transaction: &Transaction<'_>) -> Result<u8, DatabaseError> {
    Ok(transaction.pragma_query_value(None, "synchronous", |row| row.get(0))?)
}

#[tokio::test]
async fn a_durable_write_is_flushed_to_the_disk_and_the_others_do_not_pay_for_it() {
    const NORMAL: u8 = 1;
    const FULL: u8 = 2;
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let durable = async || database.write_durable_or(synchronous).await.unwrap();
    assert_eq!(database.write(synchronous).await.unwrap(), NORMAL);
    assert_eq!(durable().await, FULL);
    assert_eq!(database.write(synchronous).await.unwrap(), NORMAL);
    let failed = database.write_durable_or(|_| Err::<(), _>(DatabaseError::Closed)).await;
    assert!(failed.is_err());
    assert_eq!((database.write(synchronous).await.unwrap(), durable().await), (NORMAL, FULL), "after one that failed");
}

#[tokio::test]
async fn work_fails_in_its_own_words_and_is_undone() {
    #[derive(Debug)]
    struct Refused;
    impl From<DatabaseError> for Refused {
        fn from(_: DatabaseError) -> Self {
            Self
        }
    }
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let refused: Result<(), Refused> = database
        .write_or(|transaction| {
            add(transaction, "a")?;
            Err(Refused)
        })
        .await;
    assert!(refused.is_err());
    assert_eq!(database.read(count).await.unwrap(), 0);
}

#[tokio::test]
async fn readers_do_not_wait_for_a_write_and_do_not_see_half_of_it() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let (begun, has_begun) = oneshot::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let writing = tokio::spawn({
        let database = database.clone();
        async move {
            let work = move |transaction: &Transaction<'_>| {
                add(transaction, "a")?;
                begun.send(()).ok();
                ended.recv_timeout(Duration::from_secs(120)).unwrap();
                Ok(())
            };
            database.write(work).await
        }
    });
    has_begun.await.unwrap();
    // The writer is in the middle of its transaction.
    assert_eq!(database.read(count).await.unwrap(), 0);
    end.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(database.read(count).await.unwrap(), 1);
}

#[tokio::test]
async fn one_long_read_does_not_hold_up_the_others() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let (begun, has_begun) = oneshot::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let reading = tokio::spawn({
        let database = database.clone();
        let work = move |connection: &Connection| {
            let before = count(connection)?;
            begun.send(()).ok();
            ended.recv_timeout(Duration::from_secs(120)).unwrap();
            Ok((before, count(connection)?))
        };
        async move { database.read(work).await }
    });
    has_begun.await.unwrap();
    database.write(|transaction| add(transaction, "a")).await.unwrap();
    assert_eq!(database.read(count).await.unwrap(), 1);
    end.send(()).unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), (0, 0), "a read is of one moment");
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let tried = database.read(|connection| Ok(connection.execute("DELETE FROM stream", [])?)).await;
    assert!(tried.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn waiting_work_is_counted_and_bounded() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let mut tasks = tokio::task::JoinSet::new();
    let blocked = database.clone();
    tasks.spawn(async move {
        let work = move |_: &Transaction<'_>| {
            begun.send(()).ok();
            ended.recv_timeout(Duration::from_secs(120)).unwrap();
            Ok(())
        };
        blocked.write(work).await
    });
    has_begun.await.unwrap();
    assert_eq!(database.waiting(), Waiting { writes: 0, reads: 0 });
    for n in 0..DATABASE_WRITES_WAITING + 1 {
        let database = database.clone();
        tasks.spawn(async move { database.write(move |transaction| add(transaction, &n.to_string())).await });
    }
    // On this single thread each task runs until it has to wait; the last one finds the queue full.
    let full = async {
        while database.waiting().writes < DATABASE_WRITES_WAITING {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), full).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(database.waiting().writes, DATABASE_WRITES_WAITING);
    end.send(()).unwrap();
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(database.read(count).await.unwrap(), DATABASE_WRITES_WAITING as u64 + 1);
}

#[tokio::test]
async fn work_that_breaks_off_takes_nobody_along() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let broken = database
        .write::<()>(|transaction| {
            add(transaction, "a")?;
            panic!("on purpose")
        })
        .await;
    assert!(matches!(broken, Err(DatabaseError::Closed)));
    for _ in 0..DATABASE_READERS + 1 {
        assert!(database.read::<()>(|_| panic!("on purpose")).await.is_err());
    }
    database.write(|transaction| add(transaction, "b")).await.unwrap();
    assert_eq!(database.read(count).await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_passes() {
    let (_dir, path) = temporary();
    let database = Database::open(&path).unwrap();
    let set = |pages: i64| {
        move |transaction: &Transaction<'_>| {
            transaction.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))?;
            Ok(())
        }
    };
    database.write(set(1)).await.unwrap();
    let big = |transaction: &Transaction<'_>| add(transaction, &"x".repeat(1 << 20));
    let error = database.write(big).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Full(_)), "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    database.write(set(100_000)).await.unwrap();
    database.write(big).await.unwrap();
}

#[tokio::test]
async fn another_process_may_write_beside_us() {
    let (_dir, path) = temporary();
    let (ours, other) = (Database::open(&path).unwrap(), Database::open(&path).unwrap());
    let write = |database: Database, name: &'static str| async move {
        for n in 0..50 {
            // Reads before writing: SQLite rejects this upgrade if the lock is taken late.
            let work = move |transaction: &Transaction<'_>| {
                count(transaction)?;
                add(transaction, &format!("{name}{n}"))
            };
            database.write(work).await.unwrap();
        }
    };
    tokio::join!(write(ours.clone(), "ours"), write(other, "other"));
    assert_eq!(ours.read(count).await.unwrap(), 100);
}

#[test]
fn the_file_is_its_owners_alone_also_one_that_was_not() {
    let (_dir, path) = temporary();
    let mode = |suffix: &str| {
        let file = format!("{}{suffix}", path.display());
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777
    };
    let database = Database::open(&path).unwrap();
    assert_eq!([mode(""), mode("-wal"), mode("-shm")], [0o600; 3]);
    drop(database);
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let _database = Database::open(&path).unwrap();
    assert_eq!(mode(""), 0o600);
}

#[test]
fn a_newer_schema_is_refused_by_name() {
    let (_dir, path) = temporary();
    drop(Database::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Database::open(&path).unwrap_err().to_string();
    assert!(error.contains("schema 99") && error.contains("outboard.db"), "{error}");
}

#[test]
fn a_place_where_no_file_can_be_is_named() {
    let error = Database::open(Path::new("/nonexistent/outboard.db")).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/outboard.db"), "{error}");
}

#[tokio::test]
async fn every_older_file_is_brought_up_to_date_with_its_rows() {
    for taken in 0..=SCHEMA.len() {
        let (_dir, path) = temporary();
        let old = Connection::open(&path).unwrap();
        for step in &SCHEMA[..taken] {
            old.execute_batch(step).unwrap();
        }
        old.pragma_update(None, "user_version", taken).unwrap();
        if taken > 0 {
            old.execute_batch(
                "INSERT INTO stream (id, tenant, name, source, started_ms) VALUES (7, 'default', 'tv', 'u', 1);
                 INSERT INTO batch (stream, number, step, first, last, reason, discontinuity, complete_ms)
                 VALUES (7, 3, 6, 10, 12, 'length', 0, 99);",
            )
            .unwrap();
        }
        drop(old);
        let database = Database::open(&path).unwrap();
        let rows = database
            .read(|connection| {
                let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
                let kept: u64 =
                    connection.query_row("SELECT count(*) FROM batch WHERE cleaned = 0", [], |row| row.get(0))?;
                Ok((version, kept))
            })
            .await
            .unwrap();
        assert_eq!(rows, (SCHEMA.len(), u64::from(taken > 0)), "from step {taken}");
    }
}

#[test]
fn many_that_make_the_same_file_at_once_all_get_it() {
    for _ in 0..80 {
        let (_dir, path) = temporary();
        let start = Arc::new(std::sync::Barrier::new(12));
        let open = || {
            let (path, start) = (path.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                Database::open(&path)
            })
        };
        let threads: Vec<_> = std::iter::repeat_with(open).take(12).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    }
}
