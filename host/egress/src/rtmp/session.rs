//! One publishing session with an RTMP server.
//!
//! In: tag bodies with their times; out: RTMP messages, buffered and written together by [`Session::flush`].
//! [`Session::incoming`] reads the server's responses; its acknowledgements show what it has received. Limits: a
//! timeout for every wait, and bounded messages from the server.
//!
//! Source: Adobe RTMP specification 1.0 sections 5 to 7; the order of the commands is that of FMLE, OBS and ffmpeg.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::acks::Acks;
use super::amf::{self, Value};
use super::answer::{Command, RtmpError};
use super::chunk::{AUDIO, COMMAND, CONTROL, ChunkWriter, DATA, Head, VIDEO};
use super::enhanced::{Need, Said, offer};
use super::handshake::{Form, Handshake, HandshakeError, Place};
use super::login::Dialogue;
use super::reader::ChunkReader;
use super::transport::{Io, TlsSettings, connect};
use crate::limits::{
    AIR_ACK_TIMEOUT, AIR_CLOSE_TIMEOUT, AIR_COMMAND_TIMEOUT, AIR_HANDSHAKE_TIMEOUT, AIR_WRITE_BYTES, AIR_WRITE_TIMEOUT,
    RTMP_ACK_WINDOW, RTMP_CHUNK_BYTES,
};
use crate::target::RtmpTarget;
use outboard_media::demux::Codec;
use outboard_media::flv::TagKind;
use outboard_net::Guard;

/// The time limits of a session.
#[derive(Debug, Clone, Copy)]
struct Patience {
    handshake: Duration,
    command: Duration,
    write: Duration,
    ack: Duration,
    close: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: AIR_HANDSHAKE_TIMEOUT,
            command: AIR_COMMAND_TIMEOUT,
            write: AIR_WRITE_TIMEOUT,
            ack: AIR_ACK_TIMEOUT,
            close: AIR_CLOSE_TIMEOUT,
        }
    }
}

/// A connection to an RTMP server that publishes one stream.
pub struct Session {
    io: Box<dyn Io>,
    patience: Patience,
    key: String,
    need: Need,
    said: Said,
    stream: u32,
    reader: ChunkReader,
    writer: ChunkWriter,
    out: Vec<u8>,
    input: Box<[u8]>,
    /// Bytes written since the handshake.
    written: u64,
    acks: Acks,
    acked_at: Instant,
    longest_step: u64,
    /// Bytes received since the handshake; the server's window for acknowledging them; the acknowledged bytes.
    received: u64,
    window: Option<u32>,
    acknowledged: u64,
}

impl Session {
    /// Connects to the server and begins to publish the stream, if the server takes its pictures.
    ///
    /// # Errors
    /// [`RtmpError`]; its text contains the stream key only if the server's own text does.
    pub async fn open(target: &RtmpTarget, tls: &TlsSettings, guard: &Guard, need: Need) -> Result<Self, RtmpError> {
        let mut session = Self::reach(target, tls, guard, need).await?;
        if let Err(refused) = session.said.check(need) {
            session.leave().await;
            return Err(refused);
        }
        let command = session.patience.command;
        session.announce();
        within("createStream", command, session.create_stream()).await?;
        within("publish", command, session.publish()).await?;
        Ok(session)
    }

    /// Performs all steps before publishing, and disconnects. The stream key is not sent, so a stream that is on air
    /// under it is not affected; whether the server accepts the key is not known then. Returns what the server says of the
    /// pictures that it takes; `need` is not checked.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub async fn probe(target: &RtmpTarget, tls: &TlsSettings, guard: &Guard, need: Need) -> Result<Said, RtmpError> {
        let mut session = Self::reach(target, tls, guard, need).await?;
        let command = session.patience.command;
        within("createStream", command, session.create_stream()).await?;
        let said = session.said.clone();
        session.leave().await;
        Ok(said)
    }

    /// Whether pictures in this codec can be sent, by the server's answer to `connect`.
    ///
    /// # Errors
    /// [`RtmpError::Picture`].
    pub fn check_picture(&self, codec: Codec) -> Result<(), RtmpError> {
        self.said.check(Need { picture: Some(codec), ..self.need })
    }

    /// Performs all steps up to an accepted `connect`. A server that requires a login refuses up to two connections
    /// first; one that accepts only the simple handshake closes one.
    async fn reach(target: &RtmpTarget, tls: &TlsSettings, guard: &Guard, need: Need) -> Result<Self, RtmpError> {
        let mut login = Dialogue::new(target.login.as_ref(), &target.app, rand::random());
        // FMS accepts the digest only at the first place; all others check both.
        let mut form = Form::Digest(Place::First);
        loop {
            let mut session = Self::new(connect(target, tls, guard).await?, target, need, Patience::default());
            let (handshake, command) = (session.patience.handshake, session.patience.command);
            match within("handshake", handshake, session.handshake(form)).await {
                Err(RtmpError::Handshake(HandshakeError::Closed { received: 0 })) if form != Form::Simple => {
                    form = Form::Simple;
                    continue;
                }
                done => done?,
            }
            let mut wanted = None;
            let connecting = async {
                wanted = session.connect(target, login.query()).await?;
                Ok(())
            };
            within("connect", command, connecting).await?;
            match wanted {
                None => return Ok(session),
                Some(description) => login.refused(&description)?,
            }
        }
    }

    fn new(io: Box<dyn Io>, target: &RtmpTarget, need: Need, patience: Patience) -> Self {
        Self {
            io,
            patience,
            key: target.key.clone(),
            need,
            said: Said::default(),
            stream: 0,
            reader: ChunkReader::default(),
            writer: ChunkWriter::default(),
            out: Vec::with_capacity(16 * 1024),
            input: vec![0; 4096].into_boxed_slice(),
            written: 0,
            acks: Acks::default(),
            acked_at: Instant::now(),
            longest_step: 0,
            received: 0,
            window: None,
            acknowledged: 0,
        }
    }

    async fn handshake(&mut self, form: Form) -> Result<(), RtmpError> {
        let mut shake = Handshake::new(form, rand::fill);
        let lost = |error: io::Error, received| match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
                RtmpError::Handshake(HandshakeError::Closed { received })
            }
            _ => RtmpError::Io { during: "handshake", error },
        };
        self.send_now(shake.hello()).await.map_err(|error| lost(error, 0))?;
        loop {
            let received = shake.received();
            let read = self.io.read(&mut self.input).await.map_err(|error| lost(error, received))?;
            let bytes = self.input.get(..read).filter(|bytes| !bytes.is_empty());
            let step = shake.take(bytes.ok_or(HandshakeError::Closed { received })?)?;
            if let Some(rest) = step.rest {
                self.received = rest.len() as u64;
                self.reader.feed(rest);
                tracing::debug!(sent = ?form, answer = ?shake.answer(), "RTMP handshake");
            }
            let done = step.rest.is_some();
            if let Some(c2) = step.reply {
                self.send_now(&c2[..]).await.map_err(|error| lost(error, shake.received()))?;
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Writes bytes without the buffer.
    async fn send_now(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    /// Connects to the application; `login` is appended to its name. Returns the server's text if it requires a login.
    async fn connect(&mut self, target: &RtmpTarget, login: &str) -> Result<Option<String>, RtmpError> {
        let text = |text: &str| Value::Text(text.to_owned());
        let mut properties = vec![
            ("app".into(), text(&format!("{}{login}", target.app))),
            ("type".into(), text("nonprivate")),
            ("flashVer".into(), text("FMLE/3.0 (compatible; Outboard)")),
            ("tcUrl".into(), text(&format!("{}{login}", target.tc_url))),
        ];
        // Only where it matters: few servers know these properties.
        properties.extend(self.need.four_cc().into_iter().flat_map(offer));
        self.command(0, "connect", 1.0, &[Value::Object(properties)]);
        self.flush().await?;
        let answer = self.answer("connect", |command| command.transaction == 1.0).await?;
        if answer.name == "_error" {
            let wanted = answer.login_wanted().map(str::to_owned);
            return wanted.map(Some).ok_or_else(|| answer.refused("connect"));
        }
        self.said = Said::of(&answer);
        Ok(None)
    }

    /// Announces the stream; sent with the next command.
    fn announce(&mut self) {
        self.control(1, &(RTMP_CHUNK_BYTES as u32).to_be_bytes());
        self.writer.set_chunk_bytes(RTMP_CHUNK_BYTES);
        self.control(5, &RTMP_ACK_WINDOW.to_be_bytes());
        let key = Value::Text(self.key.clone());
        self.command(0, "releaseStream", 2.0, &[Value::Null, key.clone()]);
        self.command(0, "FCPublish", 3.0, &[Value::Null, key]);
    }

    async fn create_stream(&mut self) -> Result<(), RtmpError> {
        self.command(0, "createStream", 4.0, &[Value::Null]);
        self.flush().await?;
        // Responses to the announcement are optional, and an error means nothing: many servers do not know these
        // commands.
        let answer = self.answer("createStream", |command| command.transaction == 4.0).await?;
        let id = answer.values.iter().find_map(Value::number).filter(|id| (0.0..=f64::from(u32::MAX)).contains(id));
        match id {
            Some(id) if answer.name == "_result" => self.stream = id as u32,
            _ => return Err(answer.refused("createStream")),
        }
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), RtmpError> {
        let key = Value::Text(self.key.clone());
        self.command(self.stream, "publish", 5.0, &[Value::Null, key, Value::Text("live".into())]);
        self.flush().await?;
        loop {
            let answer =
                self.answer("publish", |command| command.name == "onStatus" || command.transaction == 5.0).await?;
            let (code, _) = answer.info();
            if code == "NetStream.Publish.Start" {
                self.acked_at = Instant::now();
                return Ok(());
            }
            if answer.is_error() {
                return Err(answer.refused("publish"));
            }
        }
    }

    /// Reads until a wanted command; `close` and errors of the connection end the wait.
    async fn answer(&mut self, during: &'static str, wanted: impl Fn(&Command) -> bool) -> Result<Command, RtmpError> {
        loop {
            while let Some(command) = self.next_command()? {
                if wanted(&command) && command.name.starts_with(['_', 'o']) && command.name != "onBWDone" {
                    return Ok(command);
                }
                if command.name == "close" {
                    return Err(RtmpError::Closed { during });
                }
            }
            self.fill(during).await?;
        }
    }

    /// Waits until the server sends something, and processes it; replies are buffered. Cancel safe.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn incoming(&mut self) -> Result<(), RtmpError> {
        const DURING: &str = "publishing";
        self.fill(DURING).await?;
        while let Some(command) = self.next_command()? {
            if command.name == "close" {
                return Err(RtmpError::Closed { during: DURING });
            }
            if command.name == "onStatus" && command.is_error() {
                return Err(command.refused("publishing"));
            }
        }
        Ok(())
    }

    async fn fill(&mut self, during: &'static str) -> Result<(), RtmpError> {
        let read = self.io.read(&mut self.input).await.map_err(|error| RtmpError::Io { during, error })?;
        let bytes = self.input.get(..read).filter(|bytes| !bytes.is_empty()).ok_or(RtmpError::Closed { during })?;
        self.reader.feed(bytes);
        self.received += read as u64;
        if let Some(window) = self.window
            && self.received - self.acknowledged >= u64::from(window)
        {
            self.acknowledged = self.received;
            self.control(3, &(self.received as u32).to_be_bytes());
        }
        Ok(())
    }

    /// The next command among the received messages; control messages before it are applied.
    fn next_command(&mut self) -> Result<Option<Command>, RtmpError> {
        while let Some(message) = self.reader.next_message()? {
            let number = message.body.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
            match (message.kind, number) {
                (1, Some(size)) => self.reader.set_chunk_bytes(size as usize),
                (3, Some(sequence)) => self.acknowledge(sequence),
                (4, Some(head)) if head >> 16 == 6 => {
                    // Ping: the same time is returned as event 7.
                    let mut pong = [0, 7, 0, 0, 0, 0];
                    if let (Some(to), Some(from)) = (pong.get_mut(2..), message.body.get(2..6)) {
                        to.copy_from_slice(from);
                    }
                    self.control(4, &pong);
                }
                (5, Some(window)) => self.window = Some(window.max(1)),
                (20, _) => {
                    if let Some(command) = Command::parse(message.body) {
                        return Ok(Some(command));
                    }
                }
                // The AMF3 form of a command: one byte, then AMF0.
                (17, _) => {
                    if let Some(command) = message.body.get(1..).and_then(Command::parse) {
                        return Ok(Some(command));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn acknowledge(&mut self, sequence: u32) {
        let before = self.acks.bytes().unwrap_or(0);
        self.acks.take(sequence, self.written);
        self.longest_step = self.longest_step.max(self.acks.bytes().unwrap_or(0) - before);
        self.acked_at = Instant::now();
    }

    fn control(&mut self, kind: u8, body: &[u8]) {
        self.writer.write(&mut self.out, Head { chunk_stream: CONTROL, kind, stream: 0, timestamp_ms: 0 }, &[body]);
    }

    fn command(&mut self, stream: u32, name: &str, transaction: f64, values: &[Value]) {
        let mut body = Vec::with_capacity(256);
        amf::write(&mut body, &[Value::Text(name.into()), Value::Number(transaction)]);
        amf::write(&mut body, values);
        self.writer.write(&mut self.out, Head { chunk_stream: COMMAND, kind: 20, stream, timestamp_ms: 0 }, &[&body]);
    }

    /// Buffers a tag's body, given in pieces. `dts_ms` is sent modulo 2^32.
    pub fn push(&mut self, kind: TagKind, dts_ms: u64, body: &[&[u8]]) {
        let chunk_stream = match kind {
            TagKind::Audio => AUDIO,
            TagKind::Video => VIDEO,
            TagKind::Script => DATA,
        };
        let head = Head { chunk_stream, kind: kind.to_byte(), stream: self.stream, timestamp_ms: dts_ms as u32 };
        if kind == TagKind::Script {
            let mut frame = Vec::with_capacity(16);
            amf::write(&mut frame, &[Value::Text("@setDataFrame".into())]);
            let pieces: Vec<&[u8]> = std::iter::once(&frame[..]).chain(body.iter().copied()).collect();
            self.writer.write(&mut self.out, head, &pieces);
        } else {
            self.writer.write(&mut self.out, head, body);
        }
    }

    /// Bytes that the socket has not accepted yet.
    pub fn buffered(&self) -> usize {
        self.out.len()
    }

    /// Bytes written since the handshake, without buffered ones.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that the server has certainly received; `None` while it has acknowledged nothing.
    pub fn acked(&self) -> Option<u64> {
        self.acks.bytes()
    }

    /// Whether the server acknowledges in general, but has acknowledged nothing for `time` although many bytes are in
    /// flight: it reads nothing, and written bytes stay in the sockets' buffers.
    pub fn is_stalled(&self, time: Duration) -> bool {
        let waits = |acked| self.written - acked > 2 * self.longest_step;
        self.acked_at.elapsed() > time && self.acks.bytes().is_some_and(waits)
    }

    /// Writes the buffered bytes.
    ///
    /// # Errors
    /// The session has ended: the connection broke, the server accepts no more bytes ([`AIR_WRITE_TIMEOUT`]), or it has
    /// stopped acknowledging although many bytes are in flight ([`AIR_ACK_TIMEOUT`]).
    pub async fn flush(&mut self) -> Result<(), RtmpError> {
        const DURING: &str = "writing";
        let write = async {
            self.io.write_all(&self.out).await?;
            self.io.flush().await
        };
        let wrote = timeout(self.patience.write, write).await;
        let wrote = wrote.map_err(|_| RtmpError::Timeout { during: DURING, after: self.patience.write })?;
        wrote.map_err(|error| RtmpError::Io { during: DURING, error })?;
        self.written += self.out.len() as u64;
        self.out.clear();
        self.out.shrink_to(2 * AIR_WRITE_BYTES);
        match self.is_stalled(self.patience.ack) {
            true => Err(RtmpError::Timeout { during: "acknowledging", after: self.patience.ack }),
            false => Ok(()),
        }
    }

    /// Ends the stream and the connection, and waits until the last packets are delivered. At most
    /// [`AIR_CLOSE_TIMEOUT`].
    pub async fn close(mut self) {
        let key = Value::Text(self.key.clone());
        self.command(0, "FCUnpublish", 6.0, &[Value::Null, key]);
        self.command(0, "deleteStream", 7.0, &[Value::Null, Value::Number(f64::from(self.stream))]);
        self.leave().await;
    }

    /// Writes the buffered bytes and ends the connection. At most [`AIR_CLOSE_TIMEOUT`].
    async fn leave(mut self) {
        let patience = self.patience.close;
        let end = async {
            self.flush().await?;
            self.io.shutdown().await.map_err(|error| RtmpError::Io { during: "close", error })?;
            // Waits until the server has closed: closing with unread bytes would reset bytes in flight.
            while self.io.read(&mut self.input).await.is_ok_and(|read| read > 0) {}
            Ok::<(), RtmpError>(())
        };
        if let Ok(Err(error)) = timeout(patience, end).await {
            tracing::debug!(%error, "the session did not end cleanly");
        }
    }
}

async fn within(
    during: &'static str,
    after: Duration,
    step: impl Future<Output = Result<(), RtmpError>>,
) -> Result<(), RtmpError> {
    timeout(after, step).await.unwrap_or(Err(RtmpError::Timeout { during, after }))
}

#[cfg(test)]
mod tests;
