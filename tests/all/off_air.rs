//! Law 7 in the public status: a pipeline whose destination is gone runs, fetches and remuxes, but is off air; it is on
//! air again when packets are sent again.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard_tests::clients::Rest;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::receiver::nginx::Nginx;
use serde_json::{Value, json};

async fn until(rest: &Rest, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = async {
        loop {
            last = rest.get("/api/pipeline/status").await.1;
            if wanted(&last) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), found).await;
    assert!(found.is_ok(), "not {what}: {last:#}");
    last
}

#[tokio::test]
async fn a_pipeline_from_which_nothing_leaves_is_off_air_whatever_its_clock_does() {
    let origin = LiveOrigin::start(entries(&Clip::small(60), false)).await;
    let mut nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let (_host, url) = Host::serve(storage.path(), &[]).await;
    let rest = Rest::new(&url, None);
    let start = json!({
        "sourceUrl": origin.url, "streamId": "tv", "bufferDuration": 4, "srsRtmpUrl": nginx.url("key"), "audioProcessorUrl": "",
    });
    assert_eq!(rest.post("/api/pipeline/start", &start).await.0, 200);
    let phase = |status: &Value| status["phase"].as_str().map(str::to_owned);
    until(&rest, "on air", |status| status["phase"] == "on-air").await;

    nginx.kill();
    let off = until(&rest, "off air", |status| status["phase"] != "on-air").await;
    assert_eq!((phase(&off).as_deref(), &off["onAir"]), (Some("off-air"), &json!(false)), "{off}");
    assert_eq!((&off["isRunning"], &off["health"]["state"]), (&json!(true), &json!("failing")), "{off}");

    let health = &off["health"];
    assert_eq!(health["cause"], "destination", "{off}");
    assert!(health["reason"].as_str().unwrap().starts_with("off air: "), "{off}");
    assert!(!health["advice"].as_str().unwrap().is_empty(), "{off}");
    // It is retried repeatedly: many lost sessions are one incident.
    incidents(&url, "many attempts", |found| found["open"] == 1 && found["newest"]["count"].as_u64() >= Some(3)).await;

    nginx.start_again();
    let back = until(&rest, "back on air", |status| status["health"]["state"] == "healthy").await;
    assert_eq!((&back["onAir"], &back["phase"]), (&json!(true), &json!("on-air")), "{back}");
    let found = incidents(&url, "resolved", |found| found["open"] == 0).await;
    let newest = &found["newest"];
    assert_eq!((&newest["cause"], &newest["severity"]), (&json!("DESTINATION"), &json!("ERROR")), "{found}");
    assert!(newest["count"].as_u64() >= Some(3) && newest["durationSeconds"].as_f64() > Some(0.0), "{found}");
    let of = |kind: &str| found["kinds"].as_array().unwrap().iter().filter(|one| *one == kind).count();
    assert_eq!((of("INCIDENT_OPENED"), of("INCIDENT_RESOLVED"), of("DESTINATION_LOST")), (1, 1, 1), "{found}");
    assert_eq!((of("OFF_AIR"), of("ON_AIR")), (1, 2), "{found}");
}

/// The pipeline's incidents and the kinds of its events, once they match.
async fn incidents(url: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let query = "{ pipeline(id: \"tv\") {
        incidents(first: 9) { edges { node { cause severity resolvedAt durationSeconds count message } } }
        events(first: 99) { edges { node { kind } } } } }";
    let (client, url) = (reqwest::Client::new(), format!("{url}/graphql"));
    let mut last = Value::Null;
    let found = async {
        loop {
            let asked = client.post(&url).json(&json!({ "query": query })).send().await.unwrap();
            let answer: Value = asked.json().await.unwrap();
            let nodes = |list: &str| -> Vec<Value> {
                let edges = answer["data"]["pipeline"][list]["edges"].as_array().cloned().unwrap_or_default();
                edges.into_iter().map(|edge| edge["node"].clone()).collect()
            };
            let all = nodes("incidents");
            let of = |cause: &str| all.iter().filter(|one| one["cause"] == cause).cloned().collect::<Vec<_>>();
            let open = of("DESTINATION").iter().filter(|one| one["resolvedAt"].is_null()).count();
            let kinds: Vec<Value> = nodes("events").into_iter().map(|event| event["kind"].clone()).collect();
            last = json!({ "open": open, "newest": of("DESTINATION").first(), "kinds": kinds });
            if wanted(&last) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), found).await;
    assert!(found.is_ok(), "not {what}: {last:#}");
    last
}
