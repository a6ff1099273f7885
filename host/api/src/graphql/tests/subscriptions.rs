//! What subscribers get, and what slow ones do not lose or are told that they lost.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use outboard_control::{Change, NewPipeline};

const SOON: Duration = Duration::from_secs(120);

impl Server {
    fn follow(&self, actor: &Actor, query: &str) -> futures_util::stream::BoxStream<'static, Value> {
        let admitted = self.endpoint.admit(actor, Request::new(query)).unwrap();
        let place = Arc::new(self.endpoint.place(actor).unwrap());
        let answers = self.endpoint.follow(Arc::new(actor.clone()), admitted, place).unwrap();
        answers.map(|answer| serde_json::to_value(answer).unwrap()).boxed()
    }

    async fn made(&self, id: &str) {
        let (tenant, stream) = id.split_once(':').unwrap();
        let patch = serde_json::from_value(settings()).unwrap();
        let new =
            NewPipeline { tenant: Some(tenant.into()), stream_id: stream.into(), patch, ..NewPipeline::default() };
        self.endpoint.control().pipelines().create(&local(), new).await.unwrap();
    }

    /// Makes so many events.
    async fn stir(&self, id: &str, times: u32) {
        let entry = self.endpoint.control().pipelines().get(&local(), id).unwrap();
        for _ in 0..times {
            // What changes nothing is no event.
            let patch = serde_json::from_value(json!({ "batchSeconds": 10 + entry.revision() % 2 })).unwrap();
            let change = Change { patch, ..Change::default() };
            self.endpoint.control().pipelines().update(&local(), id, change).await.unwrap();
        }
    }
}

async fn next(stream: &mut futures_util::stream::BoxStream<'static, Value>) -> Value {
    timeout(SOON, stream.next()).await.expect("an answer").expect("no end")
}

#[tokio::test]
async fn no_event_is_lost_by_a_reader_that_others_outrun() {
    let server = Server::start().await;
    let private = "mutation { createTenant(input: { name: \"acme\", networkPolicy: { private: true } }) { id } }";
    server.told(private, json!({})).await;
    server.made("acme:tv").await;
    server.made("default:tv").await;
    let mut events = server.follow(
        &of("acme", Role::Viewer),
        "subscription { events(filter: { kinds: [UPDATED] }) { id pipelineId message } }",
    );
    // It looks once, and then not while more happens than is held for it: ours among many of a stranger's.
    assert!(events.next().now_or_never().is_none());
    server.stir("acme:tv", 1).await;
    let first = next(&mut events).await;
    server.stir("acme:tv", 150).await;
    server.stir("default:tv", u32::try_from(outboard_control::limits::EVENTS_LISTENED).unwrap()).await;
    server.stir("acme:tv", 50).await;
    let mut revisions = vec![first];
    while revisions.len() < 201 {
        revisions.push(next(&mut events).await);
    }
    for (n, told) in revisions.iter().enumerate() {
        let event = &told["data"]["events"];
        assert_eq!(event["pipelineId"], "acme:tv");
        assert!(event["message"].as_str().unwrap().starts_with(&format!("revision {} ", n + 2)), "{n}: {event}");
    }
    assert!(events.next().now_or_never().is_none(), "nothing more");
}

#[tokio::test]
async fn events_are_told_from_the_first_look_on_though_the_database_is_busy() {
    let server = Server::start().await;
    server.made("default:tv").await;
    let query = "subscription { events(filter: { kinds: [UPDATED] }) { message } }";
    // One that listens already: what it is told was told to all.
    let mut witness = server.follow(&local(), query);
    assert!(witness.next().now_or_never().is_none());
    server.stir("default:tv", 1).await;
    next(&mut witness).await;
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(std::sync::Mutex::new(wait));
    let database = server.endpoint.control().host().database().clone();
    let (started, mut busy) = tokio::sync::mpsc::channel(outboard_store::limits::DATABASE_READERS);
    for _ in 0..outboard_store::limits::DATABASE_READERS {
        let (database, wait, started) = (database.clone(), wait.clone(), started.clone());
        tokio::spawn(async move {
            let stand = move |_: &rusqlite::Connection| {
                started.blocking_send(()).unwrap();
                let _ = wait.lock().unwrap().recv();
                Ok(())
            };
            database.read(stand).await.unwrap();
        });
        busy.recv().await.unwrap();
    }
    let mut events = server.follow(&local(), query);
    assert!(events.next().now_or_never().is_none());
    server.stir("default:tv", 1).await;
    next(&mut witness).await;
    drop(release);
    assert!(next(&mut events).await["data"]["events"]["message"].as_str().unwrap().starts_with("revision 3 "));
}

#[tokio::test]
async fn the_log_begins_with_the_last_lines_and_tells_what_a_slow_reader_lost() {
    let server = Server::start().await;
    let hub = server.endpoint.control().history().logs().clone();
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(hub.layer()));
    server.made("default:log").await;
    let say = |n: usize, text: &str| tracing::info!(target: "air", tenant = "default", stream = "log", n, "{text}");
    (0..5).for_each(|n| say(n, "before"));
    let query = "subscription { logs(filter: { pipeline: \"log\", target: \"air\" }, last: 3) { dropped lines { pipelineId message fields } } }";
    let mut logs = server.follow(&of("default", Role::Viewer), query);
    let first = next(&mut logs).await;
    let numbers = |update: &Value| -> Vec<u64> {
        update["data"]["logs"]["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["fields"]["n"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((numbers(&first), &first["data"]["logs"]["dropped"]), (vec![2, 3, 4], &json!(0)));
    assert_eq!(first["data"]["logs"]["lines"][0]["pipelineId"], "default:log");
    say(5, "live");
    assert_eq!(numbers(&next(&mut logs).await), [5]);
    // More bytes than are kept of a stream.
    let long = "x".repeat(3000);
    (6..306).for_each(|n| say(n, &long));
    let (mut lines, mut dropped) = (Vec::new(), 0);
    while lines.last() != Some(&305) {
        let update = next(&mut logs).await;
        dropped += update["data"]["logs"]["dropped"].as_u64().unwrap();
        lines.extend(numbers(&update));
    }
    assert!(dropped > 0, "all of it was kept");
    assert_eq!(lines.len() as u64 + dropped, 300);
    assert_eq!(lines, (306 - lines.len() as u64..306).collect::<Vec<_>>(), "the oldest are lost, and no others");
    // Another tenant's reader hears nothing of it.
    let mut other = server.follow(&of("acme", Role::Viewer), "subscription { logs(last: 100) { lines { message } } }");
    let told = next(&mut other).await;
    assert_eq!(code(&told), "NOT_FOUND", "{told}");
}

#[tokio::test]
async fn the_storage_and_the_server_are_told_at_once_and_again() {
    let server = Server::start().await;
    let mut seen = server.follow(&local(), "subscription { server(everySeconds: 1) { version pipelines } }");
    assert_eq!(next(&mut seen).await["data"]["server"]["pipelines"], 0);
    server.made("default:a").await;
    assert_eq!(next(&mut seen).await["data"]["server"]["pipelines"], 1);
    let mut seen =
        server.follow(&local(), "subscription { storage(everySeconds: 1) { usage { totalBytes } availableBytes } }");
    assert!(next(&mut seen).await["data"]["storage"]["availableBytes"].as_u64().unwrap() > 0);
    next(&mut seen).await;
    for wrong in
        ["server(everySeconds: 0) { at }", "storage(everySeconds: 3601) { at }", "server(everySeconds: -1) { at }"]
    {
        let mut refused = server.follow(&local(), &format!("subscription {{ {wrong} }}"));
        assert_eq!(super::refused(&next(&mut refused).await), ("INVALID_INPUT".into(), vec!["everySeconds".into()]));
        assert_eq!(refused.next().await, None, "and that is all");
    }
}
