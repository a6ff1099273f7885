//! Replies that occupy a core: small files of a processor that take forever to parse. Each is refused in time, the
//! original audio is on air, and neither a deletion nor a signal has to wait.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use outboard_tests::attacks::replies;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::server::Server;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Longest wait for steps that take some seconds on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// The time over which the processor time of the process is measured.
const MEASURED: Duration = Duration::from_secs(4);
/// Work in progress has ended after this. Counting up to a 32-bit number takes longer.
const IDLE_WITHIN: Duration = Duration::from_secs(16);
/// Accepted share of one core while there is nothing to do.
const IDLE_MOST: f64 = 0.35;
/// From SIGTERM to the end: the server's own limits, 10 s and 2 s, and time for a busy machine.
const END_WITHIN: Duration = Duration::from_secs(40);

/// Processor time of the process so far, all threads together.
fn cpu(process: &Host) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(ticks * 10)
}

/// A thread that reads a file without receiving any data: nothing in the process can end it.
#[tokio::test]
async fn the_end_waits_for_no_thread_that_hangs() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let origin = LiveOrigin::start(entries(&Clip::small(36), false)).await;
    let to = format!("file://{}", storage.path().join("out.flv").display());
    let settings = json!({ "source": { "url": origin.url }, "destinations": [{ "url": to }], "batchSeconds": 2 });
    let id = server.create(None, "hangs", &settings, true).await;
    let aired = |status: &Value| status["counters"]["batches"].as_u64() >= Some(3) && status["onAir"] == true;
    server.until(None, &id, "on air", PATIENCE, aired).await;
    // The index of each batch, which the preview reads, is replaced by a pipe that nobody writes to.
    let batches = storage.path().join("default/processed_fragments/hangs");
    let mut pipes = Vec::new();
    for batch in std::fs::read_dir(batches).unwrap().map(|entry| entry.unwrap().path()) {
        let file = batch.join("air.index");
        if file.exists() {
            std::fs::remove_file(&file).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
            pipes.push(file);
        }
    }
    let mut asking = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET /preview/{id}/index.m3u8 HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    asking.write_all(request.as_bytes()).await.unwrap();
    // A pipe can be opened for writing without waiting once a reader has opened it.
    let open = |pipe: &PathBuf| OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(pipe).ok();
    let began = Instant::now();
    let hung = loop {
        match pipes.iter().find_map(open) {
            Some(pipe) => break pipe,
            None => assert!(began.elapsed() < PATIENCE, "nobody reads {pipes:?}: {:#?}", server.log()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let process = server.into_process();
    process.signal(Signal::SIGTERM);
    let ended = process.ended(END_WITHIN).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    drop(hung);
}

#[tokio::test]
async fn a_reply_without_end_holds_no_core_and_nobody_up() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let origin = LiveOrigin::start(entries(&Clip::small(36), false)).await;
    let kinds = replies::all();
    let mut running = Vec::new();
    for (name, file, _) in &kinds {
        let path = storage.path().join(name);
        std::fs::write(&path, file).unwrap();
        let answer = format!("answer={}", path.display());
        let processor = Processor::start(ServerKind::Node, "echo", &[&answer]).await;
        let to = format!("file://{}", storage.path().join(format!("{name}.flv")).display());
        let settings = json!({
            "source": { "url": origin.url },
            "processor": { "url": processor.url() },
            "destinations": [{ "url": to }],
            "batchSeconds": 2,
        });
        running.push((server.create(None, name, &settings, true).await, processor));
    }
    for ((id, _), (name, ..)) in running.iter().zip(&kinds) {
        let fallen_back = |status: &Value| status["counters"]["original"].as_u64() >= Some(3);
        let status = server.until(None, id, "on air with the original sound", PATIENCE, fallen_back).await;
        assert_eq!(status["counters"]["processed"], 0, "{name}: {status:#}");
    }
    let log = server.log();
    for (name, _, why) in &kinds {
        let told = |line: &&String| line.contains("a reply cannot be used") && line.contains(name);
        let line = log.iter().find(told).unwrap_or_else(|| panic!("{name}: no reply was refused: {log:#?}"));
        assert!(line.contains(why), "{name}: {line}");
    }

    for (id, _) in &running {
        let delete = "mutation($id: ID!) { deletePipeline(id: $id) { deleted } }";
        server.graphql(None, delete, &json!({ "id": id })).await.data("deletePipeline");
    }
    // Work in progress ends; an endless loop continues for longer than that.
    let deadline = Instant::now() + IDLE_WITHIN;
    loop {
        let (before, began) = (cpu(server.process()), Instant::now());
        tokio::time::sleep(MEASURED).await;
        let share = (cpu(server.process()) - before).as_secs_f64() / began.elapsed().as_secs_f64();
        if share < IDLE_MOST {
            break;
        }
        assert!(began < deadline, "with nothing to do it takes {share:.2} of a core: {:#?}", server.log());
    }

    let process = server.into_process();
    process.signal(Signal::SIGTERM);
    let ended = process.ended(END_WITHIN).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
}
