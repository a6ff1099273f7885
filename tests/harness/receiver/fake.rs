//! A scripted RTMP server, for faults that nginx does not produce. Built on `rml_rtmp`'s chunk layer, so that
//! independent code reads what our client writes.

mod login;
mod opening;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rml_amf0::Amf0Value;
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::messages::{MessagePayload, RtmpMessage, UserControlEventType};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use self::login::Login;
pub use self::opening::Opening;
use super::packets::{Recording, key_picture};
use outboard::media::flv::TagKind;

/// Bytes received between two acknowledgements that the server sends.
pub const ACK_EVERY: u64 = 20_000;
const HANDSHAKE_BYTES: u64 = 3073;

/// How the server counts acknowledged bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// It sends no acknowledgements.
    Never,
    /// From the end of the handshake, as nginx-rtmp does.
    Total,
    /// From the first byte, as SRS does.
    WithHandshake,
    /// From the last acknowledgement.
    SinceLast,
}

/// The behaviour of one session.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// How the connection opens.
    pub opening: Opening,
    /// Which bytes the server's acknowledgements count.
    pub acks: Acks,
    /// No acknowledgement is sent after this many bytes.
    pub acks_end: Option<u64>,
    /// Whether `connect` is refused.
    pub refuse_connect: bool,
    /// `connect` is refused without this login.
    pub login: Option<Login>,
    /// FourCCs that the answer to `connect` names; without any it has no such property.
    pub four_ccs: &'static [&'static str],
    /// `publish` is answered with this code.
    pub refuse_publish: Option<&'static str>,
    /// The connection is closed in response to this command.
    pub close_on: Option<&'static str>,
    /// This command gets no response.
    pub mute_on: Option<&'static str>,
    /// The connection is closed after this many received bytes, also within a message.
    pub close_after: Option<u64>,
    /// Nothing is read after this many bytes.
    pub stall_after: Option<u64>,
    /// The connection is closed when nothing arrives for this long, as SRS does.
    pub close_idle: Option<Duration>,
    /// After `publish`, sends all kinds of messages that a client must accept, then this status, if any.
    pub status: Option<(&'static str, &'static str)>,
}

/// A server without faults.
pub const GOOD: Script = Script {
    opening: Opening::Digest,
    acks: Acks::Total,
    acks_end: None,
    refuse_connect: false,
    login: None,
    four_ccs: &[],
    refuse_publish: None,
    close_on: None,
    mute_on: None,
    close_after: None,
    stall_after: None,
    close_idle: None,
    status: None,
};

/// The record of one session.
#[derive(Debug, Default, Clone)]
pub struct Log {
    /// Names of commands, in order.
    pub commands: Vec<String>,
    /// `app` and `tcUrl` of connect, and the name that was published.
    pub names: Vec<String>,
    /// The properties of connect.
    pub properties: Vec<String>,
    /// Media packets and sequence headers that the session received.
    pub recording: Recording,
    /// When each media message arrived.
    pub times: Vec<Instant>,
    /// When each key frame arrived, and its digest.
    pub keys: Vec<(Instant, [u8; 8])>,
    /// Number of answered pings.
    pub pongs: u32,
    /// Whether the client ended the connection.
    pub ended: bool,
}

/// A server at `rtmp://127.0.0.1:<port>/live/<key>`; ends on drop.
pub struct FakeServer {
    port: u16,
    logs: Arc<Mutex<Vec<Log>>>,
    _tasks: JoinSet<()>,
}

impl FakeServer {
    /// Starts a server; `script` defines the behaviour of each session (from 0).
    pub async fn start(script: impl Fn(usize) -> Script + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let logs = Arc::<Mutex<Vec<Log>>>::default();
        let mut tasks = JoinSet::new();
        let shared = logs.clone();
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut logs = shared.lock().expect("logs");
                    logs.push(Log::default());
                    logs.len() - 1
                };
                let session = Session::new(script(number), number, shared.clone());
                sessions.spawn(async move { session.run(stream).await.unwrap_or(()) });
            }
        });
        Self { port, logs, _tasks: tasks }
    }

    /// The URL for publishing under a key.
    pub fn url(&self, key: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{key}", self.port)
    }

    /// The records of all sessions so far.
    pub fn logs(&self) -> Vec<Log> {
        self.logs.lock().expect("logs").clone()
    }
}

struct Session {
    script: Script,
    number: usize,
    logs: Arc<Mutex<Vec<Log>>>,
    reader: ChunkDeserializer,
    writer: ChunkSerializer,
    out: Vec<u8>,
    received: u64,
    acked: u64,
    close: bool,
}

impl Session {
    fn new(script: Script, number: usize, logs: Arc<Mutex<Vec<Log>>>) -> Self {
        let (reader, writer) = (ChunkDeserializer::new(), ChunkSerializer::new());
        Self { script, number, logs, reader, writer, out: Vec::new(), received: 0, acked: 0, close: false }
    }

    async fn run(mut self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        let Some(mut rest) = self.script.opening.open(&mut stream).await? else { return Ok(()) };
        loop {
            self.received += rest.len() as u64;
            if self.script.close_after.is_some_and(|bytes| self.received > bytes) {
                return Ok(());
            }
            self.take(&rest);
            self.acknowledge();
            let out = std::mem::take(&mut self.out);
            stream.write_all(&out).await?;
            if self.close {
                return Ok(());
            }
            if self.script.stall_after.is_some_and(|bytes| self.received > bytes) {
                std::future::pending::<()>().await;
            }
            let patience = self.script.close_idle.unwrap_or(Duration::MAX);
            let Ok(read) = tokio::time::timeout(patience, stream.read(&mut buffer)).await else { return Ok(()) };
            let read = read?;
            if read == 0 {
                self.log(|log| log.ended = true);
                return Ok(());
            }
            rest = buffer[..read].to_vec();
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut input = bytes;
        while let Some(message) = self.reader.get_next_message(input).expect("whole chunks") {
            input = &[];
            let at = u64::from(message.timestamp.value);
            match message.type_id {
                8 => self.media(TagKind::Audio, at, &message.data),
                9 => self.media(TagKind::Video, at, &message.data),
                18 => self.log(|log| log.recording.take(TagKind::Script, at, &message.data)),
                _ => match message.to_rtmp_message().expect("a message") {
                    RtmpMessage::SetChunkSize { size } => {
                        self.reader.set_max_chunk_size(size as usize).expect("a chunk size");
                    }
                    RtmpMessage::UserControl { event_type: UserControlEventType::PingResponse, timestamp, .. } => {
                        assert_eq!(timestamp.map(|at| at.value), Some(77));
                        self.log(|log| log.pongs += 1);
                    }
                    RtmpMessage::Amf0Command { command_name, transaction_id, command_object, additional_arguments } => {
                        self.command(&command_name, transaction_id, command_object, &additional_arguments);
                    }
                    _ => {}
                },
            }
        }
    }

    fn media(&mut self, kind: TagKind, at: u64, body: &[u8]) {
        self.log(|log| {
            log.recording.take(kind, at, body);
            let now = Instant::now();
            log.times.push(now);
            log.keys.extend(key_picture(kind, body).map(|digest| (now, digest)));
        });
    }

    fn command(&mut self, name: &str, transaction: f64, object: Amf0Value, arguments: &[Amf0Value]) {
        self.log(|log| log.commands.push(name.to_owned()));
        if self.script.close_on == Some(name) {
            self.close = true;
            return;
        }
        if self.script.mute_on == Some(name) {
            return;
        }
        match name {
            "connect" => {
                let mut app = String::new();
                if let Amf0Value::Object(fields) = object {
                    self.log(|log| log.properties = fields.keys().cloned().collect());
                    for field in ["tcUrl", "app"] {
                        app = fields.get(field).cloned().and_then(Amf0Value::get_string).expect("a text");
                        let text = app.clone();
                        self.log(|log| log.names.insert(0, text));
                    }
                }
                if let Some(Err(description)) = self.script.login.map(|login| login.check(&app)) {
                    self.status("_error", transaction, "error", "NetConnection.Connect.Rejected", &description, 0);
                    self.close = true;
                    return;
                }
                self.send(RtmpMessage::WindowAcknowledgement { size: 100 }, 0);
                if self.script.refuse_connect {
                    self.status("_error", transaction, "error", "NetConnection.Connect.Rejected", "go away", 0);
                } else {
                    self.status("_result", transaction, "status", "NetConnection.Connect.Success", "welcome", 0);
                }
                self.reply("onBWDone", 0.0, vec![Amf0Value::Number(8192.0)], 0);
            }
            "createStream" => self.reply("_result", transaction, vec![Amf0Value::Number(1.0)], 0),
            "publish" => {
                let text = arguments.first().cloned().and_then(Amf0Value::get_string).expect("a name");
                self.log(|log| log.names.push(text));
                if let Some(code) = self.script.refuse_publish {
                    self.status("onStatus", 0.0, "error", code, "no", 1);
                    return;
                }
                self.reply("onFCPublish", 0.0, vec![], 0);
                self.status("onStatus", 0.0, "status", "NetStream.Publish.Start", "go", 1);
                let ping = RtmpMessage::UserControl {
                    event_type: UserControlEventType::PingRequest,
                    stream_id: None,
                    buffer_length: None,
                    timestamp: Some(RtmpTimestamp::new(77)),
                };
                self.send(ping, 0);
                self.reply("somethingNew", 0.0, vec![Amf0Value::Boolean(true)], 1);
                if let Some((level, code)) = self.script.status {
                    self.status("onStatus", 0.0, level, code, "as scripted", 1);
                }
            }
            _ => {}
        }
    }

    fn status(&mut self, name: &str, transaction: f64, level: &str, code: &str, description: &str, stream: u32) {
        let fields = [("level", level), ("code", code), ("description", description)];
        let fields = fields.map(|(name, text)| (name.to_owned(), Amf0Value::Utf8String(text.to_owned())));
        let mut fields: HashMap<_, _> = fields.into_iter().collect();
        if name == "_result" && !self.script.four_ccs.is_empty() {
            let names = self.script.four_ccs.iter().map(|name| Amf0Value::Utf8String((*name).to_owned()));
            fields.insert("fourCcList".to_owned(), Amf0Value::StrictArray(names.collect()));
        }
        self.reply(name, transaction, vec![Amf0Value::Object(fields)], stream);
    }

    fn reply(&mut self, name: &str, transaction: f64, additional_arguments: Vec<Amf0Value>, stream: u32) {
        let message = RtmpMessage::Amf0Command {
            command_name: name.to_owned(),
            transaction_id: transaction,
            command_object: Amf0Value::Null,
            additional_arguments,
        };
        self.send(message, stream);
    }

    fn send(&mut self, message: RtmpMessage, stream: u32) {
        let payload = MessagePayload::from_rtmp_message(message, RtmpTimestamp::new(0), stream).expect("a message");
        self.out.extend(self.writer.serialize(&payload, false, false).expect("chunks").bytes);
    }

    fn acknowledge(&mut self) {
        let since = self.received - self.acked;
        if since < ACK_EVERY || self.script.acks_end.is_some_and(|end| self.received > end) {
            return;
        }
        let sequence = match self.script.acks {
            Acks::Never => return,
            Acks::Total => self.received,
            Acks::WithHandshake => self.received + HANDSHAKE_BYTES,
            Acks::SinceLast => since,
        };
        self.acked = self.received;
        self.send(RtmpMessage::Acknowledgement { sequence_number: sequence as u32 }, 0);
    }

    fn log(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.logs.lock().expect("logs")[self.number]);
    }
}
