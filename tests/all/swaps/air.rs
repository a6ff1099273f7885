//! The effect of a swap on air is reported before the swap, and it can be rolled back afterwards.

use std::time::Duration;

use outboard::store::files::keep_component;
use outboard_tests::guests::path;
use outboard_tests::media::Clip;
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan};

use super::*;

const SWAP: &str = "mutation($input: SwapStageInput!) { swapStage(input: $input) { id state force rehearseOnly } }";
const BACK: &str = "mutation($id: ID!) { rollBackStage(pipelineId: $id, kind: REMUX_PLANNING) { id } }";
const FOLLOW: &str = "query($id: ID!) { swap(id: $id) { state reason fresh steps { step detail } rehearsal { calls \
    longestBatchSeconds runningBatchSeconds allowedBatchSeconds lateBySeconds wouldGoOffAir stretchSeconds notComparable } } }";

/// Follows a swap to its end.
async fn ended(server: &Server, swap: &Value) -> Value {
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
    over.unwrap_or_else(|_| panic!("swap {swap} does not end: {:#?}", server.log()))
}

async fn swapped(server: &Server, input: Value) -> Value {
    let asked = server.graphql(None, SWAP, &json!({ "input": input })).await;
    ended(server, &asked.data("swapStage")["id"]).await
}

#[tokio::test]
async fn a_swap_that_would_take_the_stream_off_air_is_refused_with_numbers_and_the_way_back_is_open() {
    let storage = tempfile::tempdir().unwrap();
    let guest = keep_component(storage.path(), &path("faulty-remux")).await.unwrap();
    let server = Server::start(storage.path()).await;
    let nginx = Nginx::start();
    let plan = Plan { name: "aired", clip: Clip::small(60), batch_seconds: 2, processor: None };
    let mut channel = Channel::start(&server, None, &nginx, plan).await;
    channel.on_air(&server, &nginx).await;

    // Batches of 20 s in a stream that is some seconds behind its source.
    let longer =
        json!({ "pipelineId": channel.id, "kind": "BATCHING", "component": null, "settings": { "batch_seconds": 20 } });
    let mut only = longer.clone();
    only["rehearseOnly"] = true.into();
    let rehearsed = swapped(&server, only).await;
    assert_eq!(rehearsed["state"], "REHEARSED", "{rehearsed:#}");
    let found = &rehearsed["rehearsal"];
    let number = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{name}: {found:#}"));
    assert_eq!((number("longestBatchSeconds"), number("runningBatchSeconds")), (20.0, 2.0), "{found:#}");
    let allowed = number("allowedBatchSeconds");
    assert!((2.0..12.0).contains(&allowed), "{found:#}");
    assert!((number("lateBySeconds") - (20.0 - allowed)).abs() < 0.01 && found["wouldGoOffAir"] == true, "{found:#}");
    assert!(number("stretchSeconds") >= number("lateBySeconds") * 19.0, "{found:#}");

    let refused = swapped(&server, longer).await;
    assert_eq!(refused["state"], "REFUSED", "{refused:#}");
    let reason = refused["reason"].as_str().unwrap();
    for part in ["up to 20.0 s long", "off air for", "`force: true`"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let settings = "query($id: ID!) { pipeline(id: $id) { settings { stages { batching { settings } } } } }";
    let kept = server.graphql(None, settings, &json!({ "id": channel.id })).await;
    assert_eq!(kept.data("pipeline")["settings"]["stages"]["batching"]["settings"], Value::Null, "nothing was changed");

    // A version whose state the previous one cannot read: it starts without state, and so does the roll-back.
    let input = json!({
        "pipelineId": channel.id, "kind": "REMUX_PLANNING", "component": guest, "settings": {}, "fresh": true, "probationBatches": 1,
    });
    let there = swapped(&server, input).await;
    assert_eq!(there["state"], "DONE", "{there:#}");
    let back = server.graphql(None, BACK, &json!({ "id": channel.id })).await;
    let back = ended(&server, &back.data("rollBackStage")["id"]).await;
    assert_eq!((&back["state"], &back["fresh"]), (&json!("DONE"), &json!(true)), "{back:#}");
    let cut = back["steps"].as_array().unwrap().iter().find(|step| step["step"] == "CUT_OVER").unwrap();
    assert!(cut["detail"].as_str().unwrap().contains("starts without state"), "{back:#}");
    assert!(server.log().iter().any(|line| line.contains("it starts without state")), "{:#?}", server.log());
    assert_eq!(server.log().iter().filter(|line| line.contains("off-air")).count(), 0, "{:#?}", server.log());
}
