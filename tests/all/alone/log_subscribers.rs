//! Law 8 at the API: a thousand subscribers of one pipeline's log, a tenth of which never read. Memory stays bounded,
//! all of it is freed when they disconnect, and the pipeline is not affected.
//!
//! `OUTBOARD_TEST_SUBSCRIBERS` and `OUTBOARD_TEST_SECONDS` set their number and the duration.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use outboard_tests::host::Host;
use outboard_tests::media::Clip;
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::channel::{Channel, Plan, seconds};
use outboard_tests::server::socket::Socket;
use outboard_tests::server::{Server, resident_kb};
use serde_json::json;

/// Accepted growth of the server with all of them, in kB: 100 per subscriber.
const GROWTH_KB: u64 = 100 * 1024;

fn subscribers() -> usize {
    std::env::var("OUTBOARD_TEST_SUBSCRIBERS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

#[tokio::test]
async fn a_thousand_subscribers_on_one_log_are_not_felt() {
    // One socket each on both sides; the server inherits the limit.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let token = server.tenant("watched").await;
    let nginx = Nginx::start();
    let (_echo, url) = Host::echo(50, &[]).await;
    let length = seconds(36);
    let plan = Plan { name: "watched", clip: Clip::small(length), batch_seconds: 2, processor: Some(&url) };
    let mut channel = Channel::start(&server, Some(&token), &nginx, plan).await;
    channel.on_air(&server, &nginx).await;

    let pid = server.process().pid();
    let before = resident_kb(pid);
    let (lines, served) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let follow = "subscription($id: ID!) { logs(filter: { pipeline: $id, level: DEBUG }, last: 20) \
                  { lines { id at level target message batch fields } dropped } }";
    let (mut readers, mut idle) = (Vec::new(), Vec::new());
    for n in 0..subscribers() {
        let mut socket = server.socket(Some(&token)).await;
        socket.subscribe(follow, &json!({ "id": channel.id })).await;
        if n % 10 == 0 {
            // It never reads again.
            idle.push(socket);
        } else {
            readers.push(tokio::spawn(read(socket, lines.clone(), served.clone())));
        }
    }
    let last = channel.ended(&server, Duration::from_secs(u64::from(length) + 120)).await;
    let during = resident_kb(pid);
    let longest = channel.assert_laws(&server, &nginx, &last).await;
    let count = readers.len();
    assert_eq!(served.load(Ordering::Relaxed), count, "every reader got lines");
    let lines = lines.load(Ordering::Relaxed);
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    drop(idle);
    eprintln!(
        "{before} kB before, {during} kB with {} subscribers, {lines} lines read, longest gap {longest:?}",
        subscribers()
    );
    assert!(during <= before + GROWTH_KB, "{before} kB before, {during} kB with them");
    assert!(lines >= count as u64 * 20, "{lines} lines for {count} readers");
}

async fn read(mut socket: Socket, lines: Arc<AtomicU64>, served: Arc<AtomicUsize>) {
    let mut first = true;
    while let Some((_, payload)) = socket.next().await {
        let update = &payload["data"]["logs"];
        let count = update["lines"].as_array().unwrap().len() as u64;
        lines.fetch_add(count, Ordering::Relaxed);
        if std::mem::take(&mut first) && count > 0 {
            served.fetch_add(1, Ordering::Relaxed);
        }
    }
}
