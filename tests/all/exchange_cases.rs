//! The exchange with real Socket.IO servers: whatever they do, each fragment gets the right bytes or the right reason.
//! Faults that a real server does not produce are tested beside the code, with a scripted one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first thing that is wrong"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use outboard::echo::{Echo, EchoConfig};
use outboard::pipeline::exchange::message_framer::Fragment;
use outboard::pipeline::exchange::{
    Absence, Audio, Exchange, ExchangeConfig, ExchangeStatus, Outgoing, Pending, Reply, Returned,
};
use outboard_tests::door::{CountingListener, strict};
use outboard_tests::processor::{FragmentFramer, PATIENCE, Processor, ServerKind, fmp4, wav};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

static SMALL: LazyLock<Bytes> = LazyLock::new(|| fmp4(2).into());

async fn exchange(config: ExchangeConfig) -> Exchange {
    let readers = outboard::pipeline::exchange::Readers::default();
    Exchange::start(config, "s", Box::new(FragmentFramer), readers, &CancellationToken::new()).await.expect("it starts")
}

async fn connected(processor: &Processor) -> Exchange {
    exchange(ExchangeConfig::new(processor.url())).await
}

fn submit(exchange: &Exchange, batch: u64, audio: Audio) -> Pending {
    let fragment = Fragment {
        id: format!("s-{batch}"),
        stream_id: "s".to_owned(),
        batch,
        pts_us: 0,
        duration_us: 2_000_000,
        codec: "aac".to_owned(),
        sample_rate_hz: 48_000,
        channels: 2,
        content_type: "audio/mp4".to_owned(),
        file_name: "audio.fmp4".to_owned(),
        created_ms: 0,
        now_ms: 0,
        attempt: 0,
    };
    exchange.submit(Outgoing { fragment, audio, format: exchange.audio_format() })
}

fn small(exchange: &Exchange, batch: u64) -> Pending {
    submit(exchange, batch, Audio::Bytes(SMALL.clone()))
}

async fn returned(pending: Pending) -> Returned {
    match timeout(PATIENCE, pending).await.expect("an answer in time") {
        Reply::Returned(returned) => returned,
        Reply::Absent(absence) => panic!("no audio: {absence}"),
    }
}

async fn status(exchange: &Exchange, what: impl FnMut(&ExchangeStatus) -> bool) -> ExchangeStatus {
    timeout(PATIENCE, exchange.watch().wait_for(what)).await.expect("in time").expect("it runs").clone()
}

/// A test for each kind of server.
macro_rules! with_each_server {
    ($($name:ident),* $(,)?) => {
        mod node {
            use super::ServerKind::Node;
            $(#[tokio::test] async fn $name() { super::$name(Node).await; })*
        }
        mod python {
            use super::ServerKind::Python;
            $(#[tokio::test] async fn $name() { super::$name(Python).await; })*
        }
    };
}

with_each_server![
    every_byte_comes_back,
    a_reply_may_hold_binary_at_any_depth,
    an_ack_that_the_server_asks_for_is_sent,
    replies_are_matched_in_any_order,
    of_several_replies_one_counts,
    a_lost_connection_costs_no_fragment,
    namespace_auth_and_headers_arrive,
    a_refusal_is_told_and_tried_again,
    a_server_without_websocket_is_named_with_its_own_answer,
    what_came_instead_of_a_reply_is_named,
    what_is_too_large_is_not_sent,
    pings_are_answered,
];

async fn every_byte_comes_back(kind: ServerKind) {
    let mut processor = Processor::start(kind, "echo", &[]).await;
    let exchange = connected(&processor).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audio.wav");
    let large = wav(30);
    assert!(large.len() > 5_000_000);
    std::fs::write(&path, &large).unwrap();
    // Large and small fragments in flight together: frames of two packets must not mix.
    let pending: Vec<_> = (0..6)
        .map(|batch| match batch % 2 {
            0 => (submit(&exchange, batch, Audio::File(path.clone())), "wav", large.as_slice()),
            _ => (small(&exchange, batch), "fmp4", &SMALL[..]),
        })
        .collect();
    for (pending, container, sent) in pending {
        let returned = returned(pending).await;
        assert!(returned.audio == sent, "the bytes are the same");
        assert_eq!(returned.probe.container.name(), container);
        assert!(returned.metadata["processingTime"].is_number(), "{}", returned.metadata);
        assert_eq!(returned.attempts, 1);
    }
    for _ in 0..6 {
        let fragment = processor.saw("fragment").await;
        assert_eq!(fragment["buffer"], true, "binary arrives as binary: {fragment}");
    }
    let counters = exchange.status().counters;
    assert_eq!((counters.sent, counters.replies, counters.connects, counters.disconnects), (6, 6, 1, 0));
    assert!(counters.bytes > 3 * large.len() as u64);
    exchange.shutdown().await;
    processor.saw("disconnect").await;
}

async fn a_reply_may_hold_binary_at_any_depth(kind: ServerKind) {
    let processor = Processor::start(kind, "nested", &[]).await;
    let exchange = connected(&processor).await;
    assert_eq!(returned(small(&exchange, 0)).await.audio, *SMALL);
}

async fn an_ack_that_the_server_asks_for_is_sent(kind: ServerKind) {
    let mut processor = Processor::start(kind, "ack", &[]).await;
    let exchange = connected(&processor).await;
    returned(small(&exchange, 0)).await;
    let acked = processor.saw("acked").await;
    assert_eq!(acked.get("error").unwrap_or(&json!(null)), &json!(null), "{acked}");
}

async fn replies_are_matched_in_any_order(kind: ServerKind) {
    let processor = Processor::start(kind, "out-of-order", &["count=3"]).await;
    let exchange = connected(&processor).await;
    // Different lengths distinguish the replies.
    let audio: Vec<Bytes> = (1..=3).map(|seconds| fmp4(seconds).into()).collect();
    let pending: Vec<_> =
        (0..).zip(&audio).map(|(batch, audio)| submit(&exchange, batch, Audio::Bytes(audio.clone()))).collect();
    let mut round_trips = Vec::new();
    for (pending, audio) in pending.into_iter().zip(&audio) {
        let returned = returned(pending).await;
        assert!(returned.audio == *audio, "each its own");
        round_trips.push(returned.round_trip);
    }
    assert!(round_trips.is_sorted_by(|a, b| a > b), "the first sent was the last answered: {round_trips:?}");
}

async fn of_several_replies_one_counts(kind: ServerKind) {
    let processor = Processor::start(kind, "duplicate", &[]).await;
    let exchange = connected(&processor).await;
    returned(small(&exchange, 0)).await;
    let status = status(&exchange, |status| status.counters.duplicates == 2).await;
    assert_eq!((status.counters.replies, status.counters.unknown, status.counters.late), (1, 0, 0));
}

async fn a_lost_connection_costs_no_fragment(kind: ServerKind) {
    let mut processor = Processor::start(kind, "disconnect", &[]).await;
    let exchange = connected(&processor).await;
    let pending: Vec<_> = (0..3).map(|batch| small(&exchange, batch)).collect();
    for pending in pending {
        let returned = returned(pending).await;
        assert!(returned.attempts <= 2 && returned.audio == *SMALL);
    }
    // The same id again, as the second attempt.
    let first = processor.saw("fragment").await;
    assert_eq!((&first["id"], &first["attempt"]), (&json!("s-0"), &json!(0)));
    while processor.saw("fragment").await
        != json!({"event": "fragment", "id": "s-0", "attempt": 1, "buffer": true, "length": SMALL.len()})
    {}
    let counters = exchange.status().counters;
    assert_eq!((counters.connects, counters.disconnects, counters.replies), (2, 1, 3));
    assert!((1..=3).contains(&counters.resent), "{counters:?}");
}

async fn namespace_auth_and_headers_arrive(kind: ServerKind) {
    let mut processor = Processor::start(kind, "echo", &["namespace=/audio", "token=right"]).await;
    let config = ExchangeConfig {
        auth: Some(json!({"token": "right", "nested": {"a": [1]}})),
        headers: vec![("X-Stream-ID".to_owned(), "s".to_owned())],
        query: vec![("room".to_owned(), "a b".to_owned())],
        ..ExchangeConfig::new(format!("{}/audio", processor.url()))
    };
    let exchange = exchange(config).await;
    assert_eq!(returned(small(&exchange, 0)).await.audio, *SMALL);
    let connection = processor.saw("connection").await;
    assert_eq!(connection["headers"]["x-stream-id"], "s");
    assert_eq!(connection["auth"], json!({"token": "right", "nested": {"a": [1]}}));
    if kind == ServerKind::Node {
        assert_eq!((&connection["query"]["room"], &connection["transport"]), (&json!("a b"), &json!("websocket")));
    }
}

async fn a_refusal_is_told_and_tried_again(kind: ServerKind) {
    let processor = Processor::start(kind, "echo", &["token=right"]).await;
    let config = ExchangeConfig { auth: Some(json!({"token": "wr0ng"})), ..ExchangeConfig::new(processor.url()) };
    let exchange = exchange(config).await;
    let pending = small(&exchange, 0);
    let status = status(&exchange, |status| status.counters.connect_failures >= 2).await;
    let problem = status.problem.expect("a problem");
    assert_eq!(problem, "the processor refused the connection to namespace /: wrong token");
    assert!(!status.connected);
    assert!(matches!(pending.give_up(), Reply::Absent(Absence::Disconnected)));
}

async fn what_came_instead_of_a_reply_is_named(kind: ServerKind) {
    for (mode, words) in [
        ("by-ack", "answered by a Socket.IO ack (1 arguments); a reply must be an event"),
        ("exception", "the processor emitted `exception` [{"),
    ] {
        let processor = Processor::start(kind, mode, &[]).await;
        let patience = Some(Duration::from_secs(1));
        let exchange =
            exchange(ExchangeConfig { fragment_timeout: patience, ..ExchangeConfig::new(processor.url()) }).await;
        let reply = timeout(PATIENCE, small(&exchange, 0)).await.expect("an answer in time");
        let Reply::Absent(Absence::Unanswered(why)) = reply else { panic!("{mode}: {reply:?}") };
        assert!(why.contains(words), "{mode}: {why}");
        assert_eq!(why.contains("no model"), mode == "exception", "{why}");
    }
}

async fn a_server_without_websocket_is_named_with_its_own_answer(kind: ServerKind) {
    let processor = Processor::start(kind, "echo", &["transports=polling"]).await;
    let exchange = connected(&processor).await;
    let status = status(&exchange, |status| status.problem.is_some()).await;
    let words = match kind {
        ServerKind::Node => {
            ["answered HTTP 400 to the WebSocket upgrade", "Transport unknown", "offers no WebSocket transport"]
        }
        // Under ASGI the text "Invalid transport" is lost, and the web server sends a plain refusal.
        ServerKind::Python => {
            ["answered HTTP 403 to the WebSocket upgrade: ", "processor.headers", "allows the transport \"websocket\""]
        }
    };
    let problem = status.problem.expect("a problem");
    for words in words {
        assert!(problem.contains(words), "{words:?} in {problem}");
    }
}

async fn what_is_too_large_is_not_sent(kind: ServerKind) {
    let limit = match kind {
        ServerKind::Node => "maxHttpBufferSize=100000",
        ServerKind::Python => "max_http_buffer_size=100000",
    };
    let mut processor = Processor::start(kind, "echo", &[limit]).await;
    let exchange = connected(&processor).await;
    let large = submit(&exchange, 0, Audio::Bytes(vec![0; 100_001].into()));
    let Reply::Absent(Absence::TooLarge(reason)) = timeout(PATIENCE, large).await.unwrap() else { panic!("too large") };
    assert_eq!(reason, "100001 bytes in one frame; the processor's limit is 100000 (maxPayload)");
    // The same connection sends the next one.
    returned(small(&exchange, 1)).await;
    let status = exchange.status();
    assert_eq!((status.max_payload, status.counters.too_large), (Some(100_000), 1));
    assert_eq!((status.counters.connects, status.counters.disconnects), (1, 0));
    assert_eq!(processor.saw("fragment").await["id"], "s-1");
}

async fn pings_are_answered(kind: ServerKind) {
    // The server closes a connection that leaves a ping unanswered for 300 ms, and replies only after five pings.
    let settings: [&str; 3] = match kind {
        ServerKind::Node => ["pingInterval=100", "pingTimeout=300", "delay=1500"],
        ServerKind::Python => ["ping_interval=0.1", "ping_timeout=0.3", "delay=1500"],
    };
    let processor = Processor::start(kind, "echo", &settings).await;
    let exchange = connected(&processor).await;
    assert_eq!(returned(small(&exchange, 0)).await.attempts, 1);
    assert_eq!(exchange.status().counters.connects, 1);
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_begun_again() {
    let mut processor = Processor::start(ServerKind::Node, "kick", &[]).await;
    let exchange = connected(&processor).await;
    assert_eq!(returned(small(&exchange, 0)).await.attempts, 2);
    assert_eq!(processor.saw("disconnect").await["reason"], "server namespace disconnect");
}

#[tokio::test]
async fn a_processor_that_comes_later_or_comes_back_is_found() {
    let first = Processor::start(ServerKind::Node, "silent", &[]).await;
    let (url, port) = (first.url(), format!("port={}", first.port));
    let exchange = connected(&first).await;
    let pending = small(&exchange, 0);
    status(&exchange, |status| status.in_flight == 1).await;
    first.kill().await;
    status(&exchange, |status| !status.connected && status.counters.connect_failures > 0).await;
    let waiting = small(&exchange, 1);
    let second = Processor::start(ServerKind::Node, "echo", &[&port]).await;
    assert_eq!(second.url(), url);
    assert_eq!(returned(pending).await.attempts, 2);
    assert_eq!(returned(waiting).await.attempts, 1);
}

#[tokio::test]
async fn another_path_is_asked_for() {
    let processor = Processor::start(ServerKind::Node, "echo", &["path=/behind/proxy/"]).await;
    let config = ExchangeConfig { path: Some("/behind/proxy/".to_owned()), ..ExchangeConfig::new(processor.url()) };
    let exchange = exchange(config).await;
    returned(small(&exchange, 0)).await;
    // There is no Socket.IO server at the default path.
    let wrong = connected(&processor).await;
    let status = status(&wrong, |status| status.problem.is_some()).await;
    let problem = status.problem.unwrap();
    assert!(problem.contains("WebSocket upgrade") || problem.contains("no connection to"), "{problem}");
}

#[tokio::test]
async fn a_processor_that_may_not_be_reached_sees_no_connection() {
    let (four, six) = (CountingListener::at("127.0.0.2").await, CountingListener::at("::1").await);
    let (port, six_port) = (four.port(), six.port());
    for url in [
        format!("http://127.0.0.2:{port}/?token=SECRET"),
        format!("ws://inner.test:{port}/?token=SECRET"),
        format!("wss://user:SECRET@inner.test:{port}"),
        format!("http://0x7f.2:{port}"),
        format!("http://[::1]:{six_port}"),
        format!("https://six.test:{six_port}"),
    ] {
        let exchange = exchange(ExchangeConfig { guard: strict(), ..ExchangeConfig::new(url.clone()) }).await;
        let problem = status(&exchange, |status| status.problem.is_some()).await.problem.unwrap();
        assert!(problem.contains("the network policy") && !problem.contains("SECRET"), "{url}: {problem}");
        exchange.shutdown().await;
    }
    assert_eq!((four.came().await.0, six.came().await.0), (0, 0));
    let open = exchange(ExchangeConfig::new(format!("http://127.0.0.2:{port}"))).await;
    status(&open, |status| status.problem.is_some()).await;
    assert!(four.came().await.0 > 0, "whoever may gets through");
}

#[tokio::test]
async fn a_processor_is_found_by_the_guards_resolver() {
    let echo = Echo::start(EchoConfig::new(([127, 0, 0, 1], 0).into())).await.unwrap();
    let url = format!("http://processor.test:{}", echo.addr().port());
    let exchange = exchange(ExchangeConfig { guard: strict(), ..ExchangeConfig::new(url) }).await;
    assert_eq!(returned(small(&exchange, 0)).await.audio, *SMALL);
    exchange.shutdown().await;
}

/// A certificate authority and its certificate for localhost, made with openssl.
fn certificates(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let path = |name: &str| folder.join(name);
    let openssl = |args: &str| {
        let done =
            Command::new("openssl").args(args.split(' ')).current_dir(folder).output().expect("openssl is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca"));
    openssl(&format!("req {new_key} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(path("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem");
    (path("ca.pem"), path("server.pem"), path("server.key"))
}

#[tokio::test]
async fn tls_is_spoken_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, cert, key) = certificates(folder.path());
    let settings = [format!("cert={}", cert.display()), format!("key={}", key.display())];
    let processor = Processor::start(ServerKind::Node, "echo", &[&settings[0], &settings[1]]).await;
    assert!(processor.url().starts_with("https://localhost:"));
    let trusting = ExchangeConfig { ca_file: Some(ca), ..ExchangeConfig::new(processor.url()) };
    let exchange = exchange(trusting).await;
    assert_eq!(returned(small(&exchange, 0)).await.audio, *SMALL);
    // Without the authority's certificate there is no connection.
    let doubting = connected(&processor).await;
    let problem = status(&doubting, |status| status.problem.is_some()).await.problem.unwrap();
    assert!(problem.contains("certificate") && !problem.contains("connected"), "{problem}");
}
