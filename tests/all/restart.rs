//! Law 5: after `kill -9` at any moment, the restarted stream continues where it was. No batch is on air twice, none is
//! lost, and within the batch that was on air at most one group of pictures repeats.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, Packet, entries};
use outboard_tests::onair::{assert_same_packets, hashes, join_sessions, monotonic, of_entries};
use outboard_tests::over_borders::over_borders;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;

/// When to kill the host.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as the journal has this batch at this step (numbers as in the schema).
    Step(u64, i64),
    /// This long after this batch went on air.
    OnAir(u64, Duration),
}

/// The steps as the journal numbers them.
const STEPS: [&str; 6] = ["cut", "demuxed", "sent", "decided", "remuxed", "on-air"];

async fn until(moment: Moment, host: &Host, storage: &Path) {
    match moment {
        Moment::Step(batch, step) => {
            let reached = async {
                while reached(storage, batch).is_none_or(|now| now < step) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(60), reached).await;
            assert!(waited.is_ok(), "batch {batch} did not get to {}: {:#?}", STEPS[step as usize], host.log());
        }
        Moment::OnAir(batch, after) => {
            host.until(&format!("on air batch={batch}"), Duration::from_secs(60)).await;
            tokio::time::sleep(after).await;
        }
    }
}

fn reached(storage: &Path, batch: u64) -> Option<i64> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let journal = rusqlite::Connection::open_with_flags(storage.join("outboard.db"), flags).ok()?;
    journal.busy_timeout(Duration::from_millis(50)).ok()?;
    journal.query_row("SELECT step FROM batch WHERE number = ?", [batch], |row| row.get(0)).ok()
}

/// What the source is like, and how long batches are.
#[derive(Debug, Clone, Copy)]
struct Batches {
    seconds: &'static str,
    /// Whether frames of sound reach over the border of each segment.
    over_borders: bool,
}

const PLAIN: Batches = Batches { seconds: "4", over_borders: false };
const SHORT: Batches = Batches { seconds: "2", over_borders: false };
const OVER_BORDERS: Batches = Batches { seconds: "4", over_borders: true };
const SHORT_OVER_BORDERS: Batches = Batches { seconds: "2", over_borders: true };

/// Runs, kills and restarts at each moment in turn, and compares the receiver's recordings with the source.
async fn killed_at(batches: Batches, moments: &[Moment]) {
    let programme = entries(&Clip::small(32), false);
    let packed = tempfile::tempdir().unwrap();
    let sent = if batches.over_borders { over_borders(&programme, packed.path()) } else { programme.clone() };
    let origin = LiveOrigin::start(sent).await;
    let processor = Processor::start(ServerKind::Node, "echo", &["delay=200"]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("restart");
    let options =
        ["--source", &origin.url, "--processor", &processor.url(), "--to", &to, "--batch-seconds", batches.seconds];
    let options = [&options[..], &["--batches", "100", "--cushion-seconds", "3"]].concat();
    for moment in moments {
        let host = Host::run(storage.path(), &options);
        until(*moment, &host, storage.path()).await;
        host.kill().await;
    }
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(120)).await;
    assert!(ended.status.success(), "{moments:?}: {:#?}", ended.log);
    assert_eq!(ended.lines_with("resuming where the last run ended"), 1, "{moments:?}: {:#?}", ended.log);
    for (stream, group) in [("v", 60), ("a", 95)] {
        let source: Vec<_> = of_entries(&programme, stream).concat();
        let want = hashes(&source);
        let files = nginx.files(1, "restart");
        let sessions: Vec<Vec<Packet>> = files.iter().map(|file| monotonic(file, stream)).collect();
        let (joined, repeats) = join_sessions(&sessions, &want, stream);
        assert_same_packets(&joined, &want, &format!("{moments:?} {stream}: {:#?}", ended.log));
        assert!(repeats.iter().all(|repeat| *repeat <= group), "{moments:?} {stream}: {repeats:?} packets repeat");
    }
}

#[tokio::test]
async fn killed_when_a_batch_is_cut() {
    killed_at(PLAIN, &[Moment::Step(1, 0)]).await;
}

#[tokio::test]
async fn killed_when_a_batch_is_demuxed() {
    killed_at(SHORT_OVER_BORDERS, &[Moment::Step(1, 1)]).await;
}

#[tokio::test]
async fn killed_when_a_batch_is_with_the_processor() {
    killed_at(SHORT, &[Moment::Step(2, 2)]).await;
}

#[tokio::test]
async fn killed_when_the_decision_fell() {
    killed_at(OVER_BORDERS, &[Moment::Step(2, 3)]).await;
}

#[tokio::test]
async fn killed_when_a_batch_is_ready() {
    killed_at(SHORT, &[Moment::Step(1, 4)]).await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_batch_on_air() {
    killed_at(PLAIN, &[Moment::OnAir(1, Duration::from_millis(1300))]).await;
}

#[tokio::test]
async fn killed_again_and_again() {
    killed_at(
        SHORT_OVER_BORDERS,
        &[Moment::Step(0, 2), Moment::OnAir(0, Duration::from_millis(2500)), Moment::Step(4, 1)],
    )
    .await;
}

#[tokio::test]
async fn a_gentle_stop_puts_on_air_what_was_fetched_and_ends_the_run() {
    let programme = entries(&Clip::small(40), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("gentle");
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let host = Host::run(storage.path(), &options);
    host.until("on air batch=1", Duration::from_secs(60)).await;
    host.signal(Signal::SIGTERM);
    let ended = host.ended(Duration::from_secs(60)).await;
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0);
    assert_eq!(ended.count("packets_in"), ended.count("packets_on_air"));
    let source: Vec<_> = of_entries(&programme, "v").concat();
    let air = monotonic(&nginx.files(1, "gentle")[0], "v");
    assert!(air.len() >= 240 && air.len() < source.len(), "{} of {} pictures", air.len(), source.len());
    assert_same_packets(&hashes(&air), &hashes(&source)[..air.len()], "v");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let origin = LiveOrigin::start(entries(&Clip::small(40), false)).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("at-once");
    let host = Host::run(storage.path(), &["--source", &origin.url, "--to", &to, "--batch-seconds", "4"]);
    host.until("on air batch=0", Duration::from_secs(60)).await;
    host.signal(Signal::SIGINT);
    host.until("a second signal stops immediately", Duration::from_secs(90)).await;
    host.signal(Signal::SIGINT);
    let ended = host.ended(Duration::from_secs(60)).await;
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.log);
}
