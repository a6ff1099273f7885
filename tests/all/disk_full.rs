//! A full disk: buffered media goes on air, nothing that is not yet on air is removed, skipped segments are counted,
//! and the pipeline recovers on its own when there is room.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, Packet, entries};
use outboard_tests::onair::{assert_same_packets, hashes, join_sessions, monotonic, of_entries};
use outboard_tests::receiver::nginx::Nginx;

/// The number of the step `done` in the journal.
const DONE: i64 = 6;
const REMUXED: i64 = 4;

/// More than any disk has.
const ALL_OF_IT: &str = "1000000 TiB";

async fn until_step(storage: &Path, batch: u64, step: i64, host: &Host) {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reached = || {
        let journal = rusqlite::Connection::open_with_flags(storage.join("outboard.db"), flags).ok()?;
        let query = "SELECT step FROM batch WHERE number = ?";
        journal.query_row(query, [batch], |row| row.get::<_, i64>(0)).ok()
    };
    let waited = async {
        while reached().is_none_or(|now| now < step) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(90), waited).await;
    assert!(waited.is_ok(), "batch {batch} did not get to step {step}: {:#?}", host.log());
}

#[tokio::test]
async fn what_is_on_disk_goes_on_air_while_nothing_more_is_fetched() {
    let programme = entries(&Clip::small(60), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let (dir, to) = (storage.path().display().to_string(), nginx.url("full"));
    let options = ["run", "--storage", &dir, "--source", &origin.url, "--to", &to, "--batch-seconds", "4"];
    let host = Host::spawn(&options);
    until_step(storage.path(), 2, REMUXED, &host).await;
    host.kill().await;
    let host = Host::spawn_with(&options, &[("OUTBOARD_STORAGE__MIN_FREE", ALL_OF_IT)]);
    host.until("not fetched: the disk is nearly full", Duration::from_secs(60)).await;
    until_step(storage.path(), 2, DONE, &host).await;
    // The segments without a batch form the last one.
    host.signal(Signal::SIGTERM);
    let ended = host.ended(Duration::from_secs(60)).await;
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    assert!(ended.lines_with("no finished batch is left to remove; fetching stops") >= 1, "{:#?}", ended.log);
    for stream in ["v", "a"] {
        let source = of_entries(&programme, stream).concat();
        let want = hashes(&source);
        let files = nginx.files(1, "full");
        let sessions: Vec<Vec<Packet>> = files.iter().map(|file| monotonic(file, stream)).collect();
        let (joined, _) = join_sessions(&sessions, &want, stream);
        assert_same_packets(&joined, &want[..joined.len()], stream);
        let three_batches = if stream == "v" { 360 } else { 560 };
        assert!(joined.len() >= three_batches, "{} packets of {stream}", joined.len());
    }
    let kept = std::fs::read_dir(storage.path().join("default/processed_fragments/live")).unwrap().count();
    assert_eq!(kept, 0, "all that was on air made room");
}

/// A separate file system of a given size.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    /// `None`: this process may not mount.
    fn mount(megabytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|out| out.status.success()).then_some(Self { dir })
    }

    /// Keeps it completely full for this time.
    fn keep_full(&self, time: Duration) {
        let (path, chunk) = (self.ballast(), vec![0; 256 * 1024]);
        let mut ballast = std::fs::File::create(&path).unwrap();
        let end = Instant::now() + time;
        while Instant::now() < end {
            let mut size = chunk.len();
            while size > 0 {
                // Writes as much as fits.
                if ballast.write_all(&chunk[..size]).is_err() {
                    size /= 2;
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::remove_file(path).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.dir.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).output();
    }
}

#[tokio::test]
async fn a_disk_that_runs_full_in_the_middle_ends_nothing() {
    let Some(disk) = Disk::mount(64) else {
        eprintln!("SKIPPED: this process may not mount a file system, so no disk can be filled");
        return;
    };
    let programme = entries(&Clip::small(60), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let out = tempfile::tempdir().unwrap();
    let (dir, to) = (disk.dir.path().join("storage"), format!("file://{}/air.flv", out.path().display()));
    let text = dir.display().to_string();
    let options = ["run", "--storage", &text, "--source", &origin.url, "--to", &to, "--batch-seconds", "4"];
    let more = ["--batches", "9", "--keep-batches", "1", "--log-level", "info,outboard=debug"];
    let options = [&options[..], &more].concat();
    let host = Host::spawn_with(&options, &[("OUTBOARD_STORAGE__MIN_FREE", "0")]);
    host.until("on air batch=1", Duration::from_secs(60)).await;
    let filling = tokio::task::spawn_blocking(move || {
        disk.keep_full(Duration::from_secs(9));
        disk
    });
    let disk = filling.await.unwrap();
    let ended = host.ended(Duration::from_secs(120)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert!(ended.lines_with("No space left on device") > 0, "the disk was never full: {:#?}", ended.log);
    // Each demuxed packet is on air or counted as lost, and time on air continues.
    let (counted, on_air) = (ended.count("packets_in"), ended.count("packets_on_air"));
    assert!(on_air + ended.count("packets_lost") >= counted, "{}: {:#?}", ended.report(), ended.log);
    assert!(counted >= 9 * 200, "{}", ended.report());
    for stream in ["v", "a"] {
        let (source, sent) = (of_entries(&programme, stream).concat(), monotonic(&out.path().join("air.flv"), stream));
        let (want, air) = (hashes(&source), hashes(&sent));
        let mut rest = want.iter();
        assert!(air.iter().all(|packet| rest.any(|wanted| wanted == packet)), "{stream}: in order, and none twice");
        assert!(air.len() > want.len() / 4, "{} of {} packets of {stream}", air.len(), want.len());
    }
    drop(disk);
}
