//! Law 7 in the status that people see: a pipeline whose destination is gone lives, fetches and remuxes, and is off air; it
//! is on air again when packets leave again.

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
        "sourceUrl": origin.url, "streamId": "tv", "bufferDuration": 4, "srsRtmpUrl": nginx.url("key"),
    });
    assert_eq!(rest.post("/api/pipeline/start", &start).await.0, 200);
    let phase = |status: &Value| status["phase"].as_str().map(str::to_owned);
    until(&rest, "on air", |status| status["phase"] == "on-air").await;

    nginx.kill();
    let off = until(&rest, "off air", |status| status["phase"] != "on-air").await;
    assert_eq!((phase(&off).as_deref(), &off["onAir"]), (Some("off-air"), &json!(false)), "{off}");
    assert_eq!((&off["isRunning"], &off["health"]["state"]), (&json!(true), &json!("failing")), "{off}");

    nginx.start_again();
    let back = until(&rest, "back on air", |status| status["phase"] == "on-air").await;
    assert_eq!((&back["onAir"], &back["health"]["state"]), (&json!(true), &json!("healthy")), "{back}");
}
