//! A long run in short: 10,000 short batches of several pipelines on one server, with API requests, changing
//! subscribers, reconnected destinations and a faulty processor. Memory, descriptors, threads and the database must not
//! grow over the second half, and no packet may be lost.
//!
//! `scripts/soak` builds and runs it. It prints a row for each tenth of the run, and finally the growth of each
//! measure. It fails if a measure grew too much or a packet was lost.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark stops where it cannot measure"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use outboard_tests::footprint::{Footprint, Growth, Tolerance};
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, SEGMENT_SECONDS, entries};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const PIPELINES: usize = 8;
/// Length of a batch in seconds: the shortest possible.
const BATCH_SECONDS: u32 = 2;
/// Length of the looped clip in seconds.
const CLIP_SECONDS: u32 = 60;
/// Number of rows in the table.
const TENTHS: usize = 10;
/// The row that the last one is compared with: the first of the second half.
const COMPARED: usize = TENTHS / 2;
/// Interval between two API requests.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Interval between two readings of the server.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Limit until the first batches are done.
const START_MAX: Duration = Duration::from_secs(300);
/// Limit of a tenth, per second of its media.
const SLOW: Duration = Duration::from_secs(4);
/// What is kept of each stream (`storage.history_…`): the minimum, so that its limit is reached in the first half.
const HISTORY: [(&str, &str); 2] =
    [("OUTBOARD_STORAGE__HISTORY_BATCHES", "100"), ("OUTBOARD_STORAGE__HISTORY_EVENTS", "100")];
/// With fewer batches, not every limit is reached in the first half: 512 remembered segments per stream, and one
/// segment per batch.
const JUDGED_FROM: usize = 2 * 512 * PIPELINES + 800;
/// Accepted growth of each measure from the sixth tenth to the last.
const TOLERANCES: [Tolerance; 5] = [
    Tolerance { name: "memory", unit: "kB", of: |look| look.resident_kb, most: 4 << 10 },
    Tolerance { name: "descriptors", unit: "", of: |look| look.descriptors, most: 8 },
    Tolerance { name: "threads", unit: "", of: |look| look.threads, most: 4 },
    Tolerance { name: "database", unit: "bytes", of: |look| look.database_bytes, most: 256 << 10 },
    Tolerance { name: "write-ahead log", unit: "bytes", of: |look| look.log_bytes, most: 4 << 20 },
];

#[tokio::main]
async fn main() -> ExitCode {
    let batches: usize =
        std::env::var("OUTBOARD_SOAK_BATCHES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let storage = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::start_with(storage.path(), &HISTORY).await);
    let tokens = [server.tenant("one").await, server.tenant("two").await];
    let nginx = Nginx::start();
    let (_echo, echo) =
        Host::echo(50, &["late:5000@every:23", "fail@every:31", "disconnect@every:97", "garbage@every:41"]).await;
    let clip = Clip::small(CLIP_SECONDS);
    // One pipeline may be some batches ahead of the others.
    let segments = (batches / PIPELINES + 30) * (BATCH_SECONDS / SEGMENT_SECONDS) as usize;
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
    println!("medians of each tenth of {batches} batches, process {}", server.process().pid());
    println!(
        "{:>8} {:>10} {:>13} {:>12} {:>8} {:>14} {:>10}",
        "batches", "RSS kB", "anonymous kB", "descriptors", "threads", "database bytes", "WAL bytes"
    );
    let mut tenths = Vec::new();
    let patience = START_MAX + SLOW * (BATCH_SECONDS * u32::try_from(batches / TENTHS / PIPELINES).unwrap());
    for part in 1..=TENTHS {
        let (wanted, mut looks, began) = (batches * part / TENTHS, Vec::new(), Instant::now());
        while done(&server, &pipelines).await < wanted {
            assert!(
                began.elapsed() < patience,
                "{wanted} batches were not done within {patience:?}: {:?}",
                server.log()
            );
            tokio::time::sleep(LOOK_EVERY).await;
            looks.push(Footprint::of(&server));
        }
        looks.push(Footprint::of(&server));
        let now = Footprint::median(&looks);
        println!(
            "{wanted:>8} {:>10} {:>13} {:>12} {:>8} {:>14} {:>10}",
            now.resident_kb, now.anonymous_kb, now.descriptors, now.threads, now.database_bytes, now.log_bytes
        );
        tenths.push(now);
    }
    stop.cancel();
    load.await.unwrap();
    let lost = lost(&server, &pipelines).await;
    println!("packets lost: {lost}");
    let growths = TOLERANCES.map(|tolerance| Growth::between(&tenths[COMPARED], &tenths[TENTHS - 1], tolerance));
    growths.iter().for_each(|growth| println!("second half: {growth}"));
    let flat = growths.iter().all(Growth::is_flat);
    let verdict = match (lost, flat, batches >= JUDGED_FROM) {
        (1.., ..) => "FAILED: packets were lost",
        (0, false, true) => "FAILED: not flat",
        (0, true, true) => "passed: flat, and nothing was lost",
        (0, _, false) => "passed: nothing was lost; too few batches to tell whether it is flat",
    };
    println!("{verdict} ({batches} batches of {PIPELINES} pipelines)");
    if verdict.starts_with("passed") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn done(server: &Server, pipelines: &[(String, String)]) -> usize {
    let mut all = 0;
    for (id, token) in pipelines {
        // It may not have started yet.
        all += server.status(Some(token), id).await["counters"]["batches"].as_u64().unwrap_or_default();
    }
    all as usize
}

async fn lost(server: &Server, pipelines: &[(String, String)]) -> u64 {
    let mut all = 0;
    for (id, token) in pipelines {
        all += server.status(Some(token), id).await["counters"]["packetsLost"].as_u64().unwrap();
    }
    all
}

/// Sends requests, opens and closes subscriptions, and every tenth time reconnects a destination.
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
        if n % 10 == 8 {
            assert_eq!(server.get(Some(token), "/metrics").await.0, 200);
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
