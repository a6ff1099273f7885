//! A live channel whose encoder is restarted: the playlist gets ENDLIST, and later the stream is back. Nobody requested
//! an end, so a server's pipeline waits and resumes; `outboard run` ends.

#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at the first thing that is wrong")]

use std::time::Duration;

use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

async fn events(server: &Server, id: &str) -> Vec<Value> {
    let query =
        "query($id: ID!) { pipeline(id: $id) { events(first: 50) { edges { node { kind severity message } } } } }";
    let answer = server.graphql(None, query, &json!({ "id": id })).await;
    let edges = answer.data("pipeline")["events"]["edges"].as_array().expect("a list of events").clone();
    edges.into_iter().map(|mut edge| edge["node"].take()).collect()
}

#[tokio::test]
async fn a_live_source_that_ends_is_waited_for_and_goes_on_when_it_is_back() {
    let origin = LiveOrigin::start(entries(&Clip::small(10), false)).await;
    let (nginx, processor) = (Nginx::start(), Processor::start(ServerKind::Node, "echo", &[]).await);
    let storage = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(storage.path()).await;
    let settings = json!({
        "source": { "url": origin.url },
        "processor": { "url": processor.url() },
        "destinations": [{ "url": nginx.url("key") }],
        "batchSeconds": 4,
    });
    let id = server.create(None, "tv", &settings, true).await;
    server.until(None, &id, "on air", SOON, |status| status["onAir"] == true).await;
    let failing = |status: &Value| status["health"]["state"] == "FAILING";
    let off = server.until(None, &id, "failing for want of a source", SOON, failing).await;
    assert!(off["health"]["reason"].as_str().is_some_and(|why| why.contains("the source has ended")), "{off}");
    // All buffered media is on air.
    assert_eq!((&off["counters"]["segments"], &off["counters"]["packetsLost"]), (&json!(5), &json!(0)), "{off}");
    let sent = |status: &Value| {
        let counters = &status["destinations"][0]["counters"];
        counters["video"].as_u64().unwrap_or(0) - counters["repeated"].as_u64().unwrap_or(0)
    };
    assert_eq!(sent(&off), 300, "10 s of pictures: {off}");
    let query = "query($id: ID!) { pipeline(id: $id) { desired } }";
    let desired = server.graphql(None, query, &json!({ "id": id })).await.data("pipeline")["desired"].clone();
    assert_eq!(desired, "RUNNING");

    origin.start_over(entries(&Clip::small(60), false));
    let healthy = |status: &Value| status["health"]["state"] == "HEALTHY" && sent(status) > sent(&off) + 30;
    let back = server.until(None, &id, "back on air", SOON, healthy).await;
    assert_eq!(back["restarts"], 0, "the same run: {back}");
    assert_eq!(back["destinations"][0]["counters"]["skippedPackets"], 0, "{back}");

    // A requested stop is not reported as a problem of the processor or of a destination.
    let before = events(&server, &id).await;
    let lost = before.iter().find(|event| event["kind"] == "SOURCE_LOST").expect("an event for the end");
    assert_eq!(lost["severity"], "ERROR", "{lost}");
    let stop = "mutation($id: ID!) { stopPipeline(id: $id) { id } }";
    server.graphql(None, stop, &json!({ "id": id })).await.data("stopPipeline");
    server.until(None, &id, "stopped", SOON, |status| status["phase"] == "STOPPED").await;
    let after = events(&server, &id).await;
    let trouble: Vec<&Value> =
        after.iter().filter(|event| event["severity"] != "INFO" && !before.contains(event)).collect();
    assert!(trouble.is_empty(), "{trouble:#?}");
}

#[tokio::test]
async fn run_ends_with_its_source_and_complains_of_nothing() {
    let origin = LiveOrigin::start(entries(&Clip::small(8), false)).await;
    let (nginx, processor) = (Nginx::start(), Processor::start(ServerKind::Node, "echo", &[]).await);
    let storage = tempfile::tempdir().expect("a temporary folder");
    let (processor, to) = (processor.url(), nginx.url("key"));
    let options = ["--source", &origin.url, "--processor", &processor, "--to", &to, "--batch-seconds", "4"];
    let ended = Host::run(storage.path(), &options).ended(SOON).await;
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    assert_eq!(ended.lines_with("event=processor-lost"), 0, "{:#?}", ended.log);
    assert_eq!(ended.lines_with("WARN"), 0, "{:#?}", ended.log);
}
