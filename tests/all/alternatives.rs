//! The bundled stages that are not defaults: selected in settings by digest, they run and decide as documented.

use std::time::Duration;

use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::processor::Processor;
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use serde_json::{Value, json};

/// A border each 4 s; the first segment begins 2 s before one.
const BEGINS_S: i64 = 1_700_000_002;

#[tokio::test]
async fn all_three_run_by_their_digests() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let list = "{ stageComponents { name digest bundled default } }";
    let listed = server.graphql(None, list, &json!({})).await.data("stageComponents").clone();
    let digest = |name: &str| {
        let one = listed.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
        assert_eq!((&one["bundled"], &one["default"]), (&json!(true), &json!(false)), "{one}");
        one["digest"].clone()
    };
    let origin = LiveOrigin::start_dated(entries(&Clip::small(12), false), BEGINS_S).await;
    let processor = Processor::sts("echo", &[]).await;
    let nginx = Nginx::start();
    let settings = json!({
        "source": { "url": origin.url, "whenEnded": "STOP" },
        "processor": { "url": processor.url() },
        "destinations": [{ "url": nginx.url("others") }],
        "batchSeconds": 4,
        "holdSeconds": 12,
        "stages": {
            "batching": { "component": digest("batching-aligned"), "settings": { "every_seconds": 4 } },
            "framing": { "component": digest("framing-sts"), "settings": {} },
            "remuxPlanning": { "component": digest("remux-duck"), "settings": { "original_gain_db": -18 } },
        },
    });
    let id = server.create(None, "others", &settings, true).await;
    server
        .until(None, &id, "over", Duration::from_secs(90), |status| {
            status["phase"] == "STOPPED" && status["counters"]["batches"] == 4
        })
        .await;

    let ask = "query($id: ID!) { pipeline(id: $id) { batches(first: 20) { edges { node { \
               number cutReason firstSegment lastSegment outcome decision } } } } }";
    let answer = server.graphql(None, ask, &json!({ "id": id })).await.data("pipeline").clone();
    let mut batches: Vec<&Value> =
        answer["batches"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]).collect();
    batches.sort_by_key(|batch| batch["number"].as_u64());
    let cuts: Vec<_> = batches
        .iter()
        .map(|batch| {
            let index = |key: &str| batch[key].as_u64().or_else(|| batch[key].as_str()?.parse().ok()).unwrap();
            (index("firstSegment"), index("lastSegment"), batch["cutReason"].as_str().unwrap())
        })
        .collect();
    assert_eq!(cuts, [(0, 0, "aligned"), (1, 2, "aligned"), (3, 4, "aligned"), (5, 5, "flush")]);
    for batch in batches {
        let mix = &batch["decision"]["plan"]["audio"]["mix"];
        assert_eq!((&batch["outcome"], &mix["original_centibel"]), (&json!("PROCESSED"), &json!(-1800)), "{batch:#}");
    }
}
