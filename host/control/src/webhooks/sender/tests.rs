//! The sender with a real queue on disk, real receivers over HTTP, and signatures that other code has checked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::*;
use crate::access::Actor;
use crate::registry::{DeliveryRow, DeliveryState, NewEvent, NewTenant, NewWebhook};
use crate::webhooks::signature;
use outboard_net::Policy;
use outboard_pipeline::event::{Event, EventKind, Severity};
use outboard_store::database::Database;
use outboard_store::page::Page;

/// How long a test waits for something that must come.
const SOON: Duration = Duration::from_secs(120);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy)]
enum Act {
    Answer(u16),
    /// Takes the request and says nothing, until it is let go.
    Hang,
    /// 200 and a body that never ends.
    Flood,
    Redirect(SocketAddr),
}

#[derive(Debug, Clone)]
struct Asked {
    headers: HashMap<String, String>,
    body: Bytes,
}

/// A receiver on loopback; each request takes the next act, the last one stays.
struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    acts: Mutex<Vec<Act>>,
    asked: watch::Sender<Vec<Asked>>,
    go: watch::Sender<bool>,
}

impl Receiver {
    async fn start(acts: &[Act]) -> Self {
        Self::at("127.0.0.1", acts).await
    }

    async fn at(address: &str, acts: &[Act]) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, go) = (watch::Sender::new(Vec::new()), watch::Sender::new(false));
        let shared = Arc::new(Shared { acts: Mutex::new(acts.to_vec()), asked, go });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, shared, task }
    }

    fn url(&self) -> String {
        format!("http://{}/hook?token=SECRET", self.address)
    }

    fn asked(&self) -> Vec<Asked> {
        self.shared.asked.borrow().clone()
    }

    async fn wait(&self, times: usize) -> Vec<Asked> {
        let mut asked = self.shared.asked.subscribe();
        timeout(SOON, asked.wait_for(|asked| asked.len() >= times)).await.expect("a request in time").unwrap().clone()
    }

    /// Lets go of whoever hangs.
    fn let_go(&self) {
        self.shared.go.send_replace(true);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    shared.asked.send_modify(|asked| asked.push(Asked { headers, body }));
    let act = {
        let mut acts = shared.acts.lock().unwrap();
        if acts.len() > 1 { acts.remove(0) } else { acts[0] }
    };
    match act {
        Act::Answer(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Act::Hang => {
            shared.go.subscribe().wait_for(|go| *go).await.unwrap();
            StatusCode::OK.into_response()
        }
        Act::Flood => {
            let flood = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 65_536])));
            Body::from_stream(flood).into_response()
        }
        Act::Redirect(to) => (StatusCode::FOUND, [("location", format!("http://{to}/"))]).into_response(),
    }
}

/// A queue on disk with tenants `acme`, `other` and `third`.
struct Queue {
    dir: tempfile::TempDir,
    registry: Registry,
}

impl Queue {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(Database::open(&dir.path().join("outboard.db")).unwrap());
        for name in ["acme", "other", "third"] {
            let new = NewTenant { name: name.into(), ..NewTenant::default() };
            registry.create_tenant(&actor(), new).await.unwrap();
        }
        Self { dir, registry }
    }

    async fn hook(&self, tenant: &str, url: impl Into<String>) -> u64 {
        let have = self.registry.webhooks(tenant, Page::newest(99)).await.unwrap().rows.len();
        let (url, secret) = (url.into().into(), SECRET.to_owned().into());
        let (tenant, name) = (tenant.to_owned(), format!("hook-{have}"));
        let new =
            NewWebhook { tenant, name, url, secret, secret_given: true, events: vec!["off-air".into()], enabled: true };
        self.registry.create_webhook(&actor(), new).await.unwrap().row.id
    }

    /// An event of the tenant with this number.
    async fn event(&self, tenant: &str, number: u64) {
        let event = Event::new(EventKind::OffAir, Severity::Error, format!("event {number}")).batch(number);
        let new = NewEvent { tenant: Some(tenant.into()), stream: Some("s".into()), event, incident: None };
        self.registry.add_events(vec![new]).await.unwrap();
    }

    /// The newest delivery of a webhook once it is in this state.
    async fn until(&self, tenant: &str, hook: u64, state: DeliveryState) -> DeliveryRow {
        let reached = async {
            loop {
                let rows = self.registry.deliveries(tenant, hook, Page::newest(1)).await.unwrap().rows;
                match rows.into_iter().find(|row| row.state == state) {
                    Some(row) => return row,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        timeout(SOON, reached).await.unwrap_or_else(|_| panic!("the delivery is never {state:?}"))
    }

    fn sender(&self, patience: Patience) -> Sender {
        Sender::start(self.registry.clone(), Arc::new(|_: &str| Some(Guard::open())), patience)
    }
}

fn actor() -> Actor {
    Actor::local("test")
}

/// Short waits between attempts.
fn quick() -> Patience {
    const WAITS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(10)];
    let schedule = Schedule::steps(&WAITS, WAITS[1]);
    Patience { answer: SOON, lease: Duration::from_secs(60), look: Duration::from_millis(20), schedule }
}

/// Tries each event once.
fn once() -> Patience {
    Patience { schedule: Schedule::steps(&[], Duration::ZERO), ..quick() }
}

fn number(asked: &Asked) -> u64 {
    serde_json::from_slice::<Value>(&asked.body).unwrap()["batch"].as_u64().unwrap()
}

#[tokio::test]
async fn a_delivery_is_signed_and_says_what_it_is() {
    let (queue, receiver) = (Queue::new().await, Receiver::start(&[Act::Answer(204)]).await);
    let hook = queue.hook("acme", receiver.url()).await;
    let sender = queue.sender(quick());
    queue.event("acme", 7).await;
    let asked = receiver.wait(1).await.remove(0);
    let row = queue.until("acme", hook, DeliveryState::Delivered).await;
    assert_eq!((row.attempts, row.status, row.error.as_deref()), (1, Some(204), None));
    let header = |name: &str| asked.headers[name].clone();
    assert_eq!((header("content-type"), header("webhook-id")), ("application/json".into(), format!("msg_{}", row.id)));
    assert!(header("user-agent").starts_with("outboard/"));
    let timestamp: u64 = header("webhook-timestamp").parse().unwrap();
    assert!(timestamp.abs_diff(now_ms() / 1000) < 20, "{timestamp}");
    assert_eq!(header("webhook-signature"), signature(SECRET, &header("webhook-id"), timestamp, &asked.body));
    let former: Vec<_> = asked.headers.keys().filter(|name| name.starts_with("x-")).collect();
    assert!(former.is_empty(), "{former:?}");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!((&body["tenant"], &body["message"]), (&json!("acme"), &json!("event 7")));
    assert_eq!((&body["kind"], &body["severity"], &body["batch"]), (&json!("off-air"), &json!("error"), &json!(7)));
    let stats = sender.stats();
    assert_eq!((stats.delivered, stats.failed, stats.given_up), (1, 0, 0));
    sender.shutdown(SOON).await;
}

#[tokio::test]
async fn what_fails_is_tried_again_and_given_up_in_the_end() {
    let queue = Queue::new().await;
    let comes_back = Receiver::start(&[Act::Answer(500), Act::Answer(503), Act::Answer(200)]).await;
    let broken = Receiver::start(&[Act::Answer(500)]).await;
    let gone = Receiver::start(&[Act::Answer(410)]).await;
    let back = queue.hook("acme", comes_back.url()).await;
    let never = queue.hook("other", broken.url()).await;
    let last = queue.hook("third", gone.url()).await;
    let sender = queue.sender(quick());
    for tenant in ["acme", "other", "third"] {
        queue.event(tenant, 1).await;
    }
    let row = queue.until("acme", back, DeliveryState::Delivered).await;
    assert_eq!((row.attempts, row.status), (3, Some(200)));
    let ids: Vec<_> = comes_back.asked().iter().map(|asked| asked.headers["webhook-id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == format!("msg_{}", row.id)), "the same delivery each time: {ids:?}");
    let row = queue.until("other", never, DeliveryState::GaveUp).await;
    assert_eq!((row.attempts, row.status, row.error.as_deref()), (3, Some(500), Some("HTTP status 500")));
    assert_eq!(broken.asked().len(), 3);
    let row = queue.until("third", last, DeliveryState::GaveUp).await;
    assert_eq!((row.attempts, row.status), (1, Some(410)));
    let stats = sender.stats();
    assert_eq!((stats.delivered, stats.failed, stats.given_up), (1, 6, 2));
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let (queue, dead) = (Queue::new().await, Receiver::start(&[Act::Hang]).await);
    let (same, foreign) = (Receiver::start(&[Act::Answer(200)]).await, Receiver::start(&[Act::Answer(200)]).await);
    // As many as the tenant may have under way, and more events than that.
    let mut hung = Vec::new();
    for _ in 0..WEBHOOK_TENANT_SENDINGS_MAX {
        hung.push(queue.hook("acme", dead.url()).await);
    }
    let waits = queue.hook("acme", same.url()).await;
    let free = queue.hook("other", foreign.url()).await;
    for number in 0..5 {
        queue.event("acme", number).await;
    }
    let sender = queue.sender(once());
    dead.wait(hung.len()).await;
    queue.event("other", 1).await;
    sender.wake();
    queue.until("other", free, DeliveryState::Delivered).await;
    assert_eq!(dead.asked().len(), hung.len(), "one request at a time for each webhook");
    assert!(same.asked().is_empty(), "the tenant has as many under way as it may");
    dead.let_go();
    same.wait(5).await;
    queue.until("acme", waits, DeliveryState::Delivered).await;
    assert_eq!(same.asked().iter().map(number).collect::<Vec<_>>(), [0, 1, 2, 3, 4], "in their order");
    sender.shutdown(SOON).await;
}

#[tokio::test]
async fn what_takes_too_long_has_failed() {
    let (queue, dead) = (Queue::new().await, Receiver::start(&[Act::Hang]).await);
    let hook = queue.hook("acme", dead.url()).await;
    let _sender = queue.sender(Patience { answer: Duration::from_millis(200), ..once() });
    queue.event("acme", 1).await;
    let row = queue.until("acme", hook, DeliveryState::GaveUp).await;
    assert_eq!((row.status, row.error.as_deref()), (None, Some("no answer within 200ms")));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (queue, inner) = (Queue::new().await, Receiver::at("127.0.0.2", &[Act::Answer(200)]).await);
    let receiver = Receiver::start(&[Act::Redirect(inner.address)]).await;
    let hook = queue.hook("acme", receiver.url()).await;
    let _sender = queue.sender(once());
    queue.event("acme", 1).await;
    let row = queue.until("acme", hook, DeliveryState::GaveUp).await;
    assert_eq!(row.status, Some(302));
    assert!(row.error.unwrap().contains("redirects are not followed"));
    assert!(inner.asked().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let (queue, receiver) = (Queue::new().await, Receiver::start(&[Act::Flood]).await);
    let hook = queue.hook("acme", receiver.url()).await;
    let _sender = queue.sender(once());
    queue.event("acme", 1).await;
    let row = queue.until("acme", hook, DeliveryState::Delivered).await;
    assert_eq!(row.status, Some(200));
}

#[tokio::test]
async fn the_tenants_guard_is_asked_and_no_secret_is_told() {
    let (queue, inner) = (Queue::new().await, Receiver::at("127.0.0.2", &[Act::Answer(200)]).await);
    // Bound, so that nobody else gets the port, and not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = nobody.local_addr().unwrap().port();
    let denied = queue.hook("acme", format!("http://user:SECRET@{}/SECRET?t=SECRET", inner.address)).await;
    let allowed = queue.hook("other", inner.url()).await;
    let dead = queue.hook("third", format!("http://user:SECRET@127.0.0.1:{port}/SECRET")).await;
    let guards: Guards = Arc::new(|tenant: &str| match tenant {
        "acme" => Some(Guard::new(Policy::strict()).unwrap()),
        _ => Some(Guard::open()),
    });
    let sender = Sender::start(queue.registry.clone(), guards, once());
    for tenant in ["acme", "third"] {
        queue.event(tenant, 1).await;
    }
    let row = queue.until("acme", denied, DeliveryState::GaveUp).await;
    let error = row.error.unwrap();
    assert!(error.contains("127.0.0.2, a loopback address") && !error.contains("SECRET"), "{error}");
    assert!(inner.asked().is_empty());
    let row = queue.until("third", dead, DeliveryState::GaveUp).await;
    let error = row.error.unwrap();
    assert!(error.starts_with("cannot connect") && !error.contains("SECRET"), "{error}");
    queue.event("other", 1).await;
    queue.until("other", allowed, DeliveryState::Delivered).await;
    sender.shutdown(SOON).await;
}

#[tokio::test]
async fn urls_that_are_none_are_named_without_them() {
    let queue = Queue::new().await;
    let _sender = queue.sender(once());
    for url in ["SECRET", "ftp://SECRET/", "file:///SECRET"] {
        let hook = queue.hook("acme", url).await;
        queue.event("acme", 1).await;
        let error = queue.until("acme", hook, DeliveryState::GaveUp).await.error.unwrap();
        assert!(error.starts_with("the webhook's URL: ") && !error.contains("SECRET"), "{error}");
        queue.registry.delete_webhook(&actor(), "acme", hook).await.unwrap();
    }
}

#[tokio::test]
async fn deliveries_survive_the_process() {
    let queue = Queue::new().await;
    let receiver = Receiver::start(&[Act::Hang, Act::Answer(200)]).await;
    let hook = queue.hook("acme", receiver.url()).await;
    queue.event("acme", 1).await;
    queue.event("acme", 2).await;
    let lease = Duration::from_millis(300);
    let sender = queue.sender(Patience { lease, ..once() });
    receiver.wait(1).await;
    // As a kill does: what is under way is cut off, nothing is written down.
    drop(sender);
    let registry = Registry::new(Database::open(&queue.dir.path().join("outboard.db")).unwrap());
    let _sender = Sender::start(registry, Arc::new(|_: &str| Some(Guard::open())), once());
    let mut numbers: Vec<u64> = receiver.wait(3).await.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 1, 2], "the one that was cut off is sent again");
    queue.until("acme", hook, DeliveryState::Delivered).await;
}

#[tokio::test]
async fn stopping_waits_for_what_is_under_way_and_begins_nothing() {
    let (queue, receiver) = (Queue::new().await, Receiver::start(&[Act::Hang, Act::Answer(200)]).await);
    let hook = queue.hook("acme", receiver.url()).await;
    queue.event("acme", 1).await;
    queue.event("acme", 2).await;
    let sender = queue.sender(once());
    receiver.wait(1).await;
    // Polled in this order: it stops first.
    tokio::join!(sender.shutdown(SOON), async { receiver.let_go() });
    sender.shutdown(SOON).await;
    assert_eq!(receiver.asked().len(), 1);
    let rows = queue.registry.deliveries("acme", hook, Page::oldest(9)).await.unwrap().rows;
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.attempts)).collect();
    assert_eq!(states, [(DeliveryState::Delivered, 1), (DeliveryState::Pending, 0)]);
}

#[tokio::test]
async fn tenants_that_are_shut_out_or_gone_are_sent_nothing() {
    let (queue, receiver) = (Queue::new().await, Receiver::start(&[Act::Answer(200)]).await);
    let (out, open) = (queue.hook("acme", receiver.url()).await, queue.hook("other", receiver.url()).await);
    let gone = queue.hook("third", receiver.url()).await;
    queue.registry.set_disabled(&actor(), "acme", true).await.unwrap();
    for tenant in ["acme", "third", "other"] {
        queue.event(tenant, 1).await;
    }
    let guards: Guards = Arc::new(|tenant: &str| (tenant != "third").then(Guard::open));
    let sender = Sender::start(queue.registry.clone(), guards, once());
    queue.until("other", open, DeliveryState::Delivered).await;
    assert_eq!(
        queue.until("third", gone, DeliveryState::GaveUp).await.error.as_deref(),
        Some("its tenant was deleted")
    );
    assert_eq!(receiver.asked().len(), 1);
    queue.registry.set_disabled(&actor(), "acme", false).await.unwrap();
    sender.wake();
    queue.until("acme", out, DeliveryState::Delivered).await;
}

#[test]
fn the_page_for_receivers_names_every_kind_of_event() {
    let page = include_str!("../../../../../docs/webhooks.md");
    for kind in EventKind::ALL {
        assert!(page.contains(&format!("| `{}` |", kind.name())), "docs/webhooks.md lacks {}", kind.name());
    }
}
