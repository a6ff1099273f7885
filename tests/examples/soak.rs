//! A day's work in short: 10,000 short batches of several pipelines on one server, with requests to its API, subscribers that
//! come and go, destinations that are connected again and a processor that misbehaves. Memory, descriptors, threads and the
//! database must stay flat, and no packet may be lost.
//!
//! `scripts/soak` builds and runs it. A table tells each tenth of the way; it fails where something grew.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark stops where it cannot measure"
)]

use std::sync::Arc;
use std::time::Duration;

use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, SEGMENT_SECONDS, entries};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::{Server, resident_kb};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const PIPELINES: usize = 8;
/// Length of a batch, seconds: the shortest.
const BATCH_SECONDS: u32 = 2;
/// Length of the clip that is looped, seconds.
const CLIP_SECONDS: u32 = 60;
/// Rows of the table.
const LOOKS: usize = 10;
/// Between two requests to the API.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// What memory may grow by from the second tenth to the last, kB.
const GROWTH_KB: u64 = 24 << 10;
/// Descriptors and threads that come and go with requests under way.
const OTHERS: usize = 24;

/// What the server holds.
#[derive(Debug, Clone, Copy)]
struct Look {
    resident_kb: u64,
    descriptors: usize,
    threads: usize,
    database_bytes: u64,
}

impl Look {
    fn at(server: &Server) -> Self {
        let pid = server.process().pid();
        let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let size = |name: &str| std::fs::metadata(server.storage().join(name)).map_or(0, |file| file.len());
        Self {
            resident_kb: resident_kb(pid),
            descriptors: count("fd"),
            threads: count("task"),
            database_bytes: size("outboard.db") + size("outboard.db-wal"),
        }
    }
}

#[tokio::main]
async fn main() {
    let batches: usize =
        std::env::var("OUTBOARD_SOAK_BATCHES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let storage = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::start(storage.path()).await);
    let tokens = [server.tenant("one").await, server.tenant("two").await];
    let nginx = Nginx::start();
    let (_echo, echo) =
        Host::echo(50, &["late:5000@every:23", "fail@every:31", "disconnect@every:97", "garbage@every:41"]).await;
    let clip = Clip::small(CLIP_SECONDS);
    let segments = batches / PIPELINES * (BATCH_SECONDS / SEGMENT_SECONDS) as usize + 10;
    let rounds = segments * SEGMENT_SECONDS as usize / CLIP_SECONDS as usize + 1;
    let programme: Vec<_> = (0..rounds).flat_map(|round| entries(&clip, round > 0)).collect();
    let (mut origins, mut pipelines) = (Vec::new(), Vec::new());
    for n in 0..PIPELINES {
        let (token, stream) = (tokens[n % tokens.len()].clone(), format!("soak-{n}"));
        let origin = LiveOrigin::start_wide(programme.clone(), 10).await;
        let settings = json!({
            "source": { "url": origin.url }, "processor": { "url": echo }, "batchSeconds": BATCH_SECONDS,
            "destinations": [{ "url": nginx.url(&stream) }], "keep": { "batches": 3 },
        });
        let id = server.create(Some(&token), &stream, &settings, true).await;
        origins.push(origin);
        pipelines.push((id, token));
    }
    let stop = CancellationToken::new();
    let load = tokio::spawn(load(server.clone(), pipelines.clone(), stop.clone()));
    println!("{:>8} {:>10} {:>12} {:>8} {:>14}", "batches", "RSS kB", "descriptors", "threads", "database bytes");
    let mut looks = Vec::new();
    for part in 1..=LOOKS {
        let wanted = batches * part / LOOKS;
        while done(&server, &pipelines).await < wanted {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let look = Look::at(&server);
        let Look { resident_kb, descriptors, threads, database_bytes } = look;
        println!("{wanted:>8} {resident_kb:>10} {descriptors:>12} {threads:>8} {database_bytes:>14}");
        looks.push(look);
    }
    stop.cancel();
    load.await.unwrap();
    for (id, token) in &pipelines {
        let status = server.status(Some(token), id).await;
        assert_eq!(status["counters"]["packetsLost"], 0, "{status:#}");
    }
    let (early, late) = (looks[1], looks[LOOKS - 1]);
    assert!(late.resident_kb <= early.resident_kb + GROWTH_KB, "memory: {looks:#?}");
    assert!(late.descriptors <= early.descriptors + OTHERS, "descriptors: {looks:#?}");
    assert!(late.threads <= early.threads + OTHERS, "threads: {looks:#?}");
    // What is kept of batches and events is kept for a time and by number: the second half adds no more than the first.
    let middle = looks[LOOKS / 2 - 1];
    let (first, second) = (middle.database_bytes, late.database_bytes.saturating_sub(middle.database_bytes));
    assert!(second <= first, "database: {looks:#?}");
    println!("flat: {batches} batches of {PIPELINES} pipelines");
}

async fn done(server: &Server, pipelines: &[(String, String)]) -> usize {
    let mut all = 0;
    for (id, token) in pipelines {
        let status = server.status(Some(token), id).await;
        all += status["counters"]["batches"].as_u64().unwrap_or_default() as usize;
    }
    all
}

/// Requests, subscribers that come and go, and each tenth time a destination that is connected again.
async fn load(server: Arc<Server>, pipelines: Vec<(String, String)>, stop: CancellationToken) {
    let page = "query($id: ID!) { pipeline(id: $id) { batches(first: 20) { edges { node { number outcome } } } \
        events(first: 20) { edges { node { kind message } } } logs(last: 50) { edges { node { message } } } } }";
    let settings = "query($id: ID!) { pipeline(id: $id) { settings { destinations { id } } } }";
    let again = "mutation($id: ID!, $to: ID!) { reconnectDestination(id: $id, destination: $to) { id } }";
    let follow = "subscription($id: ID!) { pipelineStatus(id: $id) { phase } }";
    for n in 0.. {
        let (id, token) = &pipelines[n % pipelines.len()];
        let by_id = json!({ "id": id });
        let asked = |query: &'static str, variables: Value| {
            let server = server.clone();
            async move { server.graphql(Some(token), query, &variables).await.body["data"].take() }
        };
        assert!(!asked(page, by_id.clone()).await.is_null(), "{id}");
        if n % 10 == 3 {
            let mut socket = server.socket(Some(token)).await;
            socket.subscribe(follow, &by_id).await;
            socket.next().await.unwrap();
        }
        if n % 40 == 7 {
            let told = asked(settings, by_id.clone()).await;
            let to = told["pipeline"]["settings"]["destinations"][0]["id"].clone();
            asked(again, json!({ "id": id, "to": to })).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
    }
}
