//! Measures the API with five live pipelines of two tenants: latency at 200 requests per second, the time until a
//! change reaches a subscriber, and the memory of a thousand idle subscriptions and a thousand log readers.
//!
//! `scripts/bench --api` builds and runs it. Requests are sent at their planned times whether earlier ones are answered
//! or not, and latency counts from the planned time, so that a stalled server cannot hide it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark stops where it cannot measure"
)]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::{Server, resident_kb};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const REQUESTS_PER_SECOND: u32 = 200;
const IDLE_SUBSCRIPTIONS: usize = 1000;
/// Number of changes whose time to a subscriber is measured.
const CHANGES: usize = 60;

fn from_environment(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let load_seconds = from_environment("OUTBOARD_BENCH_SECONDS", 60);
    let storage = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::start(storage.path()).await);
    let tokens = [server.tenant("one").await, server.tenant("two").await];
    let nginx = Nginx::start();
    let (_echo, echo) = Host::echo(50, &[]).await;
    let clip = Clip { size: Some((1280, 720)), ..Clip::small(load_seconds * 2 + 120) };
    let programme = entries(&clip, false);
    let (mut origins, mut pipelines) = (Vec::new(), Vec::new());
    for n in 0..5 {
        let (token, stream) = (&tokens[n % 2], format!("live-{n}"));
        let origin = LiveOrigin::start(programme.clone()).await;
        let settings = json!({
            "source": { "url": origin.url }, "processor": { "url": echo }, "batchSeconds": 6,
            "destinations": [{ "url": nginx.url(&stream) }],
        });
        let id = server.create(Some(token), &stream, &settings, true).await;
        origins.push(origin);
        pipelines.push((id, token.clone()));
    }
    for (id, token) in &pipelines {
        server.until(Some(token), id, "on air", Duration::from_secs(60), |status| status["onAir"] == true).await;
    }
    row("figure", "measured", "to reach");
    let pid = server.process().pid();
    row("five live pipelines: RSS", &format!("{:.1} MB", mb(resident_kb(pid))), "-");
    changes(&server, &tokens[0]).await;
    latencies(&server, &pipelines, load_seconds).await;
    idle(&server, &tokens[0], pid).await;
    for (id, token) in &pipelines {
        let status = server.status(Some(token), id).await;
        let gap = &status["destinations"][0]["maxOwnGapMs"];
        let lost = &status["counters"]["packetsLost"];
        row(&format!("{id} meanwhile: longest gap, packets lost"), &format!("{gap} ms, {lost}"), "<= 1000 ms, 0");
        assert_eq!(status["onAir"], true, "{status:#}");
    }
}

fn row(figure: &str, measured: &str, wanted: &str) {
    println!("{figure:<62} {measured:>20} {wanted:>16}");
}

fn mb(kb: u64) -> f64 {
    kb as f64 * 1024.0 / 1e6
}

// === latency under load ===

/// Typical requests: a list with status, one pipeline, its history, its events, the caller's identity.
fn questions(id: &str) -> Vec<(&'static str, String, Value)> {
    let status = "phase onAir health { state reason since } counters { batches processed original packetsIn } \
                  destinations { id url state onAir lastPacketAt backlogMs counters { video audio bytes } }";
    let by_id = json!({ "id": id });
    vec![
        ("pipelines", format!("{{ pipelines {{ id streamId desired status {{ {status} }} }} }}"), json!({})),
        ("pipeline", format!("query($id: ID!) {{ pipeline(id: $id) {{ id revision settings {{ batchSeconds destinations {{ id url }} }} status {{ {status} }} }} }}"), by_id.clone()),
        ("batches", "query($id: ID!) { pipeline(id: $id) { batches(first: 20) { edges { node { number outcome steps { step at seconds } } } pageInfo { hasNextPage endCursor } } } }".to_owned(), by_id.clone()),
        ("events", "query($id: ID!) { pipeline(id: $id) { events(first: 20) { edges { node { id at kind message } } } } }".to_owned(), by_id.clone()),
        ("logs", "query($id: ID!) { pipeline(id: $id) { logs(last: 50) { edges { node { id at level message } } } } }".to_owned(), by_id),
        ("me", "{ me { name role tenant } }".to_owned(), json!({})),
    ]
}

async fn latencies(server: &Arc<Server>, pipelines: &[(String, String)], seconds: u32) {
    let total = REQUESTS_PER_SECOND * seconds;
    let began = tokio::time::Instant::now();
    let mut under_way = JoinSet::new();
    for n in 0..total {
        let planned = began + Duration::from_secs(1) * n / REQUESTS_PER_SECOND;
        let (id, token) = pipelines[n as usize % pipelines.len()].clone();
        let server = server.clone();
        tokio::time::sleep_until(planned).await;
        under_way.spawn(async move {
            let asked = questions(&id);
            let (name, query, variables) = &asked[n as usize / 5 % asked.len()];
            let answer = server.graphql(Some(&token), query, variables).await;
            assert!(answer.body["errors"].is_null() && answer.status == 200, "{name}: {answer:?}");
            (*name, planned.elapsed())
        });
    }
    let all: Vec<(&str, Duration)> = under_way.join_all().await;
    let per_second = f64::from(total) / began.elapsed().as_secs_f64();
    let title = format!("API at {per_second:.0} requests/s for {seconds} s");
    let (p50, p95, p99, worst) = percentiles(all.iter().map(|(_, took)| *took).collect());
    row(&format!("{title}: p50, p95, worst"), &format!("{p50:.1}, {p95:.1}, {worst:.1} ms"), "-");
    row(&format!("{title}: p99"), &format!("{p99:.1} ms"), "< 20 ms");
    for (name, ..) in questions("") {
        let (p50, _, p99, worst) =
            percentiles(all.iter().filter(|(of, _)| *of == name).map(|(_, took)| *took).collect());
        row(&format!("  {name}: p50, p99, worst"), &format!("{p50:.1}, {p99:.1}, {worst:.1} ms"), "-");
    }
}

/// The percentiles 50, 95, 99 and 100 in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> (f64, f64, f64, f64) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    (at(0.5), at(0.95), at(0.99), at(1.0))
}

// === from a change to its subscriber ===

/// Starts and stops a pipeline, and measures from the time in the status to its arrival. Both use this machine's clock,
/// to the millisecond.
async fn changes(server: &Server, token: &str) {
    let settings = json!({
        "source": { "url": "http://127.0.0.1:9/off.m3u8" }, "destinations": [{ "url": "rtmp://127.0.0.1:9/live/x" }],
    });
    let id = server.create(Some(token), "toggled", &settings, false).await;
    let mut socket = server.socket(Some(token)).await;
    let follow = "subscription($id: ID!) { pipelineStatus(id: $id) { phase since } }";
    socket.subscribe(follow, &json!({ "id": id })).await;
    socket.next().await.unwrap();
    let (mut told, mut whole) = (Vec::new(), Vec::new());
    for n in 0..CHANGES {
        let (call, stopped) =
            if n % 2 == 0 { ("startPipeline(id: $id)", false) } else { ("stopPipeline(id: $id, mode: AT_ONCE)", true) };
        let asked = Instant::now();
        let change = format!("mutation($id: ID!) {{ {call} {{ id }} }}");
        let variables = json!({ "id": id });
        let (answer, arrived) = tokio::join!(server.graphql(Some(token), &change, &variables), async {
            loop {
                let (_, payload) = socket.next().await.unwrap();
                let status = &payload["data"]["pipelineStatus"];
                if (status["phase"] == "STOPPED") == stopped {
                    let since: jiff::Timestamp = status["since"].as_str().unwrap().parse().unwrap();
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                    let since = Duration::from_millis(u64::try_from(since.as_millisecond()).unwrap());
                    return (now.saturating_sub(since), asked.elapsed());
                }
            }
        });
        assert!(answer.body["errors"].is_null(), "{answer:?}");
        told.push(arrived.0);
        whole.push(arrived.1);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let (p50, _, p99, worst) = percentiles(told);
    row("a change of status at its subscriber: p50, p99", &format!("{p50:.0}, {p99:.0} ms"), "-");
    row("a change of status at its subscriber: worst", &format!("{worst:.0} ms"), "<= 100 ms");
    let (p50, _, p99, worst) = percentiles(whole);
    row("  from asking for it on: p50, p99, worst", &format!("{p50:.0}, {p99:.0}, {worst:.0} ms"), "-");
}

// === subscriptions that wait ===

async fn idle(server: &Server, token: &str, pid: u32) {
    let before = resident_kb(pid);
    let mut sockets = Vec::new();
    for _ in 0..IDLE_SUBSCRIPTIONS {
        let mut socket = server.socket(Some(token)).await;
        let follow = "subscription { pipelineStatus(id: \"toggled\") { phase onAir health { state reason } } }";
        socket.subscribe(follow, &json!({})).await;
        socket.next().await.unwrap();
        sockets.push(socket);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let more = mb(resident_kb(pid).saturating_sub(before));
    row(
        &format!("{IDLE_SUBSCRIPTIONS} idle subscriptions, a connection each: RSS more"),
        &format!("{more:.1} MB"),
        "<= 60 MB",
    );
    drop(sockets);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let kept = mb(resident_kb(pid).saturating_sub(before));
    row("  and after they vanished", &format!("{kept:.1} MB"), "-");
}
