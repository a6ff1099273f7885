//! Against a server that answers as SRS 6 does: the JSON below has its shape, key by key.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use super::*;
use crate::limits::{SRS_ANSWER_BYTES_MAX, SRS_PAGE_STREAMS};
use outboard_net::{Guard, Policy};

/// A stream as SRS 6 lists it.
fn stream(id: &str, app: &str, name: &str, active: bool) -> Value {
    let mut stream = json!({
        "id": id, "name": name, "vhost": "vid-3t7o441", "app": app,
        "tcUrl": format!("rtmp://127.0.0.1:1935/{app}"), "url": format!("/{app}/{name}"),
        "live_ms": 1_767_225_600_123_u64, "clients": 3, "frames": 921, "send_bytes": 4156, "recv_bytes": 1_000_000,
        "kbps": { "recv_30s": 0, "send_30s": 0 },
        "publish": { "active": active, "cid": "8r5k2n1" },
        "video": { "codec": "H264", "profile": "High", "level": "3.1", "width": 1280, "height": 720 },
        "audio": { "codec": "AAC", "sample_rate": 44100, "channel": 2, "profile": "LC" },
    });
    if !active {
        (stream["video"], stream["audio"]) = (Value::Null, Value::Null);
    }
    stream
}

fn answer(key: &str, value: Value) -> Value {
    json!({ "code": 0, "server": "vid-k21d7y2", "service": "9k2h1n5z", "pid": "4242", key: value })
}

/// What the server has, and what it was asked for.
#[derive(Default)]
struct Shared {
    streams: Vec<Value>,
    login: Option<&'static str>,
    instead: Option<(StatusCode, String)>,
    asked: Vec<String>,
}

/// An API like SRS's on loopback.
struct Api {
    url: String,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

impl Api {
    async fn start(streams: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared { streams, ..Shared::default() }));
        let app = Router::new().fallback(respond).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, task }
    }

    fn set(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().unwrap());
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }

    fn poller(&self, key: &str) -> SrsPoller {
        poller(&self.url, &format!("rtmp://127.0.0.1/live/{key}"), &Guard::open())
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn respond(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let mut shared = shared.lock().unwrap();
    shared.asked.push(request.uri().to_string());
    let login = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if shared.login.is_some_and(|wanted| login != Some(wanted)) {
        return (StatusCode::UNAUTHORIZED, "Unauthorized").into_response();
    }
    if let Some((status, body)) = &shared.instead {
        return (*status, body.clone()).into_response();
    }
    let Some(rest) = request.uri().path().strip_prefix("/api/v1/streams") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if rest.is_empty() {
        return (StatusCode::FOUND, [("location", "/api/v1/streams/")]).into_response();
    }
    let id = rest.trim_start_matches('/');
    if !id.is_empty() {
        let found = shared.streams.iter().find(|stream| stream["id"] == id);
        return found
            .map_or_else(|| json!({ "code": 2048 }), |found| answer("stream", found.clone()))
            .to_string()
            .into_response();
    }
    let query: std::collections::HashMap<_, _> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let number = |key: &str| query.get(key).and_then(|value| value.parse::<usize>().ok()).unwrap_or_default();
    let page: Vec<Value> = shared.streams.iter().skip(number("start")).take(number("count").max(10)).cloned().collect();
    answer("streams", page.into()).to_string().into_response()
}

fn poller(api: &str, destination: &str, guard: &Guard) -> SrsPoller {
    SrsPoller::new(Place::new(api, destination, guard).unwrap())
}

#[tokio::test]
async fn our_stream_is_found_by_application_and_key() {
    let streams = vec![
        stream("vid-1", "live", "other", true),
        stream("vid-2", "dvr", "key", true),
        stream("vid-3", "live", "key", true),
    ];
    let api = Api::start(streams).await;
    let mut poller = api.poller("key?token=SECRET");
    let view = poller.poll().await;
    assert!(view.reachable && view.publishing && view.since_ms > 0, "{view:?}");
    assert_eq!((view.clients, view.recv_kbps, view.problem.as_deref()), (Some(2), None, None));
    assert_eq!(view.video.as_deref(), Some("H264 High 3.1, 1280x720"));
    assert_eq!(view.audio.as_deref(), Some("AAC LC, 44100 Hz, stereo"));
    assert_eq!(api.asked(), [format!("/api/v1/streams/?start=0&count={SRS_PAGE_STREAMS}")]);
    // From now on it is asked for by its id, and what came since then is its rate.
    api.set(|shared| shared.streams[2]["recv_bytes"] = json!(2_000_000));
    let again = poller.poll().await;
    assert_eq!((again.since_ms, api.asked()), (view.since_ms, vec!["/api/v1/streams/vid-3".to_owned()]));
    assert!(again.recv_kbps.is_some_and(|kbps| kbps > 100.0), "{again:?}");
    assert!(!format!("{again:?}").contains("SECRET"));
}

#[tokio::test]
async fn what_changes_at_srs_is_seen() {
    let api = Api::start(vec![stream("vid-1", "live", "key", false)]).await;
    let mut poller = api.poller("key");
    let idle = poller.poll().await;
    assert!(
        idle.reachable && !idle.publishing && idle.problem.as_deref().unwrap().contains("without a publisher"),
        "{idle:?}"
    );
    assert_eq!((idle.clients, idle.video.as_deref()), (Some(3), None));
    api.set(|shared| shared.streams[0] = stream("vid-1", "live", "key", true));
    let active = poller.poll().await;
    assert!(active.publishing && active.since_ms >= idle.since_ms, "{active:?}");
    // SRS was restarted: other ids, counts from zero.
    api.set(|shared| shared.streams = vec![stream("vid-9", "live", "key", true)]);
    api.set(|shared| shared.streams[0]["recv_bytes"] = json!(5));
    api.asked();
    let restarted = poller.poll().await;
    assert!(restarted.publishing && restarted.recv_kbps.is_none(), "{restarted:?}");
    assert_eq!(api.asked().len(), 2, "by the old id, then the list");
    api.set(|shared| shared.streams.clear());
    let gone = poller.poll().await;
    assert!(gone.reachable && !gone.publishing, "{gone:?}");
    assert_eq!(gone.problem.as_deref(), Some("SRS does not list this stream"));
    assert!(gone.since_ms >= restarted.since_ms);
}

#[tokio::test]
async fn among_many_the_published_one_is_ours() {
    let mut streams: Vec<Value> =
        (0..SRS_PAGE_STREAMS + 20).map(|n| stream(&format!("vid-{n}"), "live", &format!("other-{n}"), true)).collect();
    streams[3] = stream("vid-old", "live", "key", false);
    streams.push(stream("vid-new", "live", "key", true));
    let api = Api::start(streams).await;
    let mut poller = api.poller("key");
    assert!(poller.poll().await.publishing);
    assert_eq!(api.asked().len(), 2, "two pages");
    // Both vanish: every page is looked at, none twice.
    api.set(|shared| shared.streams.retain(|stream| stream["name"] != "key"));
    assert!(!poller.poll().await.publishing);
    assert_eq!(api.asked().len(), 3, "by id, and two pages");
}

#[tokio::test]
async fn the_api_is_found_however_it_is_written() {
    let api = Api::start(vec![stream("vid-1", "live", "key", true)]).await;
    for end in ["", "/", "/api", "/api/v1", "/api/v1/", "/api/v1/streams", "/api/v1/streams/", "/?token=SECRET", "#x"] {
        let view = poller(&format!("{}{end}", api.url), "rtmp://h/live/key", &Guard::open()).poll().await;
        assert!(view.publishing, "{end}: {view:?}");
    }
    assert!(api.asked().iter().any(|asked| asked.contains("token=SECRET")), "its query goes along");
    assert!(Place::new("no url", "rtmp://h/live/key", &Guard::open()).is_none());
}

#[tokio::test]
async fn a_login_is_used_and_its_lack_is_said() {
    let api = Api::start(vec![stream("vid-1", "live", "key", true)]).await;
    api.set(|shared| shared.login = Some("Basic YWRtaW46U0VDUkVU"));
    let url = api.url.replace("http://", "http://admin:SECRET@");
    assert!(poller(&url, "rtmp://h/live/key", &Guard::open()).poll().await.publishing);
    let wrong = api.url.replace("http://", "http://admin:SECRET2@");
    for url in [&api.url, &wrong] {
        let view = poller(url, "rtmp://h/live/key", &Guard::open()).poll().await;
        let problem = view.problem.unwrap();
        assert!(!view.reachable && problem.contains("401") && !problem.contains("SECRET"), "{problem}");
    }
}

#[tokio::test]
async fn what_is_no_srs_is_named() {
    let api = Api::start(Vec::new()).await;
    let huge = format!("{{\"code\":0,\"x\":\"{}\"}}", "x".repeat(SRS_ANSWER_BYTES_MAX));
    for (status, body, words) in [
        (StatusCode::NOT_FOUND, String::new(), "HTTP status 404: is this SRS's API?"),
        (StatusCode::OK, "<html>SECRET".to_owned(), "not a JSON object"),
        (StatusCode::OK, r#"{"code":100}"#.to_owned(), "code 100"),
        (StatusCode::OK, huge, "more than 1048576 bytes"),
        (StatusCode::FOUND, String::new(), "HTTP status 302"),
    ] {
        api.set(|shared| shared.instead = Some((status, body)));
        let view = api.poller("key").poll().await;
        let problem = view.problem.unwrap();
        assert!(!view.reachable && problem.contains(words) && !problem.contains("SECRET"), "{words}: {problem}");
    }
    // Bound, so that nobody else gets the port, and not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    let view = poller(&url, "rtmp://h/live/SECRET", &Guard::open()).poll().await;
    let problem = view.problem.unwrap();
    assert!(!view.reachable && problem.contains("cannot connect") && !problem.contains("SECRET"), "{problem}");
    let view = poller(&url, "srt://h:1?streamid=x", &Guard::open()).poll().await;
    assert!(view.problem.unwrap().contains("rtmp: and rtmps: destinations"));
}

#[tokio::test]
async fn the_guard_is_asked() {
    let api = Api::start(vec![stream("vid-1", "live", "key", true)]).await;
    let strict = Guard::new(Policy::strict()).unwrap();
    let view = poller(&api.url, "rtmp://h/live/key", &strict).poll().await;
    assert!(!view.reachable && view.problem.unwrap().contains("127.0.0.1, a loopback address"));
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_hangs_has_no_view() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut poller = poller(&url, "rtmp://h/live/key", &Guard::open());
    let asked = tokio::time::timeout(Duration::from_secs(20), poller.poll()).await.expect("an end");
    assert_eq!(asked.problem.as_deref(), Some("SRS's API does not answer within 3 s"));
}

#[test]
fn askers_of_places_that_stay_go_on() {
    let place = |key: &str| Place::new("http://h", &format!("rtmp://h/live/{key}"), &Guard::open());
    let mut first = renewed(Vec::new(), vec![place("a"), None, place("b")]);
    let id = |poller: &Option<SrsPoller>| poller.as_ref().and_then(SrsPoller::known_id);
    first[0].as_mut().unwrap().know_id("a");
    first[2].as_mut().unwrap().know_id("b");
    let second = renewed(first, vec![place("b"), place("c"), None, place("a")]);
    assert_eq!(second.iter().map(id).collect::<Vec<_>>(), [Some("b".into()), None, None, Some("a".into())]);
}
