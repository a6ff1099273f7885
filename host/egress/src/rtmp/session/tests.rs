//! What a server can do to a session; `tests/` tests complete sessions with nginx and a scripted server.

use tokio::io::{DuplexStream, duplex};

use super::super::reader::ChunkError;
use super::*;

const SHORT: Duration = Duration::from_millis(300);
const DIGEST: Form = Form::Digest(Place::First);
const PATIENCE: Patience = Patience { handshake: SHORT, command: SHORT, write: SHORT, ack: SHORT, close: SHORT };

/// A session and its other end; the pipe between them holds 64 KiB.
fn session() -> (Session, DuplexStream) {
    let (ours, theirs) = duplex(64 * 1024);
    let target = RtmpTarget {
        tls: false,
        host: "h".into(),
        port: 1935,
        app: "live".into(),
        tc_url: "rtmp://h/live".into(),
        key: "key".into(),
        login: None,
    };
    (Session::new(Box::new(ours), &target, Need::default(), PATIENCE), theirs)
}

/// A control message from the server, on its own chunk stream, so that each has a full header.
async fn say(server: &mut DuplexStream, kind: u8, body: &[u8]) {
    let mut out = Vec::new();
    let head = Head { chunk_stream: CONTROL, kind, stream: 0, timestamp_ms: 0 };
    ChunkWriter::default().write(&mut out, head, &[body]);
    server.write_all(&out).await.unwrap();
}

async fn say_command(server: &mut DuplexStream, values: &[Value], amf3: bool) {
    let mut body = if amf3 { vec![0] } else { Vec::new() };
    amf::write(&mut body, values);
    say(server, if amf3 { 17 } else { 20 }, &body).await;
}

fn status(level: &str, code: &str) -> [Value; 4] {
    let text = |text: &str| Value::Text(text.to_owned());
    let info = Value::Object(vec![("level".into(), text(level)), ("code".into(), text(code))]);
    [text("onStatus"), Value::Number(0.0), Value::Null, info]
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let (mut session, mut server) = session();
    let error = within("handshake", SHORT, session.handshake(DIGEST)).await.unwrap_err();
    assert!(matches!(error, RtmpError::Timeout { during: "handshake", .. }), "{error}");
    server.write_all(b"HTTP/1.1 400 Bad Request").await.unwrap();
    let error = session.handshake(DIGEST).await.unwrap_err();
    assert!(matches!(error, RtmpError::Handshake(HandshakeError::Version(b'H'))), "{error}");
    drop(server);
    let error = session.handshake(DIGEST).await.unwrap_err();
    assert!(matches!(error, RtmpError::Handshake(HandshakeError::Closed { received: 0 })), "{error}");
}

#[tokio::test]
async fn a_server_that_takes_no_bytes_is_left() {
    let (mut session, server) = session();
    session.push(TagKind::Video, 0, &[&[0; 100_000]]);
    assert!(session.buffered() > 100_000);
    let error = session.flush().await.unwrap_err();
    assert_eq!(error.to_string(), "the server made no progress during writing for 0 s");
    drop(server);
    let error = session.flush().await.unwrap_err();
    assert!(matches!(error, RtmpError::Io { during: "writing", .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_stops_acknowledging_is_left() {
    let (mut session, mut server) = session();
    say(&mut server, 3, &3_500u32.to_be_bytes()).await;
    session.push(TagKind::Audio, 0, &[&[0; 4_000]]);
    session.flush().await.unwrap();
    session.incoming().await.unwrap();
    assert_eq!(session.acked(), Some(427));
    let wait = async || tokio::time::sleep(2 * SHORT).await;
    wait().await;
    // One unacknowledged window is allowed...
    session.push(TagKind::Audio, 1, &[&[0; 10]]);
    // ...but not several.
    assert!(matches!(session.flush().await, Err(RtmpError::Timeout { during: "acknowledging", .. })));
    say(&mut server, 3, &4_000u32.to_be_bytes()).await;
    session.incoming().await.unwrap();
    session.push(TagKind::Audio, 2, &[&[0; 10]]);
    session.flush().await.unwrap();
}

#[tokio::test]
async fn what_a_server_asks_for_is_given() {
    let (mut session, mut server) = session();
    // Chunk size, ping, a window of one byte, an unknown event, peer bandwidth, an unknown message.
    say(&mut server, 1, &4096u32.to_be_bytes()).await;
    say(&mut server, 4, &[0, 6, 1, 2, 3, 4]).await;
    say(&mut server, 5, &1u32.to_be_bytes()).await;
    say(&mut server, 4, &[0, 0, 0, 0, 0, 1]).await;
    say(&mut server, 6, &[0, 0, 0, 1, 2]).await;
    say(&mut server, 99, b"?").await;
    session.incoming().await.unwrap();
    say_command(&mut server, &[Value::Text("onBWDone".into()), Value::Number(0.0)], true).await;
    say_command(&mut server, &status("status", "NetStream.Publish.Info"), false).await;
    session.incoming().await.unwrap();
    session.flush().await.unwrap();
    let mut reader = ChunkReader::default();
    let mut bytes = vec![0; 1000];
    let read = server.read(&mut bytes).await.unwrap();
    reader.feed(&bytes[..read]);
    let pong = reader.next_message().unwrap().unwrap();
    assert_eq!((pong.kind, pong.body), (4, &[0, 7, 1, 2, 3, 4][..]));
    let ack = reader.next_message().unwrap().unwrap();
    assert_eq!((ack.kind, ack.body.len()), (3, 4));
}

#[tokio::test]
async fn what_ends_a_session_is_told_apart() {
    for (values, amf3, want) in [
        (status("error", "NetStream.Failed").to_vec(), false, "the server refused publishing: NetStream.Failed "),
        (
            status("status", "NetStream.Publish.BadName").to_vec(),
            true,
            "the server refused publishing: NetStream.Publish.BadName ",
        ),
        (status("error", "Stream busy").to_vec(), false, "the stream is busy: Stream busy "),
        (vec![Value::Text("close".into())], false, "the server closed the connection during publishing"),
    ] {
        let (mut session, mut server) = session();
        say_command(&mut server, &values, amf3).await;
        assert_eq!(session.incoming().await.unwrap_err().to_string(), want);
    }
    let (mut confused, mut server) = session();
    server.write_all(&[0xC5, 0]).await.unwrap();
    assert!(matches!(confused.incoming().await, Err(RtmpError::Chunk(ChunkError::NoStart(5)))));
    let (mut left, server) = session();
    drop(server);
    assert!(matches!(left.incoming().await, Err(RtmpError::Closed { during: "publishing" })));
}

#[tokio::test]
async fn answers_that_are_none_are_refused() {
    let text = |text: &str| Value::Text(text.to_owned());
    let (mut session, mut server) = session();
    let answer = [text("_result"), Value::Number(4.0), Value::Null, text("not a number")];
    say_command(&mut server, &answer, false).await;
    let error = session.create_stream().await.unwrap_err();
    assert!(matches!(error, RtmpError::Refused { command: "createStream", .. }), "{error}");
    // `close` instead of a response; commands before it are not responses.
    say_command(&mut server, &[text("onBWDone"), Value::Number(5.0)], false).await;
    say_command(&mut server, &status("status", "NetStream.Publish.Idle"), false).await;
    say_command(&mut server, &[text("close")], false).await;
    let error = session.publish().await.unwrap_err();
    assert!(matches!(error, RtmpError::Closed { during: "publish" }), "{error}");
    // The wait for a server that never closes its side is limited.
    session.close().await;
    drop(server);
}
