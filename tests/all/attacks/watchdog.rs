//! A process that hangs, and one that was suspended.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, Entry, LiveOrigin, SEGMENT_SECONDS, entries, ffmpeg};
use outboard_tests::onair::assert_in_order_to_the_end;
use outboard_tests::receiver::fake::{FakeServer, GOOD};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::receiver::packets::key_pictures;
use outboard_tests::server::Server;
use serde_json::{Value, json};

/// Limit for a pipeline to be on air, on a busy machine.
const ON_AIR_LIMIT: Duration = Duration::from_secs(120);

/// Longer than the watchdog's limit in this test.
const AWAY: Duration = Duration::from_secs(13);
/// The window of "on air", plus the time for twice the bytes between two acknowledgements. It was 40 s before the fix.
const OFF_AIR_WITHIN: Duration = Duration::from_secs(35);
const HANG_SECONDS: &str = "10";

fn video(status: &Value) -> u64 {
    status["destinations"][0]["counters"]["video"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_process_that_was_stopped_is_no_hang() {
    let origin = LiveOrigin::start_wide(entries(&Clip::small(60), false), 30).await;
    let (nginx, storage) = (Nginx::start(), tempfile::tempdir().unwrap());
    let server = Server::start_with(storage.path(), &[("OUTBOARD_LIMITS__HANG_SECONDS", HANG_SECONDS)]).await;
    let settings = json!({
        "source": { "url": origin.url, "whenEnded": "STOP" },
        "destinations": [{ "url": nginx.url("tv") }],
        "batchSeconds": 4,
    });
    let id = server.create(None, "tv", &settings, true).await;
    let before = server.until(None, &id, "on air", ON_AIR_LIMIT, |status| status["onAir"] == true).await;
    server.process().signal(Signal::SIGSTOP);
    // The test is about time that passes: there is nothing to wait for.
    tokio::time::sleep(AWAY).await;
    server.process().signal(Signal::SIGCONT);
    server.process().until("the process did not run for", Duration::from_secs(60)).await;
    let wanted = video(&before) + 300;
    server.until(None, &id, "sending again", ON_AIR_LIMIT, |status| video(status) >= wanted).await;
    assert!(!server.log().iter().any(|line| line.contains("ends with code")), "{:#?}", server.log());
}

/// Three batches: more than a slow load brings, or than is buffered.
const LONG_AWAY: Duration = Duration::from_secs(24);
const LIVE_BATCH: Duration = Duration::from_secs(8);

/// For each segment, identified by its first key frame: how far behind the source it was on air, and when.
fn lags(source: &[[u8; 8]], seen: &[(Instant, [u8; 8])], zero: Instant) -> Vec<(Instant, Duration)> {
    let lag = |(at, key): &(Instant, [u8; 8])| {
        let number = source.iter().position(|of| of == key).unwrap();
        let published = SEGMENT_SECONDS * u32::try_from(number).unwrap();
        // Three segments are there from the beginning.
        let lag = (at.duration_since(zero) + Duration::from_secs((3 * SEGMENT_SECONDS).into()))
            .checked_sub(Duration::from_secs(published.into()));
        // On air after it was published.
        (*at, lag.unwrap())
    };
    seen.iter().map(lag).collect()
}

/// The key frame with which each segment begins.
fn first_pictures(programme: &[Entry]) -> Vec<[u8; 8]> {
    let dir = tempfile::tempdir().unwrap();
    let (joined, flv) = (dir.path().join("joined.ts"), dir.path().join("joined.flv"));
    let bytes: Vec<u8> = programme.iter().flat_map(|entry| std::fs::read(&entry.path).unwrap()).collect();
    std::fs::write(&joined, bytes).unwrap();
    let [joined, file] = [&joined, &flv].map(|path| path.display().to_string());
    ffmpeg(&["-i", &joined, "-map", "0:v", "-c", "copy", "-f", "flv", &file]);
    let keys = key_pictures(&flv);
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), programme.len(), "one a segment, and none like another");
    keys
}

#[tokio::test]
async fn a_stream_that_is_to_be_live_skips_what_piled_up_while_the_process_was_away() {
    let programme = entries(&Clip::small(100), false);
    let pictures = first_pictures(&programme);
    // Before the source's clock begins.
    let zero = Instant::now();
    let origin = LiveOrigin::start_wide(programme.clone(), 30).await;
    let (nginx, storage) = (Nginx::start(), tempfile::tempdir().unwrap());
    let receiver = FakeServer::start(|_| GOOD).await;
    let server = Server::start(storage.path()).await;
    let settings = json!({
        "source": { "url": origin.url, "whenEnded": "STOP", "catchUp": "LIVE" },
        "destinations": [{ "url": nginx.url("tv") }, { "url": receiver.url("tv") }],
        "batchSeconds": LIVE_BATCH.as_secs(),
    });
    let id = server.create(None, "tv", &settings, true).await;
    // Some segments, to measure the normal delay behind the source.
    let two_segments = u64::from(2 * SEGMENT_SECONDS * 30);
    server.until(None, &id, "on air", ON_AIR_LIMIT, |status| video(status) > two_segments).await;
    server.process().signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    tokio::time::sleep(LONG_AWAY).await;
    let back = Instant::now();
    server.process().signal(Signal::SIGCONT);
    server.process().until("skipped to return to the live edge", Duration::from_secs(60)).await;
    server.until(None, &id, "over", ON_AIR_LIMIT, |status| status["phase"] == "STOPPED").await;
    let query =
        "query($id: ID!) { pipeline(id: $id) { status { counters { segments segmentsMissing { reason count } } } } }";
    let answer = server.graphql(None, query, &json!({ "id": id })).await;
    let counters = &answer.data("pipeline")["status"]["counters"];
    let missing = counters["segmentsMissing"].as_array().unwrap();
    let behind = missing.iter().find(|one| one["reason"] == "behind").and_then(|one| one["count"].as_u64());
    // Suspended for twelve segments of 2 s; those at the live edge are fetched.
    assert!(behind.is_some_and(|count| (3..=12).contains(&count)), "{counters}");
    assert_in_order_to_the_end(&nginx, "tv", &programme);

    let logs = receiver.logs();
    let seen: Vec<_> = logs.iter().flat_map(|log| log.keys.clone()).collect();
    let lags = lags(&pictures, &seen, zero);
    let most = lags.iter().filter(|(at, _)| *at < stopped).map(|(_, lag)| *lag).max().unwrap() + LIVE_BATCH;
    let after: Vec<_> = lags.iter().filter(|(at, _)| *at >= back).map(|(_, lag)| *lag).collect();
    // Old media is on air afterwards for at most a batch, and no backlog remains.
    let old = after.iter().filter(|lag| **lag > most).count();
    let old = Duration::from_secs(u64::from(SEGMENT_SECONDS)) * u32::try_from(old).unwrap();
    assert!(old <= LIVE_BATCH, "{old:?} behind by more than {most:?}: {after:?}");
    assert!(after.len() > 4 && after.last().unwrap() <= &most, "behind by more than {most:?}: {after:?}");
}

/// Law 7: bytes in the buffers of sockets are not on air.
#[tokio::test]
async fn a_receiver_that_was_stopped_is_not_called_on_air_for_long() {
    let origin = LiveOrigin::start_wide(entries(&Clip::small(90), false), 30).await;
    let (nginx, storage) = (Nginx::start(), tempfile::tempdir().unwrap());
    let server = Server::start(storage.path()).await;
    let settings = json!({
        "source": { "url": origin.url, "whenEnded": "STOP" },
        "destinations": [{ "url": nginx.url("tv") }],
        "batchSeconds": 4,
    });
    let id = server.create(None, "tv", &settings, true).await;
    server.until(None, &id, "on air", ON_AIR_LIMIT, |status| status["onAir"] == true).await;
    // Waits until this receiver is known to acknowledge.
    let first = server.status(None, &id).await;
    let wanted = video(&first) + 300;
    server.until(None, &id, "sending", ON_AIR_LIMIT, |status| video(status) >= wanted).await;
    nginx.freeze();
    let off = server.until(None, &id, "off air", OFF_AIR_WITHIN, |status| status["onAir"] == false).await;
    assert_eq!(off["health"]["state"], "FAILING", "{off:#}");
    nginx.thaw();
    server.until(None, &id, "on air again", ON_AIR_LIMIT, |status| status["onAir"] == true).await;
}

/// Stops every thread of this name until `until` is signalled; false: this machine does not permit it.
fn hold(pid: u32, name: &str, until: &std::sync::mpsc::Receiver<()>) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path());
    let named = tasks.filter(|task| std::fs::read_to_string(task.join("comm")).unwrap_or_default().trim() == name);
    let threads: Vec<Pid> =
        named.map(|task| Pid::from_raw(task.file_name().unwrap().to_str().unwrap().parse().unwrap())).collect();
    assert!(!threads.is_empty(), "no thread is called {name}");
    for thread in &threads {
        match ptrace::seize(*thread, ptrace::Options::empty()) {
            // An idle thread may end.
            Err(Errno::ESRCH) => continue,
            Err(_) => return false,
            Ok(()) => {}
        }
        if ptrace::interrupt(*thread).is_ok() {
            waitpid(*thread, Some(WaitPidFlag::__WALL)).ok();
        }
    }
    let _ = until.recv();
    true
}

#[tokio::test]
async fn threads_that_hang_are_named_and_end_the_process_to_be_started_again() {
    let storage = tempfile::tempdir().unwrap();
    let (server, _) = Host::serve(storage.path(), &[("OUTBOARD_LIMITS__HANG_SECONDS", HANG_SECONDS)]).await;
    let pid = server.pid();
    let (end, until) = std::sync::mpsc::channel::<()>();
    // All ptrace calls must come from one thread.
    let holder = std::thread::spawn(move || hold(pid, "air", &until));
    let said = async {
        while !holder.is_finished() && !server.log().iter().any(|line| line.contains("ends with code 3")) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(60), said).await;
    assert!(said.is_ok(), "{:#?}", server.log());
    drop(end);
    if !holder.join().unwrap() {
        eprintln!("SKIPPED: this process may not hold the threads of another");
        return;
    }
    let ended = server.ended(Duration::from_secs(60)).await;
    assert_eq!(ended.status.code(), Some(3), "{:#?}", ended.log);
    assert!(ended.lines_with("the media threads have not run for") >= 2, "a warning, then the end: {:#?}", ended.log);
    assert!(ended.lines_with("\"air\": state t") >= 1, "{:#?}", ended.log);
}

#[tokio::test]
async fn a_process_that_may_have_too_little_memory_says_so_and_does_not_begin() {
    let storage = tempfile::tempdir().unwrap();
    let begin = format!("ulimit -v 600000; exec '{}' \"$@\"", outboard_tests::host::binary().display());
    let path = storage.path().display().to_string();
    let serve = tokio::process::Command::new("sh")
        .args(["-c", &begin, "sh", "serve", "--listen", "127.0.0.1:0", "--storage", &path])
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(Duration::from_secs(60), serve).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("ulimit -v") && !said.contains("panicked"), "{said}");
}

/// With enough address space, threads and allocations are not refused during work.
#[tokio::test]
async fn a_process_that_has_just_enough_address_space_runs_a_pipeline_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let options = [
        "--port",
        "0",
        "--echo-port",
        "0",
        "--rtmp-port",
        "0",
        "--batches",
        "3",
        "--batch-seconds",
        "4",
        "--dir",
        &path,
    ];
    let kib = outboard::limits::ADDRESS_SPACE_MIN / 1024;
    let begin = format!("ulimit -v {kib}; exec '{}' demo \"$@\"", outboard_tests::host::binary().display());
    let demo = tokio::process::Command::new("sh").args(["-c", &begin, "sh"]).args(options).kill_on_drop(true).output();
    let ended = tokio::time::timeout(Duration::from_secs(240), demo).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked") && !said.contains("memory allocation"), "{said}");
    let report = String::from_utf8_lossy(&ended.stdout).lines().last().unwrap_or_default().to_owned();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["batches"], &report["packets_lost"]), (&json!(3), &json!(0)), "{report}");
}
