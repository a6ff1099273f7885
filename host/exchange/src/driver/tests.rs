mod another;

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use serde_json::json;

use super::*;
use crate::Audio;
use crate::fake::{FakeFramer, PATIENCE, Peer, Script, fragment, tone};
use crate::limits::{
    EXCHANGE_AUDIO_MAX_BYTES, EXCHANGE_EVENTS_MAX, EXCHANGE_METADATA_MAX_BYTES, EXCHANGE_TEXT_MAX_BYTES,
};
use crate::{BreakerState, Exchange, ExchangeConfig, ExchangeError, Readers};

const LONG: Duration = Duration::from_secs(120);

struct Scene {
    script: Script,
    exchange: Exchange,
    framer: FakeFramer,
    watch: watch::Receiver<ExchangeStatus>,
}

impl Scene {
    async fn new(framer: FakeFramer, change: impl FnOnce(&mut ExchangeConfig)) -> Self {
        let (script, url) = Script::new().await;
        let mut config = ExchangeConfig::new(url);
        change(&mut config);
        let cancel = CancellationToken::new();
        let exchange =
            Exchange::start(config, "s", Box::new(framer.clone()), Readers::default(), &cancel).await.unwrap();
        let watch = exchange.watch();
        Self { script, exchange, framer, watch }
    }

    async fn plain() -> (Self, Peer) {
        let scene = Self::new(FakeFramer::default(), |_| {}).await;
        let peer = scene.script.accept(LONG).await;
        (scene, peer)
    }

    async fn until(&mut self, what: impl FnMut(&ExchangeStatus) -> bool) -> ExchangeStatus {
        tokio::time::timeout(PATIENCE, self.watch.wait_for(what)).await.expect("in time").unwrap().clone()
    }
}

async fn absence(pending: impl Future<Output = Reply>) -> Absence {
    match tokio::time::timeout(PATIENCE, pending).await.expect("an answer") {
        Reply::Absent(absence) => absence,
        Reply::Returned(_) => panic!("audio came back"),
    }
}

#[tokio::test]
async fn a_fragment_goes_out_and_comes_back() {
    let (mut scene, mut peer) = Scene::plain().await;
    let before = scene.until(|status| status.ready).await;
    assert!(before.connected && before.since <= SystemTime::now());
    let pending = scene.exchange.submit(fragment(0, tone(10)));
    let (id, audio) = peer.fragment().await.unwrap();
    assert_eq!((id.as_str(), audio), ("s-0", tone(10)));
    let body = json!(["fragment:processed", {"fragment": {"batchNumber": 0}, "metadata": {"language": "fr"},
        "data": {"_placeholder": true, "num": 1}}]);
    peer.say(&format!("452-{body}")).await;
    peer.send(b"a preview").await;
    peer.send_bytes(tone(20)).await;
    let Reply::Returned(returned) = pending.await else { panic!("by its batch number") };
    assert_eq!((returned.probe.packets, returned.attempts), (20, 1));
    assert_eq!(returned.metadata, json!({"language": "fr"}));
    assert!(returned.round_trip > Duration::ZERO);
}

#[tokio::test]
async fn a_configuration_that_is_wrong_never_starts() {
    let start = async |config: ExchangeConfig, framer: FakeFramer| {
        Exchange::start(config, "s", Box::new(framer), Readers::default(), &CancellationToken::new())
            .await
            .err()
            .unwrap()
    };
    let mut config = ExchangeConfig::new("ftp://host");
    let error = start(config.clone(), FakeFramer::default()).await;
    assert_eq!(error.to_string(), "processor.url: scheme \"ftp\"; expected http, https, ws or wss");
    config.url = "http://host".to_owned();
    config.in_flight = 0;
    assert_eq!(start(config.clone(), FakeFramer::default()).await, ExchangeError::InFlight(0));
    config.in_flight = 1;
    let framer = FakeFramer { fail_on: Some("audio_format"), ..FakeFramer::default() };
    assert!(start(config, framer).await.to_string().starts_with("the framing stage: "));
}

// === what the processor asks for ===

#[tokio::test]
async fn fragments_wait_until_the_processor_is_ready() {
    let framer = FakeFramer { wait_for_ready: true, ..FakeFramer::default() };
    let mut scene = Scene::new(framer, |_| {}).await;
    let mut peer = scene.script.accept_limited(LONG, 5000).await;
    assert_eq!(peer.hear().await.as_deref(), Some("42[\"hello\"]"));
    let _pending = scene.exchange.submit(fragment(0, tone(1)));
    let status = scene.until(|status| status.queued == 1).await;
    assert!(status.connected && !status.ready);
    // The next packet on the wire is the proof: the answer to this event, not the fragment.
    peer.event("ask", json!(1)).await;
    assert_eq!(peer.hear().await.as_deref(), Some("42[\"told\",1]"));
    peer.event("ready", json!(null)).await;
    assert_eq!(peer.fragment().await.unwrap().0, "s-0");
    assert_eq!(scene.framer.seen()[0], "connect 0 Some(5000)");
}

#[tokio::test]
async fn a_processor_that_is_never_ready_is_left() {
    let framer = FakeFramer { wait_for_ready: true, ..FakeFramer::default() };
    let mut scene = Scene::new(framer, |config| config.ready_timeout = Duration::from_millis(100)).await;
    let mut peer = scene.script.accept(LONG).await;
    assert_eq!(peer.hear().await.as_deref(), Some("42[\"hello\"]"));
    assert_eq!(peer.hear().await.as_deref(), Some("41"));
    let status = scene.until(|status| status.problem.is_some()).await;
    assert_eq!(status.problem.as_deref(), Some("the processor was not ready within 100ms"));
}

#[tokio::test]
async fn pause_resume_and_slow_down_are_obeyed() {
    let (mut scene, mut peer) = Scene::plain().await;
    peer.event("pause", json!(null)).await;
    scene.until(|status| status.paused && !status.ready).await;
    let _pending = scene.exchange.submit(fragment(0, tone(1)));
    scene.until(|status| status.queued == 1).await;
    peer.event("ask", json!(1)).await;
    assert_eq!(peer.hear().await.as_deref(), Some("42[\"told\",1]"), "not the fragment");
    peer.event("resume", json!(null)).await;
    assert_eq!(peer.fragment().await.unwrap().0, "s-0");

    peer.event("slow", json!(150)).await;
    peer.event("ask", json!(2)).await;
    assert_eq!(peer.hear().await.as_deref(), Some("42[\"told\",2]"), "the wait has begun");
    let started = Instant::now();
    let _pending = scene.exchange.submit(fragment(1, tone(1)));
    assert_eq!(peer.fragment().await.unwrap().0, "s-1");
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_wait_that_is_over_wakes_nobody_again() {
    let (script, url) = Script::new().await;
    let endpoint = Endpoint::new(&ExchangeConfig::new(url)).unwrap();
    let (connection, _peer) = tokio::join!(Connection::connect(&endpoint), script.accept(LONG));
    let now = Instant::now();
    let mut session = Session {
        connection: connection.unwrap(),
        attempt: 0,
        ready: true,
        paused: true,
        not_before: Some(now),
        ready_by: now,
        next: Next::None,
    };
    // Paused: the slow-down ends, but nothing may be sent. A due time in the past would be a busy loop.
    assert_eq!((session.may_send(now), session.due()), (false, None));
    session.paused = false;
    session.not_before = Some(now + LONG);
    assert_eq!((session.may_send(now), session.due()), (false, Some(now + LONG)));
    assert_eq!((session.may_send(now + LONG), session.due()), (true, None));
}

// === messages that make no sense ===

#[tokio::test]
async fn what_came_instead_of_a_reply_is_named() {
    let (mut scene, mut peer) = Scene::plain().await;
    peer.event("hello", json!("before it was handed in")).await;
    peer.event("pause", json!(null)).await;
    scene.until(|status| status.paused).await;
    peer.event("resume", json!(null)).await;
    scene.until(|status| !status.paused).await;
    let (first, second) = (scene.exchange.submit(fragment(0, tone(1))), scene.exchange.submit(fragment(1, tone(1))));
    peer.fragment().await.unwrap();
    peer.fragment().await.unwrap();
    peer.event("exception", json!({"status": "error", "message": "no\nmodel"})).await;
    peer.say("430[{\"audio\":1}]").await;
    peer.say("431[]").await;
    peer.answer("theirs", tone(1)).await;
    // The following events show that these were processed.
    peer.event("pause", json!(null)).await;
    scene.until(|status| status.paused).await;
    let told = absence(std::future::ready(first.give_up())).await.to_string();
    assert_eq!(
        told,
        "no reply in time; the processor emitted `exception` [{\"message\":\"no\\nmodel\",\"status\":\"error\"}], which the \
         framing stage does not know; the processor answered by a Socket.IO ack (1 arguments); a reply must be an event, \
         such as fragment:processed of dialect fragment; the processor replied to a fragment with the id \"theirs\", which \
         was never sent"
    );
    let told = absence(std::future::ready(second.give_up())).await.to_string();
    assert!(told.contains("a Socket.IO ack without arguments, and no event") && !told.contains("hello"), "{told}");
}

#[tokio::test]
async fn nonsense_is_counted_and_changes_nothing() {
    let (mut scene, mut peer) = Scene::plain().await;
    let pending = scene.exchange.submit(fragment(0, tone(1)));
    peer.fragment().await.unwrap();
    peer.say("42[\"fragment:processed\",{]").await;
    peer.event("fragment:processed", json!({"fragment": {"id": "s-0"}})).await;
    peer.event("unheard of", json!([1, 2])).await;
    peer.event("notes", json!(null)).await;
    peer.event("fragment:ack", json!({"fragmentId": "never sent"})).await;
    peer.answer("never sent", tone(1)).await;
    peer.event("fragment:error", json!({"fragment": {"id": "never sent"}, "error": "x"})).await;
    peer.answer("s-0", tone(1)).await;
    assert!(matches!(pending.await, Reply::Returned(_)));
    let counters = scene.until(|status| status.counters.replies == 1).await.counters;
    assert_eq!((counters.invalid, counters.unknown, counters.disconnects), (2, 3, 0));
    peer.event("flood", json!(null)).await;
    peer.event("pause", json!(null)).await;
    let counters = scene.until(|status| status.paused).await.counters;
    assert_eq!(counters.unknown, 3 + EXCHANGE_EVENTS_MAX as u64, "of a thousand in one message");
}

#[tokio::test]
async fn a_reply_is_probed_before_it_is_used() {
    let (mut scene, mut peer) = Scene::plain().await;
    let pending = scene.exchange.submit(fragment(0, tone(1)));
    peer.fragment().await.unwrap();
    peer.answer("s-0", Bytes::from_static(b"no audio")).await;
    let reason = "its 8 bytes are neither MP4, ADTS, WAV nor MP3".to_owned();
    assert_eq!(absence(pending).await, Absence::Invalid(reason));
    assert_eq!(scene.until(|status| status.counters.invalid == 1).await.breaker, BreakerState::Closed);
}

#[tokio::test]
async fn metadata_is_an_object_of_bounded_size_or_nothing() {
    let (scene, mut peer) = Scene::plain().await;
    let metadata = [json!([1]), json!({"a": "x".repeat(EXCHANGE_METADATA_MAX_BYTES)}), json!("text")];
    for (batch, metadata) in (0..).zip(metadata) {
        let pending = scene.exchange.submit(fragment(batch, tone(1)));
        let (id, audio) = peer.fragment().await.unwrap();
        let body = json!({"fragment": {"id": id}, "data": {"_placeholder": true, "num": 0}, "metadata": metadata});
        peer.say(&format!("451-{}", json!(["fragment:processed", body]))).await;
        peer.send_bytes(audio).await;
        let Reply::Returned(returned) = pending.await else { panic!("the audio is good") };
        assert_eq!(returned.metadata, Value::Null);
    }
}

#[tokio::test]
async fn the_processors_failures_are_told() {
    let (mut scene, mut peer) = Scene::plain().await;
    let (first, second) = (scene.exchange.submit(fragment(0, tone(1))), scene.exchange.submit(fragment(1, tone(1))));
    peer.fragment().await.unwrap();
    peer.fragment().await.unwrap();
    let long = "x".repeat(10 * EXCHANGE_TEXT_MAX_BYTES);
    peer.event("fragment:error", json!({"fragment": {"id": "s-0"}, "error": long})).await;
    let Absence::Failed(reason) = absence(first).await else { panic!("failed") };
    assert!(reason.len() <= EXCHANGE_TEXT_MAX_BYTES + 3 && reason.ends_with('…'));
    peer.event("fragment:error", json!({"error": "GPU lost"})).await;
    assert_eq!(absence(second).await, Absence::Failed("GPU lost".to_owned()));
    assert_eq!(scene.until(|status| status.counters.failed == 2).await.problem.as_deref(), Some("GPU lost"));
}

// === what cannot be sent ===

#[tokio::test]
async fn what_the_stage_cannot_frame_fails_alone() {
    for (fail_on, expected) in [
        ("encode", "the framing stage: told to fail in encode"),
        ("encode nothing", "the framing stage returned no message for the fragment"),
        ("encode badly", "the framing stage: not a Socket.IO message: arguments are a JSON array"),
    ] {
        let framer = FakeFramer { fail_on: Some(fail_on), ..FakeFramer::default() };
        let mut scene = Scene::new(framer, |_| {}).await;
        let _peer = scene.script.accept(LONG).await;
        let pending = scene.exchange.submit(fragment(0, tone(1)));
        assert_eq!(absence(pending).await, Absence::Failed(expected.to_owned()));
        assert_eq!(scene.until(|status| status.queued == 0).await.counters.disconnects, 0);
    }
}

#[tokio::test]
async fn audio_is_read_from_disk_when_it_is_sent() {
    let (mut scene, mut peer) = Scene::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audio.adts");
    std::fs::write(&path, tone(3)).unwrap();
    let from = |batch, path: &std::path::Path| Outgoing { audio: Audio::File(path.to_owned()), ..fragment(batch, "") };
    let _pending = scene.exchange.submit(from(0, &path));
    assert_eq!(peer.fragment().await.unwrap().1, tone(3));

    let gone = absence(scene.exchange.submit(from(1, &folder.path().join("gone")))).await.to_string();
    assert!(gone.starts_with("gone cannot be read: "), "no folder in it: {gone}");
    std::fs::File::create(&path).unwrap().set_len(EXCHANGE_AUDIO_MAX_BYTES + 1).unwrap();
    let large = absence(scene.exchange.submit(from(2, &path))).await;
    assert_eq!(large, Absence::TooLarge("50331649 bytes; the limit is 50331648".to_owned()));
    assert_eq!(scene.until(|status| status.queued == 0).await.counters.too_large, 1);
}

#[tokio::test]
async fn a_stage_that_does_not_greet_is_tried_again() {
    let framer = FakeFramer { fail_on: Some("on_connect"), ..FakeFramer::default() };
    let mut scene = Scene::new(framer, |_| {}).await;
    let _first = scene.script.accept(LONG).await;
    let problem = scene.until(|status| status.problem.is_some()).await.problem;
    assert_eq!(problem.as_deref(), Some("the framing stage: told to fail in on_connect"));
    let _second = scene.script.accept(LONG).await;
    assert_eq!(scene.framer.seen()[1], "disconnect the framing stage: told to fail in on_connect");
}

#[tokio::test]
async fn a_processor_that_does_not_read_is_left() {
    let (mut scene, mut peer) = Scene::plain().await;
    // It requests answers without end and never reads one.
    let large = Bytes::from(vec![0; 1 << 20]);
    for _ in 0..2 * crate::limits::EXCHANGE_WRITE_QUEUE_PACKETS {
        let text = format!("451-{}", json!(["ask", {"_placeholder": true, "num": 0}]));
        let asked = peer.socket.feed(tokio_tungstenite::tungstenite::Message::text(text)).await;
        let sent = peer.socket.send(tokio_tungstenite::tungstenite::Message::binary(large.clone())).await;
        if asked.and(sent).is_err() {
            break;
        }
    }
    let problem = scene.until(|status| status.problem.is_some()).await.problem;
    assert_eq!(problem.as_deref(), Some("the processor does not read: 128 packets are waiting"));
}

// === time ===

#[tokio::test]
async fn giving_up_tells_what_is_known() {
    let (mut scene, mut peer) = Scene::plain().await;
    let (mut first, second) =
        (scene.exchange.submit(fragment(0, tone(1))), scene.exchange.submit(fragment(1, tone(1))));
    peer.fragment().await.unwrap();
    peer.fragment().await.unwrap();
    peer.answer("s-0", tone(1)).await;
    scene.until(|status| status.counters.replies == 1).await;
    assert!(matches!(second.give_up(), Reply::Absent(Absence::Late)));
    scene.until(|status| status.counters.timeouts == 1 && status.in_flight == 0).await;
    peer.answer("s-1", tone(1)).await;
    scene.until(|status| status.counters.late == 1).await;
    // A reply that has arrived is not abandoned.
    assert!(matches!(futures_util::FutureExt::now_or_never(&mut first), Some(Reply::Returned(_))));
    let third = scene.exchange.submit(fragment(2, tone(1)));
    peer.fragment().await.unwrap();
    peer.answer("s-2", tone(1)).await;
    scene.until(|status| status.counters.replies == 2).await;
    assert!(matches!(third.give_up(), Reply::Returned(_)));

    drop(peer);
    scene.until(|status| !status.connected).await;
    let waiting = scene.exchange.submit(fragment(3, tone(1)));
    scene.until(|status| status.queued == 1).await;
    assert!(matches!(waiting.give_up(), Reply::Absent(Absence::Disconnected)));
    scene.until(|status| status.queued == 0).await;
}

#[tokio::test]
async fn a_processor_that_never_answers_trips_the_breaker_and_is_probed_later() {
    let mut scene = Scene::new(FakeFramer::default(), |config| {
        // Long enough for the answer to the probe on a busy machine.
        config.fragment_timeout = Some(Duration::from_secs(1));
        config.breaker.probe_after = Duration::from_secs(2);
    })
    .await;
    let mut peer = scene.script.accept(LONG).await;
    for batch in 0..5 {
        let pending = scene.exchange.submit(fragment(batch, tone(1)));
        peer.fragment().await.unwrap();
        assert_eq!(absence(pending).await, Absence::Late);
    }
    let opened = Instant::now();
    assert_eq!(scene.until(|status| status.counters.timeouts == 5).await.breaker, BreakerState::Open);
    let mut batch = 5;
    let probe = loop {
        let mut pending = scene.exchange.submit(fragment(batch, tone(1)));
        tokio::select! {
            reply = &mut pending => assert!(matches!(reply, Reply::Absent(Absence::BreakerOpen))),
            Some((id, audio)) = peer.fragment() => {
                peer.answer(&id, audio).await;
                break pending;
            }
        }
        batch += 1;
        tokio::task::yield_now().await;
    };
    // It opened slightly before the test saw it.
    assert!(opened.elapsed() >= Duration::from_secs(1), "{:?}", opened.elapsed());
    assert!(matches!(probe.await, Reply::Returned(_)));
    assert_eq!(scene.until(|status| status.in_flight == 0).await.breaker, BreakerState::Closed);
}

// === the end ===

#[tokio::test]
async fn shutting_down_leaves_politely_and_answers_everybody() {
    let (mut scene, mut peer) = Scene::plain().await;
    let (sent, waiting) = (scene.exchange.submit(fragment(0, tone(1))), scene.exchange.submit(fragment(1, tone(1))));
    peer.fragment().await.unwrap();
    peer.fragment().await.unwrap();
    scene.until(|status| status.in_flight == 2).await;
    let (heard, ()) = tokio::join!(peer.hear(), scene.exchange.shutdown());
    assert_eq!(heard.as_deref(), Some("41"));
    assert_eq!(absence(sent).await, Absence::Disconnected);
    assert_eq!(absence(waiting).await, Absence::Disconnected);
    assert_eq!(scene.framer.seen().last().unwrap(), "disconnect the pipeline stops");
    let status = scene.watch.borrow().clone();
    assert_eq!((status.connected, status.in_flight, status.queued), (false, 0, 0));
    assert_eq!(status.counters.disconnects, 0);
}

#[tokio::test]
async fn an_exchange_stops_at_any_moment() {
    // While nothing listens, while the handshake hangs, and when it is only dropped.
    let (script, url) = Script::new().await;
    let start = async || {
        let framer = Box::new(FakeFramer { fail_on: Some("on_disconnect"), ..FakeFramer::default() });
        let cancel = CancellationToken::new();
        Exchange::start(ExchangeConfig::new(url.clone()), "s", framer, Readers::default(), &cancel).await.unwrap()
    };
    let exchange = start().await;
    let pending = exchange.submit(fragment(0, tone(1)));
    let _hanging = script.upgrade().await;
    exchange.shutdown().await;
    assert_eq!(absence(pending).await, Absence::Disconnected);
    let exchange = start().await;
    let mut peer = script.accept(LONG).await;
    exchange.watch().wait_for(|status| status.connected).await.unwrap();
    drop(exchange);
    assert_eq!(peer.hear().await.as_deref(), Some("41"));
    drop(script);
    let exchange = start().await;
    let mut watch = exchange.watch();
    watch.wait_for(|status| status.counters.connect_failures > 0).await.unwrap();
    exchange.shutdown().await;
    // Submitting to an exchange whose task ended by its parent's token is answered too.
    let cancel = CancellationToken::new();
    let framer = Box::new(FakeFramer::default());
    let exchange = Exchange::start(ExchangeConfig::new(url), "s", framer, Readers::default(), &cancel).await.unwrap();
    cancel.cancel();
    let mut watch = exchange.watch();
    while watch.changed().await.is_ok() {}
    assert_eq!(absence(exchange.submit(fragment(0, tone(1)))).await, Absence::Disconnected);
}

#[tokio::test]
async fn more_fragments_than_are_held_are_refused() {
    let (scene, _peer) = Scene::plain().await;
    // The task does not run before the first await: the queue to it fills up.
    let many: Vec<_> = (0..100).map(|batch| scene.exchange.submit(fragment(batch, tone(1)))).collect();
    let reason = "64 fragments are already waiting for the processor".to_owned();
    let refused = many.into_iter().last().unwrap();
    assert_eq!(absence(refused).await, Absence::Failed(reason));
}
