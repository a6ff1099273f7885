use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::*;
use crate::config::ExchangeConfig;
use crate::fake::{Peer, Script};
use crate::limits::EXCHANGE_FRAME_MAX_BYTES;

const LONG: Duration = Duration::from_secs(60);

fn endpoint(url: &str) -> Endpoint {
    Endpoint::new(&ExchangeConfig::new(url)).unwrap()
}

async fn connected(silence: Duration) -> (Connection, Peer) {
    let (script, url) = Script::new().await;
    let endpoint = endpoint(&url);
    let (connection, peer) = tokio::join!(Connection::connect(&endpoint), script.accept(silence));
    (connection.unwrap(), peer)
}

fn message(event: &str, arguments: &str, attachments: &[Bytes]) -> Message {
    Message { event: event.to_owned(), arguments: arguments.to_owned(), attachments: attachments.to_vec() }
}

async fn closed(connection: &mut Connection) -> String {
    loop {
        if let Incoming::Closed(closed) = connection.next().await {
            return closed.to_string();
        }
    }
}

#[tokio::test]
async fn pings_and_acks_are_answered_without_anybody_asking() {
    let (mut connection, mut peer) = connected(LONG).await;
    peer.say("2").await;
    assert_eq!(peer.hear().await.as_deref(), Some("3"));
    peer.say("2probe").await;
    assert_eq!(peer.hear().await.as_deref(), Some("3probe"));
    peer.say(r#"4212["status",{"load":1}]"#).await;
    assert_eq!(peer.hear().await.as_deref(), Some("4312[]"));
    assert_eq!(connection.next().await, Incoming::Message(message("status", r#"[{"load":1}]"#, &[])));
}

#[tokio::test]
async fn the_last_message_of_a_fragment_asks_for_an_ack() {
    let (mut connection, mut peer) = connected(LONG).await;
    connection.emit_asking(vec![message("e", "[]", &[]), message("f", "[1]", &[Bytes::from_static(b"x")])], 7).unwrap();
    assert_eq!(peer.hear().await.as_deref(), Some("42[\"e\"]"));
    assert_eq!(peer.hear().await.as_deref(), Some("451-7[\"f\",1]"));
    assert!(peer.socket.next().await.unwrap().unwrap().is_binary());
    peer.say("437[]").await;
    assert_eq!(connection.next().await, Incoming::Ack { id: 7, arguments: 0 });
    peer.say("461-7[{\"data\":{\"_placeholder\":true,\"num\":0}},null]").await;
    peer.send(b"audio").await;
    assert_eq!(connection.next().await, Incoming::Ack { id: 7, arguments: 2 });
}

#[tokio::test]
async fn binary_is_carried_at_any_depth_both_ways() {
    let (mut connection, mut peer) = connected(LONG).await;
    let arguments = r#"[{"a":[{"_placeholder":true,"num":1}],"b":{"_placeholder":true,"num":0}}]"#;
    let attachments = [Bytes::from_static(b"zero"), Bytes::from_static(b"one")];
    let (bytes, receipt) = connection.emit(vec![message("e", arguments, &attachments)]).unwrap();
    let text = peer.hear().await.unwrap();
    assert_eq!(text, format!(r#"452-["e",{}"#, &arguments[1..]));
    assert_eq!(bytes, text.len() as u64 + 7);
    for attachment in &attachments {
        assert_eq!(peer.socket.next().await.unwrap().unwrap().into_data(), *attachment);
    }
    peer.say(&text).await;
    peer.send(b"zero").await;
    peer.send(b"one").await;
    assert_eq!(connection.next().await, Incoming::Message(message("e", arguments, &attachments)));
    assert!(receipt.written_at().is_some());
}

#[tokio::test]
async fn the_frames_of_a_packet_stay_together() {
    let (connection, mut peer) = connected(LONG).await;
    let large = Bytes::from(vec![7; 1 << 20]);
    for _ in 0..5 {
        // Pings request answers from the reader while the writer is busy with large packets.
        peer.say("2").await;
        connection.emit(vec![message("e", "[]", &[large.clone(), large.clone()]), message("f", "[]", &[])]).unwrap();
    }
    let (mut packets, mut pongs) = (0, 0);
    while packets < 10 || pongs < 5 {
        match peer.hear().await.unwrap().as_str() {
            "3" => pongs += 1,
            "42[\"f\"]" => packets += 1,
            "452-[\"e\"]" => {
                packets += 1;
                for _ in 0..2 {
                    assert!(peer.socket.next().await.unwrap().unwrap().is_binary());
                }
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_never_pings_is_dead() {
    let (mut connection, mut peer) = connected(Duration::from_millis(80)).await;
    peer.say("2").await;
    assert_eq!(peer.hear().await.as_deref(), Some("3"));
    // Other frames do not count as pings.
    let chatter = async {
        for _ in 0..100 {
            peer.say("6").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        reason = closed(&mut connection) => assert_eq!(reason, "the processor sent no ping for 80 ms"),
        () = chatter => panic!("alive after a second without a ping"),
    }
    assert_eq!(closed(&mut connection).await, "the processor sent no ping for 80 ms", "and stays so");
}

#[tokio::test]
async fn every_end_has_its_reason() {
    for (text, reason) in [
        ("41", "the processor ended the session (DISCONNECT)"),
        ("1", "the processor closed the connection"),
        ("x", "the processor broke the protocol: an unknown text frame arrived"),
        ("0{}", "the processor broke the protocol: an unknown text frame arrived"),
        ("4x", "the processor broke the protocol: unknown packet type"),
        ("42{}", "the processor broke the protocol: an event is a JSON array that starts with its name"),
        ("4599-[]", "the processor broke the protocol: bad attachment count (the limit is 16)"),
    ] {
        let (mut connection, mut peer) = connected(LONG).await;
        // Frames to ignore: another namespace, an ack without an id, a second CONNECT, Engine.IO's noop.
        for nothing in ["42/other,[\"e\"]", "43[]", "40{}", "6"] {
            peer.say(nothing).await;
        }
        peer.say(text).await;
        match connection.next().await {
            Incoming::Closed(closed) => assert_eq!(closed.to_string(), reason, "{text}"),
            other => panic!("{other:?} concerns nobody"),
        }
    }
    let (mut connection, mut peer) = connected(LONG).await;
    peer.send(b"stray").await;
    assert!(closed(&mut connection).await.contains("a binary frame arrived that belongs to no packet"));
    let (mut connection, mut peer) = connected(LONG).await;
    peer.say("452-[\"e\"]").await;
    peer.say("2").await;
    peer.say("42[\"e\"]").await;
    assert!(closed(&mut connection).await.contains("2 attachments of the previous packet were missing"));
}

#[tokio::test]
async fn closing_tells_its_code_and_a_lost_network_its_error() {
    let (mut connection, mut peer) = connected(LONG).await;
    peer.socket.close(Some(CloseFrame { code: 1009.into(), reason: "too big".into() })).await.unwrap();
    assert_eq!(closed(&mut connection).await, "the processor closed the connection with code 1009 \"too big\"");
    let (mut connection, mut peer) = connected(LONG).await;
    peer.socket.close(None).await.unwrap();
    assert_eq!(closed(&mut connection).await, "the processor closed the connection");
    let (mut connection, peer) = connected(LONG).await;
    drop(peer);
    assert!(closed(&mut connection).await.starts_with("the connection broke: "));
}

#[tokio::test]
async fn what_is_larger_than_we_take_ends_the_connection() {
    let (mut connection, mut peer) = connected(LONG).await;
    peer.say("451-[\"e\"]").await;
    let large = Bytes::from(vec![0; EXCHANGE_FRAME_MAX_BYTES + 1]);
    // The client stops reading at the length, so the sending may never end.
    let reason = tokio::select! {
        reason = closed(&mut connection) => reason,
        () = async { peer.socket.send(WsMessage::binary(large)).await.unwrap(); std::future::pending().await } => "".to_owned(),
    };
    assert!(reason.starts_with("the processor broke the protocol: "), "{reason}");
}

#[tokio::test]
async fn what_does_not_fit_is_not_sent() {
    let (script, url) = Script::new().await;
    let endpoint = endpoint(&url);
    let (connection, mut peer) = tokio::join!(Connection::connect(&endpoint), script.accept_limited(LONG, 100));
    let connection = connection.unwrap();
    assert_eq!(connection.max_payload(), Some(100));
    let fits = message("e", "[]", &[Bytes::from(vec![0; 100])]);
    let large = message("e", "[]", &[Bytes::from(vec![0; 101])]);
    let long = message(&"e".repeat(100), "[]", &[]);
    let refused = |messages: Vec<Message>| connection.emit(messages).unwrap_err();
    assert_eq!(refused(vec![fits.clone(), large]), EmitError::TooLarge { bytes: 101, limit: 100 });
    assert_eq!(refused(vec![long]), EmitError::TooLarge { bytes: 106, limit: 100 });
    assert!(matches!(refused(vec![fits.clone(), message("e", "{", &[])]), EmitError::Invalid(_)));
    // Nothing of the refused messages was sent, and the connection works.
    connection.emit(vec![fits]).unwrap();
    assert_eq!(peer.hear().await.as_deref(), Some("451-[\"e\"]"));
}

#[tokio::test]
async fn a_server_that_does_not_read_is_told_apart() {
    let (connection, peer) = connected(LONG).await;
    let large = message("e", "[]", &[Bytes::from(vec![0; 1 << 20])]);
    let stuck = (0..10_000).find_map(|_| connection.emit(vec![large.clone()]).err());
    assert_eq!(stuck, Some(EmitError::Closed(Closed::Stuck(EXCHANGE_WRITE_QUEUE_PACKETS))));
    let started = Instant::now();
    connection.close().await;
    assert!(started.elapsed() < EXCHANGE_CLOSE_TIMEOUT * 3, "closing is bounded");
    drop(peer);
}

#[tokio::test]
async fn closing_leaves_the_namespace_first() {
    let (connection, mut peer) = connected(LONG).await;
    let (heard, ()) = tokio::join!(async { (peer.hear().await, peer.hear().await) }, connection.close(),);
    assert_eq!(heard, (Some("41".to_owned()), None));
}

#[tokio::test]
async fn a_writer_that_fails_is_the_end() {
    let (mut connection, peer) = connected(LONG).await;
    let large = message("e", "[]", &[Bytes::from(vec![0; 8 << 20])]);
    connection.emit(vec![large]).unwrap();
    drop(peer);
    let reason = closed(&mut connection).await;
    assert!(reason.starts_with("the connection broke: ") || reason.starts_with("the processor closed"), "{reason}");
    connection.close().await;
}

// === handshake ===

/// The client's error for a server that sends only these frames in the handshake.
async fn handshake(frames: Vec<WsMessage>) -> String {
    let (script, url) = Script::new().await;
    let endpoint = endpoint(&url);
    let server = async {
        let mut peer = script.upgrade().await;
        for frame in frames {
            // The client may have closed the connection already.
            let _ = peer.socket.send(frame).await;
        }
        peer
    };
    let (connection, _peer) = tokio::join!(Connection::connect(&endpoint), server);
    connection.expect_err("no connection").to_string()
}

#[tokio::test]
async fn a_handshake_that_is_none_is_told() {
    let text = |text: &str| WsMessage::text(text.to_owned());
    let open = r#"0{"sid":"e","pingInterval":25000,"pingTimeout":20000}"#;
    let cases = [
        (vec![text("hello\n\u{1b}[31m")], "expected Engine.IO's open as the first frame, got \"hello [31m\""),
        (vec![text("40")], "expected Engine.IO's open as the first frame, got \"40\""),
        (vec![text("0{}")], "missing field `sid` at line 1 column 2"),
        (vec![text(open), text("5")], "expected Socket.IO's answer to CONNECT, got \"5\""),
        (vec![text(open), text("4x")], "unknown packet type"),
        (vec![text(open), text("42[\"e\"]")], "another packet arrived instead of the answer to CONNECT"),
        (vec![text(open), text("40/other,{}")], "another packet arrived instead of the answer to CONNECT"),
        (vec![text(open), text("1")], "it closed the session during the handshake"),
        (vec![WsMessage::binary(vec![1])], "a binary frame arrived during the handshake"),
        (vec![WsMessage::Ping(Bytes::new()), WsMessage::Close(None)], "it closed the connection during the handshake"),
        (
            vec![WsMessage::Close(Some(CloseFrame { code: 1008.into(), reason: "no\nroom".into() }))],
            "it closed the connection during the handshake: no room",
        ),
    ];
    for (frames, reason) in cases {
        assert_eq!(handshake(frames).await, format!("the processor does not speak Socket.IO v4: {reason}"));
    }
    let refused = vec![text(open), text("2"), text("6"), text(r#"44{"message":"wrong token"}"#)];
    assert_eq!(handshake(refused).await, "the processor refused the connection to namespace /: wrong token");
    let long = vec![text(open), text(&format!("44{}", json!({"message": "x".repeat(100_000)})))];
    assert!(handshake(long).await.len() < 2 * EXCHANGE_TEXT_MAX_BYTES);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let (script, url) = Script::new().await;
    let mut config = ExchangeConfig::new(url);
    config.connect_timeout = Duration::from_secs(2);
    let endpoint = Endpoint::new(&config).unwrap();
    let (connection, _peer) = tokio::join!(Connection::connect(&endpoint), script.upgrade());
    let error = connection.err().unwrap().to_string();
    assert_eq!(error, format!("{} did not answer the Socket.IO handshake within 2s", endpoint.server()));
    // The server does not answer the handshake.
    let (connection, _raw) = tokio::join!(Connection::connect(&endpoint), script.raw());
    let error = connection.err().unwrap().to_string();
    assert_eq!(error, format!("{} did not answer the connection attempt within 2s", endpoint.server()));
}

#[tokio::test]
async fn what_is_no_socket_io_server_is_named_with_its_answer() {
    let (script, url) = Script::new().await;
    let endpoint = endpoint(&url);
    let server = async {
        let mut raw = script.raw().await;
        let mut request = [0; 4096];
        let length = raw.read(&mut request).await.unwrap();
        raw.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    let (connection, request) = tokio::join!(Connection::connect(&endpoint), server);
    assert!(request.starts_with("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"), "{request}");
    let error = connection.err().unwrap().to_string();
    assert!(error.starts_with(&format!("{} answered HTTP 404 to the WebSocket upgrade", endpoint.server())), "{error}");
    drop(script);
    let error = Connection::connect(&endpoint).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("no connection to {}: ", endpoint.server())), "{error}");
}
