//! A live pipeline whose stages are swapped repeatedly at random moments: laws 1 to 3 hold packet by packet, nothing
//! reconnects, and fragments in flight return.
//!
//! `OUTBOARD_TEST_SECONDS` sets the length of the programme; swaps continue as long as it lasts.

use std::time::Duration;

use outboard::store::files::keep_component;
use outboard_tests::authored;
use outboard_tests::guests::{bundled_file, variant};
use outboard_tests::media::Clip;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan, seconds};

use super::*;

const SWAP: &str = "mutation($input: SwapStageInput!) { swapStage(input: $input) { id state } }";
const FOLLOW: &str =
    "query($id: ID!) { swap(id: $id) { state reason steps { step tookMs detail } rehearsal { calls same } } }";
/// Seconds of programme per swap of each kind: one takes a little more than a batch.
const SECONDS_A_SWAP: u32 = 5;

/// Requests a swap and follows it to its end.
async fn swapped(server: &Server, id: &str, kind: &str, component: &str, settings: &Value) -> Value {
    let input = json!({
        "pipelineId": id, "kind": kind, "component": component, "settings": settings, "probationBatches": 1,
    });
    let asked = server.graphql(None, SWAP, &json!({ "input": input })).await;
    let swap = asked.data("swapStage")["id"].clone();
    let over = async {
        loop {
            let row = server.graphql(None, FOLLOW, &json!({ "id": swap })).await.data("swap").clone();
            if !["CHECKING", "REHEARSING", "CUTTING_OVER", "PROBATION"].iter().any(|state| row["state"] == *state) {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let over = tokio::time::timeout(Duration::from_secs(90), over).await;
    over.unwrap_or_else(|_| panic!("swap {swap} of {kind} does not end: {:#?}", server.log()))
}

#[tokio::test]
async fn swaps_of_all_kinds_at_random_moments_are_not_seen_on_air() {
    let storage = tempfile::tempdir().unwrap();
    let others = ["js-batching", "rust-framing", "python-remux-planning"];
    for name in others {
        authored::lend(storage.path(), name).await;
    }
    let server = Server::start(storage.path()).await;
    let nginx = Nginx::start();
    let node = Processor::start(ServerKind::Node, "echo", &["delay=150"]).await;
    let length = seconds(60);
    let url = node.url();
    let plan = Plan { name: "swapped", clip: Clip::small(length), batch_seconds: 2, processor: Some(&url) };
    let mut channel = Channel::start(&server, None, &nginx, plan).await;
    channel.on_air(&server, &nginx).await;

    // Versions of one kind that can read each other's state, in two languages.
    let mut versions = Vec::new();
    for ((kind, name, settings), other) in [
        ("BATCHING", "batching-duration", json!({ "batch_seconds": 2 })),
        ("FRAMING", "framing-fragment", json!({})),
        ("REMUX_PLANNING", "remux-replace", json!({})),
    ]
    .into_iter()
    .zip(others)
    {
        let mut digests = vec![keep_component(storage.path(), &authored::path(other)).await.unwrap()];
        for n in 0..2 {
            let file = storage.path().join(format!("{name}-{n}.wasm"));
            std::fs::write(&file, variant(&bundled_file(name), n)).unwrap();
            digests.push(keep_component(storage.path(), &file).await.unwrap());
        }
        versions.push((kind, digests, settings));
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(u64::from(length).saturating_sub(20));
    let swap = |n: usize| swap_for_long(&server, &channel.id, &versions[n], until);
    let all = tokio::join!(swap(0), swap(1), swap(2));
    for (kind, done, slowest) in [all.0, all.1, all.2] {
        eprintln!("{kind}: {done} swaps, the longest cut-over took {slowest} ms");
        assert!(done >= usize::try_from(length.saturating_sub(30) / SECONDS_A_SWAP).unwrap(), "{kind}: {done} swaps");
    }
    let last = channel.ended(&server, Duration::from_secs(u64::from(length) + 120)).await;
    channel.assert_laws(&server, &nginx, &last).await;
    assert_eq!(last["counters"]["original"], 0, "each reply came back and was used: {last:#}");
    let connects = server.log().iter().filter(|line| line.contains("connected to the processor")).count();
    assert_eq!(connects, 1, "{:#?}", server.log());
}

/// Kind, digests of versions that can read each other's state, their settings.
type Versions = (&'static str, Vec<String>, Value);

/// Swaps one stage repeatedly; returns the number of swaps, and the longest cut-over in milliseconds.
async fn swap_for_long(
    server: &Server,
    id: &str,
    (kind, digests, settings): &Versions,
    until: tokio::time::Instant,
) -> (&'static str, usize, f64) {
    let (mut done, mut slowest) = (0, 0.0_f64);
    while tokio::time::Instant::now() < until {
        let row = swapped(server, id, kind, &digests[done % digests.len()], settings).await;
        assert_eq!(row["state"], "DONE", "{kind} {done}: {row:#}");
        let steps = row["steps"].as_array().unwrap();
        let cut = steps.iter().find(|step| step["step"] == "CUT_OVER").unwrap();
        slowest = slowest.max(cut["tookMs"].as_f64().unwrap());
        done += 1;
        tokio::time::sleep(Duration::from_millis(rand_u8().into())).await;
    }
    (kind, done, slowest)
}

/// The moments are random: they differ from run to run.
fn rand_u8() -> u8 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0).to_le_bytes()[0]
}

#[tokio::test]
async fn settings_of_a_stage_are_taken_on_air_and_what_was_cut_over_survives_the_servers_death() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    let nginx = Nginx::start();
    let node = Processor::start(ServerKind::Node, "echo", &["delay=150"]).await;
    let url = node.url();
    let plan = Plan { name: "kept", clip: Clip::small(60), batch_seconds: 2, processor: Some(&url) };
    let mut channel = Channel::start(&server, None, &nginx, plan).await;
    channel.on_air(&server, &nginx).await;
    let change =
        "mutation($id: ID!, $input: UpdatePipelineInput!) { updatePipeline(id: $id, input: $input) { revision } }";
    let settings = json!({ "stages": { "batching": { "settings": { "batch_seconds": 4 } } } });
    let input = json!({ "id": channel.id, "input": { "settings": settings } });
    server.graphql(None, change, &input).await.data("updatePipeline");
    let newest = "query($id: ID!) { pipeline(id: $id) { swaps { edges { node { id state settingsChanged steps { step } } } } \
        settings { stages { batching { settings } framing { component } } } } }";
    let of = json!({ "id": channel.id });
    let on_probation = async |server: &Server| {
        loop {
            let told = server.graphql(None, newest, &of).await.data("pipeline").clone();
            let swap = &told["swaps"]["edges"][0]["node"];
            if swap["steps"].as_array().is_some_and(|steps| steps.iter().any(|step| step["step"] == "CUT_OVER")) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(90), on_probation(&server)).await.unwrap();
    assert_eq!(told["swaps"]["edges"][0]["node"]["settingsChanged"], true);
    assert_eq!(server.log().iter().filter(|line| line.contains("connected to the processor")).count(), 1);

    // Another stage, and the server is killed during its probation.
    let file = storage.path().join("v.wasm");
    std::fs::write(&file, variant(&bundled_file("framing-fragment"), 1)).unwrap();
    let digest = keep_component(storage.path(), &file).await.unwrap();
    let input = json!({ "pipelineId": channel.id, "kind": "FRAMING", "component": digest, "probationBatches": 1000 });
    let asked = server.graphql(None, SWAP, &json!({ "input": input })).await;
    let swap = asked.data("swapStage")["id"].clone();
    tokio::time::timeout(Duration::from_secs(90), on_probation(&server)).await.unwrap();
    server.kill().await;
    server.start_again().await;
    let row = server.graphql(None, FOLLOW, &json!({ "id": swap })).await.data("swap").clone();
    assert_eq!(row["state"], "INTERRUPTED", "{row:#}");
    assert!(row["reason"].as_str().unwrap().contains("the new version stays"), "{row:#}");
    let told = server.graphql(None, newest, &of).await.data("pipeline").clone();
    let stages = &told["settings"]["stages"];
    assert_eq!(
        (&stages["batching"]["settings"], &stages["framing"]["component"]),
        (&json!({ "batch_seconds": 4 }), &json!(digest))
    );
    let runs = |status: &Value| {
        status["onAir"] == true
            && status["stages"].as_array().is_some_and(|all| all.iter().any(|one| one["digest"] == digest))
    };
    server.until(None, &channel.id, "on air with it", Duration::from_secs(60), runs).await;
    channel.ended(&server, Duration::from_secs(120)).await;
    channel.assert_resumed(&nginx);
}
