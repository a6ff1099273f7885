//! Test helpers: a framer in plain Rust, a scripted server for faults that real servers do not produce on demand, and a
//! tone.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;

use super::heard::Heard;
use super::message_framer::*;
use super::reply::{Asked, Waiting};
use super::{Audio, ExchangeStatus, Outgoing, Pending, Reply, Returned};
use outboard_media::probe::probe;

/// Longest wait for an event that comes at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A reply of ten packets.
pub fn returned() -> Returned {
    let audio = tone(10);
    let (metadata, round_trip) = (Value::Null, Duration::from_millis(7));
    let probe = probe(&audio).unwrap();
    Returned { audio, probe, metadata, round_trip, attempts: 1, answered: Instant::now() }
}

/// A fragment that is sent to a connected processor.
pub fn pending() -> (OnItsWay, Pending) {
    let (_, status) = watch::channel(ExchangeStatus { connected: true, ..ExchangeStatus::default() });
    let asked = Asked { fragment: "tv-0".to_owned(), at: Instant::now(), heard: Heard::default() };
    let (waiting, pending) = Pending::new(Arc::default(), status, asked);
    (OnItsWay(waiting), pending)
}

/// The processor's side of [`pending`].
pub struct OnItsWay(Waiting);

impl OnItsWay {
    pub fn answer(self) {
        self.0.send(Reply::Returned(returned()));
    }

    /// Whether the caller stopped waiting early, which is not a failure of the processor.
    pub fn gave_up_early(&self) -> bool {
        self.0.is_closed() && self.0.gave_up_early()
    }

    pub fn given_up(&self) -> bool {
        self.0.is_closed()
    }
}

/// The `fragment` dialect, as far as the tests need it. Records its calls.
#[derive(Default, Clone)]
pub struct FakeFramer {
    pub seen: Arc<Mutex<Vec<String>>>,
    /// Whether the greeting waits for a message named `ready`.
    pub wait_for_ready: bool,
    pub fail_on: Option<&'static str>,
}

impl FakeFramer {
    fn note(&self, what: impl Into<String>) {
        self.seen.lock().unwrap().push(what.into());
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn check(&self, call: &str) -> Result<(), FramerError> {
        if self.fail_on == Some(call) { Err(FramerError(format!("told to fail in {call}"))) } else { Ok(()) }
    }
}

fn reference(body: &Value) -> Reference {
    match body["fragment"]["id"].as_str().or(body["fragmentId"].as_str()) {
        Some(id) => Reference::Id(id.to_owned()),
        None => Reference::Batch(body["fragment"]["batchNumber"].as_u64().unwrap_or(u64::MAX)),
    }
}

impl MessageFramer for FakeFramer {
    fn audio_format(&mut self) -> Answer<'_, AudioFormat> {
        Box::pin(async { self.check("audio_format").map(|()| AudioFormat::Fmp4) })
    }

    fn on_connect(&mut self, connection: Connection) -> Answer<'_, Greeting> {
        self.note(format!("connect {} {:?}", connection.attempt, connection.max_payload_bytes));
        Box::pin(async {
            self.check("on_connect")?;
            let hello = Message { event: "hello".to_owned(), arguments: "[]".to_owned(), attachments: vec![] };
            Ok(if self.wait_for_ready {
                Greeting { messages: vec![hello], ready: false }
            } else {
                Greeting { messages: vec![], ready: true }
            })
        })
    }

    fn encode(&mut self, fragment: Fragment, audio: Bytes) -> Answer<'_, Vec<Message>> {
        self.note(format!("encode {} attempt {}", fragment.id, fragment.attempt));
        Box::pin(async move {
            self.check("encode")?;
            if self.fail_on == Some("encode nothing") {
                return Ok(vec![]);
            }
            let facts = json!({"id": fragment.id, "batchNumber": fragment.batch});
            let body = json!([{"fragment": facts, "data": {"_placeholder": true, "num": 0}}]);
            let arguments = if self.fail_on == Some("encode badly") { "[".to_owned() } else { body.to_string() };
            Ok(vec![Message { event: "fragment:data".to_owned(), arguments, attachments: vec![audio] }])
        })
    }

    fn decode(&mut self, message: Message, _now_ms: u64) -> Answer<'_, Vec<Event>> {
        self.note(format!("message {}", message.event));
        Box::pin(async move {
            let arguments: Value = serde_json::from_str(&message.arguments).map_err(|e| FramerError(e.to_string()))?;
            let body = &arguments[0];
            let metadata = body["metadata"].to_string();
            Ok(match message.event.as_str() {
                "fragment:processed" => {
                    let num = usize::try_from(body["data"]["num"].as_u64().unwrap_or(99)).unwrap();
                    let audio = message.attachments.get(num).cloned().ok_or(FramerError("no audio".to_owned()))?;
                    vec![Event::Processed(Processed { fragment: reference(body), audio, metadata })]
                }
                "fragment:error" => vec![Event::Failed(Failure {
                    fragment: body["fragment"].is_object().then(|| reference(body)),
                    reason: body["error"].as_str().unwrap_or_default().to_owned(),
                    retryable: body["retryable"].as_bool().unwrap_or(false),
                })],
                "fragment:ack" => vec![Event::Acknowledged(reference(body))],
                "ready" => vec![Event::Ready],
                "pause" => vec![Event::Pause],
                "resume" => vec![Event::Resume],
                "slow" => vec![Event::SlowDown(u32::try_from(body.as_u64().unwrap()).unwrap())],
                "ask" => vec![Event::Reply(Message {
                    event: "told".to_owned(),
                    arguments: message.arguments,
                    attachments: message.attachments,
                })],
                "notes" => [Level::Debug, Level::Info, Level::Warn]
                    .map(|level| Event::Note(Note { level, text: "said".to_owned() }))
                    .to_vec(),
                "flood" => vec![Event::Acknowledged(Reference::Id("never sent".to_owned())); 1000],
                _ => vec![],
            })
        })
    }

    fn on_disconnect(&mut self, reason: String) -> Answer<'_, ()> {
        self.note(format!("disconnect {reason}"));
        Box::pin(async { self.check("on_disconnect") })
    }
}

/// A fragment of batch `n` with this audio.
pub fn fragment(batch: u64, audio: impl Into<Bytes>) -> Outgoing {
    Outgoing {
        fragment: Fragment {
            id: format!("s-{batch}"),
            stream_id: "s".to_owned(),
            batch,
            pts_us: 0,
            duration_us: 1_000_000,
            codec: "aac".to_owned(),
            sample_rate_hz: 48_000,
            channels: 2,
            content_type: "audio/mp4".to_owned(),
            file_name: "audio.fmp4".to_owned(),
            created_ms: 0,
            now_ms: 0,
            attempt: 0,
        },
        audio: Audio::Bytes(audio.into()),
        format: AudioFormat::Fmp4,
    }
}

/// A file that the probe accepts: `frames` ADTS frames of silence, 48 kHz stereo.
pub fn tone(frames: usize) -> Bytes {
    // Header, then an empty channel pair element.
    let frame = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0xbf, 0xfc, 0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];
    frame.repeat(frames).into()
}

/// A scripted server that accepts one connection at a time.
pub struct Script {
    listener: TcpListener,
}

/// A connection to the scripted server.
pub struct Peer {
    pub socket: WebSocketStream<TcpStream>,
}

impl Script {
    pub async fn new() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (Self { listener }, url)
    }

    /// Accepts a WebSocket and sends nothing.
    pub async fn upgrade(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.unwrap();
        Peer { socket: tokio_tungstenite::accept_async(stream).await.unwrap() }
    }

    /// Accepts a connection; the client expects a ping within `silence`.
    pub async fn accept(&self, silence: Duration) -> Peer {
        self.accept_limited(silence, 0).await
    }

    /// [`Self::accept`] with a `maxPayload`.
    pub async fn accept_limited(&self, silence: Duration, max_payload: u64) -> Peer {
        let mut peer = self.upgrade().await;
        let open = json!({"sid": "e", "upgrades": [], "pingInterval": u64::try_from(silence.as_millis()).unwrap(),
            "pingTimeout": 0, "maxPayload": max_payload});
        peer.say(&format!("0{open}")).await;
        assert_eq!(peer.hear().await.as_deref(), Some("40"));
        peer.say(r#"40{"sid":"s"}"#).await;
        peer
    }

    /// Accepts a raw TCP connection.
    pub async fn raw(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }
}

impl Peer {
    pub async fn say(&mut self, text: &str) {
        self.socket.send(WsMessage::text(text.to_owned())).await.unwrap();
    }

    pub async fn send(&mut self, frame: &'static [u8]) {
        self.send_bytes(Bytes::from_static(frame)).await;
    }

    pub async fn send_bytes(&mut self, frame: Bytes) {
        self.socket.send(WsMessage::binary(frame)).await.unwrap();
    }

    /// The next text; `None` at the end.
    pub async fn hear(&mut self) -> Option<String> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("the client says something");
        match next {
            Some(Ok(WsMessage::Text(text))) => Some(text.to_string()),
            Some(Ok(WsMessage::Close(_)) | Err(_)) | None => None,
            other => panic!("text is expected: {other:?}"),
        }
    }

    /// The next fragment: its id and its audio.
    pub async fn fragment(&mut self) -> Option<(String, Bytes)> {
        let text = self.hear().await?;
        let json = text.strip_prefix("451-").unwrap_or_else(|| panic!("a fragment is expected: {text}"));
        let json = json.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let body: Value = serde_json::from_str(json).unwrap();
        assert_eq!(body[0], "fragment:data");
        let id = body[1]["fragment"]["id"].as_str().unwrap().to_owned();
        match self.socket.next().await {
            Some(Ok(WsMessage::Binary(data))) => Some((id, data)),
            Some(Ok(WsMessage::Close(_)) | Err(_)) | None => None,
            other => panic!("its audio is expected: {other:?}"),
        }
    }

    /// Sends a reply to a fragment.
    pub async fn answer(&mut self, id: &str, audio: Bytes) {
        let body = json!(["fragment:processed", {"fragment": {"id": id}, "data": {"_placeholder": true, "num": 0}}]);
        self.say(&format!("451-{body}")).await;
        self.send_bytes(audio).await;
    }

    /// Sends a Socket.IO event with a JSON body to the client.
    pub async fn event(&mut self, name: &str, body: Value) {
        self.say(&format!("42{}", json!([name, body]))).await;
    }
}
