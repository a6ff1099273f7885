//! Settings that change on air: longer batches, another processor, added and removed destinations, retention. Laws 1 to
//! 3 hold packet by packet at the destination that stays, in one session.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use std::time::Duration;

use outboard_tests::media::Clip;
use outboard_tests::onair::GapWatch;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan};
use serde_json::{Value, json};

const UPDATE: &str = "mutation($id: ID!, $input: UpdatePipelineInput!) { updatePipeline(id: $id, input: $input) {
    revision settings { destinations { id name enabled } } } }";
const VALIDATE: &str = "mutation($input: ValidatePipelineInput!) { validatePipeline(input: $input) {
    interruption { seconds why } } }";
const DESTINATIONS: &str = "query($id: ID!) { pipeline(id: $id) { status { runningRevision restarts destinations {
    id name enabled state onAir counters { sessions } } } } }";

/// A pipeline that is changed.
struct Changed<'a> {
    server: &'a Server,
    id: String,
}

impl Changed<'_> {
    async fn ask(&self, query: &str, field: &str, variables: Value) -> Value {
        self.server.graphql(None, query, &variables).await.data(field).clone()
    }

    /// Changes settings; a dry run before has reported that nothing is interrupted.
    async fn update(&self, settings: Value) -> Value {
        let found =
            self.ask(VALIDATE, "validatePipeline", json!({ "input": { "id": self.id, "settings": settings } })).await;
        assert_eq!(found["interruption"], Value::Null, "{settings:#}");
        self.ask(UPDATE, "updatePipeline", json!({ "id": self.id, "input": { "settings": settings } })).await
    }

    /// Waits until the status of a destination matches; `Null`: it does not exist.
    async fn until(&self, destination: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let looked = async {
            loop {
                let told = self.ask(DESTINATIONS, "pipeline", json!({ "id": self.id })).await;
                let all = told["status"]["destinations"].as_array().unwrap();
                let found = all.iter().find(|one| one["id"] == destination).cloned().unwrap_or_default();
                if wanted(&found) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), looked).await.expect("the destination is as wanted in time")
    }
}

#[tokio::test]
async fn batches_processor_and_destinations_change_on_air_without_an_interruption() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let nginx = Nginx::start();
    let before = Processor::start(ServerKind::Node, "echo", &["delay=150"]).await;
    let mut after = Processor::start(ServerKind::Node, "echo", &["delay=150"]).await;
    let url = before.url();
    let plan = Plan { name: "stays", clip: Clip::small(32), batch_seconds: 4, processor: Some(&url) };
    let mut channel = Channel::start(&server, None, &nginx, plan).await;
    channel.on_air(&server, &nginx).await;
    let changed = Changed { server: &server, id: channel.id.clone() };

    // With this much media ready, the next batch may be longer at once.
    changed.update(json!({ "batchSeconds": 6, "cushionSeconds": 1.0 })).await;
    changed.update(json!({ "processor": { "url": after.url() }, "keep": { "batches": 3 } })).await;
    after.saw("fragment").await;

    let here = changed
        .ask(
            "query($id: ID!) { pipeline(id: $id) { settings { destinations { id } } } }",
            "pipeline",
            json!({ "id": channel.id }),
        )
        .await;
    let stays = here["settings"]["destinations"][0]["id"].clone();
    let two = json!({ "destinations": [{ "id": stays }, { "url": nginx.url("comes") }] });
    let told = changed.update(two).await;
    let comes = told["settings"]["destinations"][1]["id"].as_str().unwrap().to_owned();
    let there = changed.until(&comes, |one| one["onAir"] == true).await;
    let name = there["name"].as_str().unwrap();
    assert!(name.starts_with("127.0.0.1:") && name.ends_with(" (2)"), "the same host and application: {name}");

    let reconnect = "mutation($id: ID!, $to: ID!) { reconnectDestination(id: $id, destination: $to) { id } }";
    changed.ask(reconnect, "reconnectDestination", json!({ "id": channel.id, "to": comes })).await;
    changed.until(&comes, |one| one["counters"]["sessions"] == 2).await;

    let enable = "mutation($id: ID!, $to: ID!, $on: Boolean!) {
        setDestinationEnabled(id: $id, destination: $to, enabled: $on) { id } }";
    let switch = async |on: bool| {
        let variables = json!({ "id": channel.id, "to": comes, "on": on });
        changed.ask(enable, "setDestinationEnabled", variables).await
    };
    switch(false).await;
    changed.until(&comes, |one| one["enabled"] == false && one["state"] == "DISABLED" && one["onAir"] == false).await;
    let refused = server.graphql(None, reconnect, &json!({ "id": channel.id, "to": comes })).await;
    assert_eq!(refused.code(), Some("CONFLICT"));
    switch(true).await;
    changed.until(&comes, |one| one["onAir"] == true && one["counters"]["sessions"] == 3).await;

    changed.update(json!({ "destinations": [{ "id": stays, "name": "Main" }] })).await;
    changed.until(&comes, Value::is_null).await;
    changed.until(stays.as_str().unwrap(), |one| one["name"] == "Main" && one["onAir"] == true).await;

    // Changes that need a restart are reported.
    let other = json!({ "id": channel.id, "settings": { "source": { "maxBandwidth": 100_000_000 } } });
    let found = changed.ask(VALIDATE, "validatePipeline", json!({ "input": other })).await;
    let told = &found["interruption"];
    assert!(
        told["seconds"].as_f64().unwrap() > 0.0 && told["why"].as_str().unwrap().contains("source.maxBandwidth"),
        "{told}"
    );

    let last = channel.ended(&server, Duration::from_secs(90)).await;
    channel.assert_laws(&server, &nginx, &last).await;
    let longer = |line: &String| {
        line.contains("changed the length of batches") && line.contains("from=4") && line.contains("to=6")
    };
    assert!(server.log().iter().any(longer), "{:#?}", server.log());
    let count = |name: &str| last["counters"][name].as_u64().unwrap();
    assert!(count("batches") * 2 < count("segments"), "of 2 s, and two or three to a batch: {last:#}");
    assert_eq!((&last["restarts"], &last["counters"]["original"]), (&json!(0), &json!(0)), "{last:#}");
}

/// A change that needs a restart is reported before, with the approximate interruption.
#[tokio::test]
async fn a_restart_takes_about_as_long_as_the_dry_run_says() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let nginx = Nginx::start();
    let plan = Plan { name: "restarted", clip: Clip::small(20), batch_seconds: 2, processor: None };
    let mut channel = Channel::start(&server, None, &nginx, plan).await;
    channel.on_air(&server, &nginx).await;
    let changed = Changed { server: &server, id: channel.id.clone() };
    let settings = json!({ "source": { "headers": [{ "name": "X-Any", "value": "1" }] } });
    let trial = json!({ "input": { "id": channel.id, "settings": settings } });
    let told = changed.ask(VALIDATE, "validatePipeline", trial).await["interruption"]["seconds"].as_f64().unwrap();
    let gaps = GapWatch::of(&nginx, "restarted");
    changed.ask(UPDATE, "updatePipeline", json!({ "id": channel.id, "input": { "settings": settings } })).await;
    channel.ended(&server, Duration::from_secs(90)).await;
    let longest = gaps.longest().await.as_secs_f64();
    eprintln!("told {told} s, it took {longest} s");
    let sessions = nginx.files(1, "restarted").len();
    assert_eq!(sessions, 2, "it was restarted");
    assert!(longest < told + 0.5, "told {told} s, it took {longest} s");
}
