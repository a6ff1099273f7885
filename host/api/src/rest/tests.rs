//! Calls against a real core on a storage of its own. Sources are addresses where nobody listens: what counts here is what
//! is answered and kept, not what goes on air.

mod callers;

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::limits::{API_BODY_BYTES_MAX, SIGN_IN_FAILURES};
use crate::router;
use outboard_config::{self as config, Layers};
use outboard_control::access::Role;
use outboard_control::registry::{NewTenant, TenantPatch};
use outboard_control::{Control, NewPipeline, NewToken};
use outboard_pipeline::Host;

struct Server {
    _dir: tempfile::TempDir,
    control: Control,
    router: Router,
    stop: CancellationToken,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Server {
    /// `open`: nobody needs a token.
    async fn start(open: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::open(Host::open(dir.path()).await.unwrap()).await.unwrap();
        let (config, _) = config::check(Layers::new(), false).unwrap();
        let stop = CancellationToken::new();
        let api = Api::new(control.clone(), &config.server, open, stop.clone());
        Self { _dir: dir, control, router: router(api), stop }
    }

    async fn token(&self, tenant: Option<&str>, name: &str, role: Role) -> String {
        let new = NewToken { tenant: tenant.map(str::to_owned), name: name.into(), role, expires_ms: None };
        self.control.tenancy().create_token(&self.control.local_actor(), new).await.unwrap().secret.take()
    }

    async fn tenant(&self, name: &str) {
        let network = Some(json!({ "private": true }));
        let new = NewTenant { name: name.to_owned(), network, ..NewTenant::default() };
        self.control.tenancy().create_tenant(&self.control.local_actor(), new).await.unwrap();
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        let host = ("host", "localhost");
        for (name, value) in headers.iter().chain([&host]) {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, API_BODY_BYTES_MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        self.send("GET", path, if token.is_empty() { &[] } else { &headers }, "").await
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        self.send("POST", path, if token.is_empty() { &headers[..1] } else { &headers }, body.to_string()).await
    }
}

impl Answer {
    fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    fn problems(&self) -> Vec<&str> {
        self.body["problems"].as_array().unwrap().iter().map(|problem| problem["path"].as_str().unwrap()).collect()
    }
}

const START: &str = "/api/pipeline/start";
const STOP: &str = "/api/pipeline/stop";
const STATUS: &str = "/api/pipeline/status";

fn start_request() -> Value {
    json!({
        "sourceUrl": "http://user:source-secret@127.0.0.1:1/live.m3u8?token=query-secret",
        "srsRtmpUrl": "rtmp://127.0.0.1:1/live/key-secret",
    })
}

fn with(mut value: Value, name: &str, field: Value) -> Value {
    value[name] = field;
    value
}

#[tokio::test]
async fn starting_makes_a_pipeline_once_and_the_same_again_changes_nothing() {
    let server = Server::start(true).await;
    let first = server.post("", START, start_request()).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!((&first.body["isRunning"], &first.body["streamId"]), (&json!(true), &json!("live")));
    let again = server.post("", START, with(start_request(), "bufferDuration", json!(30))).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let local = server.control.local_actor();
    let entry = server.control.pipelines().get(&local, "live").unwrap();
    assert_eq!((entry.revision(), entry.desired_running()), (1, true));
    let settings = entry.settings();
    assert_eq!(settings.source.url, start_request()["sourceUrl"]);
    assert_eq!(
        (settings.batch_seconds, settings.processor.as_ref().unwrap().url.as_str()),
        (Some(30), "http://localhost:5000")
    );
}

#[tokio::test]
async fn a_source_and_a_stream_id_are_enough() {
    let server = Server::start(true).await;
    let local = server.control.local_actor();
    let short = json!({ "sourceUrl": start_request()["sourceUrl"], "streamId": "tv" });
    let started = server.post("", START, short.clone()).await;
    assert_eq!((started.status, &started.body["success"]), (200, &json!(true)), "{}", started.body);
    assert_eq!(started.body["message"], "pipeline \"tv\" is new and starts");
    let entry = server.control.pipelines().get(&local, "tv").unwrap();
    let settings = entry.settings();
    assert_eq!(settings.processor.as_ref().unwrap().url, "http://localhost:5000");
    assert_eq!(
        settings.destinations.iter().map(|to| to.url.as_str()).collect::<Vec<_>>(),
        ["rtmp://localhost/live/tv"]
    );
    let again = server.post("", START, short.clone()).await;
    assert_eq!(again.body["message"], "pipeline \"tv\" runs already, with these settings", "{}", again.body);
    assert_eq!(entry.revision(), 1);
    // An empty processor is none.
    let none = with(with(short, "streamId", json!("plain")), "audioProcessorUrl", json!(""));
    assert_eq!(server.post("", START, none).await.status, 200);
    assert!(server.control.pipelines().get(&local, "plain").unwrap().settings().processor.is_none());
}

#[tokio::test]
async fn what_a_call_leaves_out_stays_as_it_was_set() {
    let server = Server::start(true).await;
    let local = server.control.local_actor();
    let full = with(
        with(start_request(), "bufferDuration", json!(20)),
        "audioProcessorUrl",
        json!("http://127.0.0.1:1/audio"),
    );
    server.post("", START, full).await;
    let entry = server.control.pipelines().get(&local, "live").unwrap();
    let before = entry.settings();
    server.post("", STOP, json!({ "drain": false })).await;
    let short = server.post("", START, json!({ "sourceUrl": start_request()["sourceUrl"] })).await;
    assert_eq!((short.status, &short.body["message"]), (200, &json!("pipeline \"live\" starts")), "{}", short.body);
    assert_eq!((entry.settings(), entry.revision()), (before, 1));
}

#[tokio::test]
async fn status_before_any_pipeline_is_an_answer() {
    let server = Server::start(true).await;
    let none = server.get("", STATUS).await;
    assert_eq!((none.status, &none.body["isRunning"], &none.body["streamId"]), (200, &json!(false), &Value::Null));
    assert_eq!((&none.body["success"], &none.body["health"]["state"]), (&json!(true), &json!("idle")), "{}", none.body);
    // One that is named and not there is a mistake all the same.
    assert_eq!(server.get("", &format!("{STATUS}?streamId=tv")).await.code(), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn the_last_error_has_its_time() {
    let server = Server::start(true).await;
    let before = jiff::Timestamp::now();
    server.post("", START, start_request()).await;
    let failed = async {
        loop {
            let status = server.get("", STATUS).await;
            if status.body["lastError"].is_string() {
                return status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let failed = tokio::time::timeout(std::time::Duration::from_secs(120), failed).await.unwrap();
    let at: jiff::Timestamp = failed.body["lastErrorTime"].as_str().unwrap().parse().unwrap();
    let now = jiff::Timestamp::now();
    assert!(at.as_millisecond() >= before.as_millisecond() && at <= now, "{}", failed.body);
}

#[tokio::test]
async fn other_settings_are_a_conflict_until_it_is_stopped() {
    let server = Server::start(true).await;
    let local = server.control.local_actor();
    server.post("", START, start_request()).await;
    for (name, value) in [
        ("sourceUrl", json!("http://127.0.0.1:1/other.m3u8")),
        ("bufferDuration", json!(20)),
        ("audioProcessorUrl", json!("http://127.0.0.1:1/audio")),
        ("srsRtmpUrl", json!("rtmp://127.0.0.1:1/live/other")),
    ] {
        let other = server.post("", START, with(start_request(), name, value)).await;
        assert_eq!(other.code(), (409, "CONFLICT"), "{name}: {}", other.body);
    }
    let entry = server.control.pipelines().get(&local, "live").unwrap();
    assert_eq!(entry.revision(), 1, "a conflict changed something");
    let stopped = server.post("", STOP, json!({ "drain": false })).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    assert!(!entry.desired_running());
    let changed = server.post("", START, with(start_request(), "bufferDuration", json!(20))).await;
    assert_eq!((changed.status, entry.revision(), entry.desired_running()), (200, 2, true), "{}", changed.body);
    assert_eq!(entry.settings().batch_seconds, Some(20));
}

#[tokio::test]
async fn a_tenant_that_is_shut_out_is_not_started() {
    let server = Server::start(true).await;
    let local = server.control.local_actor();
    server.tenant("acme").await;
    let patch = json!({ "source": { "url": start_request()["sourceUrl"] }, "destinations": [{ "url": start_request()["srsRtmpUrl"] }], "batchSeconds": 30 });
    let patch = serde_json::from_value(patch).unwrap();
    let new = NewPipeline {
        tenant: Some("acme".into()),
        stream_id: "live".into(),
        patch,
        start: true,
        ..NewPipeline::default()
    };
    let entry = server.control.pipelines().create(&local, new).await.unwrap();
    let shut_out = TenantPatch { disabled: Some(true), ..TenantPatch::default() };
    server.control.tenancy().update_tenant(&local, "acme", shut_out).await.unwrap();
    let started = server.post("", START, with(start_request(), "streamId", json!("acme:live"))).await;
    assert_eq!(started.code(), (409, "CONFLICT"), "{}", started.body);
    assert!(!entry.desired_running());
}

#[tokio::test]
async fn a_source_elsewhere_does_not_get_what_only_graphql_can_set() {
    let server = Server::start(true).await;
    let local = server.control.local_actor();
    let patch = serde_json::from_value(json!({
        "source": { "url": start_request()["sourceUrl"], "headers": [{ "name": "X-Key", "value": "header-secret" }] },
        "destinations": [{ "url": start_request()["srsRtmpUrl"] }],
    }));
    let new = NewPipeline { stream_id: "live".into(), patch: patch.unwrap(), start: true, ..NewPipeline::default() };
    server.control.pipelines().create(&local, new).await.unwrap();
    let elsewhere = with(start_request(), "sourceUrl", json!("http://127.0.0.1:2/live.m3u8"));
    assert_eq!(server.post("", START, elsewhere.clone()).await.code(), (409, "CONFLICT"), "it runs");
    server.post("", STOP, json!({ "drain": false })).await;
    let refused = server.post("", START, elsewhere).await;
    assert_eq!((refused.code(), refused.problems()), ((400, "INVALID_INPUT"), vec!["sourceUrl"]));
    assert!(refused.body["error"].as_str().unwrap().contains("X-Key"), "{}", refused.body);
}

#[tokio::test]
async fn what_rest_cannot_say_stays_as_it_was_set() {
    let server = Server::start(true).await;
    let local = server.control.local_actor();
    let patch = serde_json::from_value(json!({
        "source": { "url": start_request()["sourceUrl"], "headers": [{ "name": "X-Key", "value": "header-secret" }] },
        "destinations": [{ "url": start_request()["srsRtmpUrl"], "srsApi": "http://127.0.0.1:1985" }],
        "cushionSeconds": 4.0,
    }));
    let new = NewPipeline { stream_id: "live".into(), patch: patch.unwrap(), ..NewPipeline::default() };
    let entry = server.control.pipelines().create(&local, new).await.unwrap();
    let before = entry.settings();
    let started = server.post("", START, start_request()).await;
    assert_eq!((started.status, entry.desired_running(), entry.revision()), (200, true, 1), "{}", started.body);
    assert_eq!(entry.settings(), before);
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_under_the_callers_names() {
    let server = Server::start(true).await;
    let empty = server.post("", START, json!({})).await;
    assert_eq!(empty.code(), (400, "INVALID_INPUT"));
    assert_eq!(empty.problems(), ["sourceUrl"]);
    assert_eq!((&empty.body["success"], &empty.body["message"]), (&json!(false), &empty.body["error"]));
    let strange = json!({ "sourceUrl": 1, "srsRtmpUrl": true, "bufferDuration": "30", "sourceURL": "x", "port": 1 });
    let strange = server.post("", START, strange).await;
    assert_eq!(strange.problems(), ["sourceUrl", "bufferDuration", "srsRtmpUrl", "port", "sourceURL"]);
    let wrong = json!({
        "sourceUrl": "ftp://127.0.0.1/x", "srsRtmpUrl": "nowhere", "bufferDuration": 1, "streamId": "live",
        "audioProcessorUrl": "not a url",
    });
    let wrong = server.post("", START, wrong).await;
    assert_eq!(wrong.code(), (400, "INVALID_INPUT"));
    let told: BTreeSet<&str> = wrong.problems().into_iter().collect();
    let all = BTreeSet::from(["sourceUrl", "srsRtmpUrl", "bufferDuration", "audioProcessorUrl"]);
    assert_eq!(told, all, "{}", wrong.body);
    let named = server.post("", START, with(start_request(), "streamId", json!("a/b"))).await;
    assert_eq!((named.code(), named.problems()), ((400, "INVALID_INPUT"), vec!["streamId"]));
    let local = server.control.local_actor();
    assert!(server.control.pipelines().list(&local, None).unwrap().is_empty(), "something was made");
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let server = Server::start(true).await;
    let json = [("content-type", "application/json; charset=utf-8")];
    for (headers, body, status) in [
        (&json[..], "[1]".to_owned(), 400),
        (&json, "{".to_owned(), 400),
        (&json, "\"x\"".to_owned(), 400),
        (&json, "[".repeat(10_000), 400),
        (&json, " ".repeat(REST_BODY_BYTES_MAX + 1), 413),
        (&[("content-type", "text/plain")], "{}".to_owned(), 415),
        (&[("content-type", "application/x-www-form-urlencoded")], "a=b".to_owned(), 415),
        (&[], "{}".to_owned(), 415),
    ] {
        let short: String = body.chars().take(20).collect();
        let answer = server.send("POST", START, headers, body).await;
        assert_eq!(answer.status, status, "{short}: {}", answer.body);
        assert!(answer.body["code"].is_string(), "{short}: {}", answer.body);
    }
    // Calls that need nothing take nothing.
    let nothing = server.send("POST", STOP, &[], "").await;
    assert_eq!(nothing.code(), (404, "NOT_FOUND"), "{}", nothing.body);
    for query in ["?streamID=live", "?streamId=a&streamId=b"] {
        let answer = server.get("", &format!("{STATUS}{query}")).await;
        assert_eq!(answer.code(), (400, "INVALID_INPUT"), "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn without_a_name_it_is_the_last_one_started_else_the_only_one() {
    let server = Server::start(true).await;
    let local = server.control.local_actor();
    let make = async |stream: &str| {
        let patch = json!({ "source": { "url": start_request()["sourceUrl"] }, "destinations": [{ "url": start_request()["srsRtmpUrl"] }] });
        let patch = serde_json::from_value(patch).unwrap();
        let new = NewPipeline { stream_id: stream.into(), patch, ..NewPipeline::default() };
        server.control.pipelines().create(&local, new).await.unwrap();
    };
    assert_eq!(server.get("", STATUS).await.body["streamId"], Value::Null);
    make("one").await;
    assert_eq!(server.get("", STATUS).await.body["streamId"], "one");
    make("two").await;
    for answer in [server.get("", STATUS).await, server.post("", STOP, json!({})).await] {
        assert_eq!(answer.code(), (409, "CONFLICT"));
        assert!(answer.body["error"].as_str().unwrap().ends_with("one, two"), "{}", answer.body);
    }
    assert_eq!(server.get("", &format!("{STATUS}?streamId=two")).await.body["streamId"], "two");
    server.post("", START, with(start_request(), "streamId", json!("three"))).await;
    server.post("", START, with(start_request(), "streamId", json!("two"))).await;
    assert_eq!(server.get("", STATUS).await.body["streamId"], "two");
    assert_eq!(server.post("", STOP, json!({})).await.body["streamId"], "two");
    server.control.pipelines().delete(&local, "two", false).await.unwrap();
    assert_eq!(server.get("", STATUS).await.code(), (409, "CONFLICT"), "the last one is gone");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let server = Server::start(true).await;
    let processor = json!("http://user:processor-secret@127.0.0.1:1/audio");
    let started = server.post("", START, with(start_request(), "audioProcessorUrl", processor)).await;
    let wrong = server
        .post(
            "",
            START,
            with(with(start_request(), "srsRtmpUrl", json!("rtmp:///live/key-secret")), "streamId", json!("wrong")),
        )
        .await;
    let status = server.get("", STATUS).await;
    assert_eq!((started.status, wrong.status, status.status), (200, 400, 200));
    for answer in [&started, &wrong, &status, &server.get("", "/api/health").await] {
        assert!(!answer.body.to_string().contains("-secret"), "{}", answer.body);
    }
    assert!(status.body["sourceUrl"].as_str().unwrap().starts_with("http://"), "{}", status.body);
}

#[test]
fn the_description_and_the_routes_are_the_same() {
    let described: Value = serde_json::from_str(openapi::OPENAPI).unwrap();
    let described: BTreeSet<(String, String)> = described["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routed: Vec<_> = table().iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
    assert_eq!(described, routed.iter().cloned().collect(), "openapi.json and the routes differ");
    assert_eq!(described.len(), routed.len());
}
