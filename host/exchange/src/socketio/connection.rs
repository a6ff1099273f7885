//! One connection to a Socket.IO server: two tasks around a WebSocket.
//!
//! The reader answers pings and acks itself and passes on events through a short queue; further data stays in the
//! socket. The writer takes complete packets, so the frames of two packets are never mixed. Both tasks belong to the
//! [`Connection`]: `close` joins them, and dropping it aborts them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsMessage};
use tracing::Instrument;

use super::assembly::{Assembly, Whole};
use super::endpoint::Endpoint;
use super::engine::{self, Frame};
use super::error::{Closed, ConnectError, EmitError};
use super::handshake::{Socket, join, upgrade};
use super::packet::{self, PacketKind};
use crate::limits::{
    EXCHANGE_CLOSE_TIMEOUT, EXCHANGE_READ_QUEUE_PACKETS, EXCHANGE_TEXT_MAX_BYTES, EXCHANGE_WRITE_QUEUE_PACKETS,
};
use crate::message_framer::Message;
use outboard_base::text::shortened;

/// What the connection receives.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// An event. If it requested an ack, the ack is queued.
    Message(Message),
    /// The ack of a message that requested one, see [`Connection::emit_asking`].
    Ack {
        /// The id of the request.
        id: u64,
        /// Number of arguments in the ack.
        arguments: usize,
    },
    /// The end; nothing follows.
    Closed(Closed),
}

/// Shows when a packet was completely passed to the network.
#[derive(Debug, Clone, Default)]
pub struct Receipt(Arc<OnceLock<Instant>>);

impl Receipt {
    /// When it was written; `None`: not yet.
    pub fn written_at(&self) -> Option<Instant> {
        self.0.get().copied()
    }

    /// Records when it was written; only the first call counts.
    pub(crate) fn write(&self, at: Instant) {
        let _ = self.0.set(at);
    }
}

/// The frames of one packet, in order.
struct Outgoing {
    frames: Vec<WsMessage>,
    receipt: Receipt,
}

/// An open connection to one namespace.
#[derive(Debug)]
pub struct Connection {
    max_payload: Option<u64>,
    namespace: String,
    outgoing: mpsc::Sender<Outgoing>,
    incoming: mpsc::Receiver<Incoming>,
    ended: Option<Closed>,
    tasks: [JoinHandle<()>; 2],
}

// === impl Connection ===

impl Connection {
    /// Connects, opens the Engine.IO session and joins the namespace.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let limit = endpoint.connect_timeout();
        let timeout = |what| ConnectError::Timeout { server: endpoint.server().to_owned(), what, limit };
        let mut socket =
            tokio::time::timeout(limit, upgrade(endpoint)).await.map_err(|_| timeout("the connection attempt"))??;
        let open = tokio::time::timeout(limit, join(&mut socket, endpoint))
            .await
            .map_err(|_| timeout("the Socket.IO handshake"))??;

        let (sink, stream) = socket.split();
        let (outgoing, to_write) = mpsc::channel(EXCHANGE_WRITE_QUEUE_PACKETS);
        let (read, incoming) = mpsc::channel(EXCHANGE_READ_QUEUE_PACKETS);
        let namespace = endpoint.namespace().to_owned();
        let reader = Reader {
            stream,
            namespace: namespace.clone(),
            silence_max: open.silence_max,
            replies: outgoing.downgrade(),
            assembly: Assembly::default(),
        };
        let reading = reader.run(read.clone()).in_current_span();
        let tasks = [tokio::spawn(reading), tokio::spawn(write(sink, to_write, read).in_current_span())];
        Ok(Self { max_payload: open.max_payload, namespace, outgoing, incoming, ended: None, tasks })
    }

    /// The largest frame that the server accepts, if announced.
    pub fn max_payload(&self) -> Option<u64> {
        self.max_payload
    }

    /// The next event, or the end. After the end, returns the end again. Cancel safe.
    pub async fn next(&mut self) -> Incoming {
        if self.ended.is_none() {
            match self.incoming.recv().await {
                Some(Incoming::Closed(closed)) => self.ended = Some(closed),
                Some(other) => return other,
                None => {}
            }
        }
        Incoming::Closed(self.ended.clone().unwrap_or_else(|| Closed::Broken("it has ended".to_owned())))
    }

    /// Queues messages, all of them or none; the receipt is for the last one. Returns the number of bytes to be sent.
    pub fn emit(&self, messages: Vec<Message>) -> Result<(u64, Receipt), EmitError> {
        self.queue(messages, None)
    }

    /// [`Self::emit`], with an ack under this id requested for the last message.
    pub fn emit_asking(&self, messages: Vec<Message>, id: u64) -> Result<(u64, Receipt), EmitError> {
        self.queue(messages, Some(id))
    }

    fn queue(&self, messages: Vec<Message>, ack: Option<u64>) -> Result<(u64, Receipt), EmitError> {
        let receipt = Receipt::default();
        let last = messages.len().saturating_sub(1);
        let mut bytes = 0;
        let mut packets = Vec::with_capacity(messages.len());
        for (index, message) in messages.into_iter().enumerate() {
            let (ack, count) = (ack.filter(|_| index == last), message.attachments.len());
            let text = packet::event(&self.namespace, &message.event, &message.arguments, count, ack)
                .map_err(|error| EmitError::Invalid(error.to_string()))?;
            let mut frames = vec![WsMessage::text(format!("4{text}"))];
            frames.extend(message.attachments.into_iter().map(WsMessage::binary));
            let largest = frames.iter().map(WsMessage::len).max().unwrap_or_default();
            if let Some(limit) = self.max_payload.filter(|&limit| largest as u64 > limit) {
                return Err(EmitError::TooLarge { bytes: largest, limit });
            }
            bytes += frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
            let receipt = if index == last { receipt.clone() } else { Receipt::default() };
            packets.push(Outgoing { frames, receipt });
        }
        let permits = self.outgoing.try_reserve_many(packets.len()).map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => Closed::Stuck(EXCHANGE_WRITE_QUEUE_PACKETS),
            mpsc::error::TrySendError::Closed(()) => Closed::Broken("it has ended".to_owned()),
        })?;
        for (permit, packet) in permits.zip(packets) {
            permit.send(packet);
        }
        Ok((bytes, receipt))
    }

    /// Leaves the namespace and closes, within [`EXCHANGE_CLOSE_TIMEOUT`].
    pub async fn close(mut self) {
        let frames = vec![WsMessage::text(format!("4{}", packet::disconnect(&self.namespace))), WsMessage::Close(None)];
        // A full queue means that the peer does not read, so it would not read this either.
        let _ = self.outgoing.try_send(Outgoing { frames, receipt: Receipt::default() });
        let [reader, writer] = &mut self.tasks;
        // When the last sender is dropped, the writer ends after the queued packets.
        let (closed, _) = mpsc::channel(1);
        self.outgoing = closed;
        if tokio::time::timeout(EXCHANGE_CLOSE_TIMEOUT, &mut *writer).await.is_err() {
            writer.abort();
            let _ = writer.await;
        }
        reader.abort();
        let _ = reader.await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

// === the writer ===

async fn write(
    mut sink: SplitSink<Socket, WsMessage>,
    mut packets: mpsc::Receiver<Outgoing>,
    read: mpsc::Sender<Incoming>,
) {
    while let Some(packet) = packets.recv().await {
        let mut sent = Ok(());
        for frame in packet.frames {
            sent = sink.feed(frame).await;
            if sent.is_err() {
                break;
            }
        }
        if sent.is_ok() {
            sent = sink.flush().await;
        }
        if let Err(error) = sent {
            // Nobody listens if the connection is being closed.
            let _ = read.send(Incoming::Closed(broken(error))).await;
            return;
        }
        packet.receipt.write(Instant::now());
    }
}

// === the reader ===

struct Reader {
    stream: SplitStream<Socket>,
    namespace: String,
    silence_max: Duration,
    /// Weak, so that the writer ends when the connection's own sender is dropped.
    replies: mpsc::WeakSender<Outgoing>,
    assembly: Assembly,
}

impl Reader {
    async fn run(mut self, read: mpsc::Sender<Incoming>) {
        let mut dead_at = Instant::now() + self.silence_max;
        loop {
            let message = match tokio::time::timeout_at(dead_at, self.stream.next()).await {
                Err(_) => Err(Closed::PingTimeout(self.silence_max)),
                Ok(None) => Err(Closed::ByPeer(String::new())),
                Ok(Some(Err(error))) => Err(broken(error)),
                Ok(Some(Ok(message))) => self.take(message, &mut dead_at),
            };
            let incoming = match message {
                Ok(None) => continue,
                Ok(Some(incoming)) => incoming,
                Err(closed) => Incoming::Closed(closed),
            };
            let end = matches!(incoming, Incoming::Closed(_));
            if read.send(incoming).await.is_err() || end {
                return;
            }
        }
    }

    fn take(&mut self, message: WsMessage, dead_at: &mut Instant) -> Result<Option<Incoming>, Closed> {
        let whole = match message {
            WsMessage::Text(text) => match engine::frame(&text) {
                Frame::Message(text) => self.assembly.text(text),
                Frame::Ping(data) => {
                    *dead_at = Instant::now() + self.silence_max;
                    self.reply(format!("3{data}"))?;
                    return Ok(None);
                }
                Frame::Noop => return Ok(None),
                Frame::Close => return Err(Closed::ByPeer(String::new())),
                Frame::Open(_) | Frame::Unknown => {
                    return Err(Closed::Protocol("an unknown text frame arrived".to_owned()));
                }
            },
            WsMessage::Binary(data) => self.assembly.binary(data),
            WsMessage::Close(Some(frame)) => {
                let reason = shortened(frame.reason.to_string(), EXCHANGE_TEXT_MAX_BYTES);
                return Err(Closed::ByPeer(format!(" with code {} {reason:?}", u16::from(frame.code))));
            }
            WsMessage::Close(None) => return Err(Closed::ByPeer(String::new())),
            WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Frame(_) => return Ok(None),
        };
        match whole.map_err(|error| Closed::Protocol(error.to_string()))? {
            Some(whole) => self.packet(whole),
            None => Ok(None),
        }
    }

    fn packet(&mut self, whole: Whole) -> Result<Option<Incoming>, Closed> {
        if whole.namespace != self.namespace {
            return Ok(None);
        }
        match whole.kind {
            PacketKind::Disconnect => Err(Closed::Disconnected),
            PacketKind::Event => {
                let (event, arguments) =
                    packet::split_event(&whole.payload).map_err(|error| Closed::Protocol(error.to_string()))?;
                if let Some(id) = whole.id {
                    self.reply(format!("4{}", packet::ack(&self.namespace, id)))?;
                }
                Ok(Some(Incoming::Message(Message { event, arguments, attachments: whole.attachments })))
            }
            PacketKind::Ack => {
                let arguments = packet::ack_arguments(&whole.payload);
                Ok(whole.id.map(|id| Incoming::Ack { id, arguments }))
            }
            // The connection is already established.
            PacketKind::Connect | PacketKind::ConnectError => Ok(None),
        }
    }

    fn reply(&self, text: String) -> Result<(), Closed> {
        let Some(sender) = self.replies.upgrade() else { return Ok(()) };
        let packet = Outgoing { frames: vec![WsMessage::text(text)], receipt: Receipt::default() };
        match sender.try_send(packet) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Closed::Stuck(EXCHANGE_WRITE_QUEUE_PACKETS)),
            // The writer has ended and reports the reason itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }
}

fn broken(error: WsError) -> Closed {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => Closed::ByPeer(String::new()),
        WsError::Capacity(error) => Closed::Protocol(error.to_string()),
        WsError::Protocol(error) => Closed::Broken(error.to_string()),
        WsError::Utf8(_) => Closed::Protocol("text that is not UTF-8".to_owned()),
        other => Closed::Broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
