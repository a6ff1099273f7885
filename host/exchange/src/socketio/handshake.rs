//! From a TCP connection to a joined namespace: the WebSocket handshake, Engine.IO's `open`, Socket.IO's CONNECT. The
//! caller limits the time of both steps.

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsMessage};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::endpoint::Endpoint;
use super::engine::{self, Frame};
use super::error::ConnectError;
use super::packet::{self, PacketKind};
use super::refusal::{self, Lent};
use crate::limits::{EXCHANGE_FRAME_MAX_BYTES, EXCHANGE_REFUSAL_SHOWN_BYTES, EXCHANGE_TEXT_MAX_BYTES};
use outboard_base::text::{one_line, shortened};
use outboard_net::NetError;

/// A WebSocket over TCP or TLS.
pub type Socket = WebSocketStream<Lent<MaybeTlsStream<TcpStream>>>;

/// Performs TCP, TLS and the WebSocket handshake.
pub async fn upgrade(endpoint: &Endpoint) -> Result<Socket, ConnectError> {
    let server = || endpoint.server().to_owned();
    let network = |reason: String| ConnectError::Network { server: server(), reason };
    let request = endpoint.request().map_err(|error| network(error.to_string()))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(EXCHANGE_FRAME_MAX_BYTES))
        .max_frame_size(Some(EXCHANGE_FRAME_MAX_BYTES))
        .read_buffer_size(16 << 10);
    let client = if endpoint.tls() { Some(super::tls::client(endpoint.ca_file()).await?) } else { None };
    let tcp = endpoint.dial().await.map_err(|error| match error {
        NetError::Denied(reason) => ConnectError::Denied { server: server(), reason },
        NetError::Failed(error) => network(error.to_string()),
    })?;
    let stream = match client {
        None => MaybeTlsStream::Plain(tcp),
        Some(client) => {
            let name = ServerName::try_from(endpoint.host().to_owned()).map_err(|error| network(error.to_string()))?;
            let tls = TlsConnector::from(client).connect(name, tcp).await;
            MaybeTlsStream::Rustls(tls.map_err(|error| network(format!("TLS: {error}")))?)
        }
    };
    let (stream, owner) = Lent::new(stream);
    match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => {
            let (said, advice) = refusal::read(&response, refusal::returned(&owner), endpoint).await;
            Err(ConnectError::Http { server: server(), status: response.status().as_u16(), said, advice })
        }
        Err(error) => Err(network(error.to_string())),
    }
}

/// Receives Engine.IO's `open`, then sends Socket.IO's CONNECT and waits for the answer.
pub async fn join(socket: &mut Socket, endpoint: &Endpoint) -> Result<engine::Open, ConnectError> {
    let protocol = |what: &str| ConnectError::Protocol(what.to_owned());
    let mut opened = None;
    loop {
        let message = match socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(ConnectError::Protocol(error.to_string())),
            None => return Err(protocol("it closed the connection during the handshake")),
        };
        let text = match &message {
            WsMessage::Text(text) => text.as_str(),
            WsMessage::Ping(_) | WsMessage::Pong(_) => continue,
            WsMessage::Close(frame) => {
                // At most 123 bytes, by the protocol.
                let reason = frame.as_ref().map(|frame| endpoint.hide(&one_line(&frame.reason)));
                let reason = reason.filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}"));
                let reason = reason.unwrap_or_default();
                return Err(protocol(&format!("it closed the connection during the handshake{reason}")));
            }
            _ => return Err(protocol("a binary frame arrived during the handshake")),
        };
        let reply = match (engine::frame(text), &opened) {
            (Frame::Open(json), None) => {
                opened = Some(engine::open(json).map_err(|error| ConnectError::Protocol(error.to_string()))?);
                Some(format!("4{}", packet::connect(endpoint.namespace(), endpoint.auth())))
            }
            (Frame::Ping(data), _) => Some(format!("3{data}")),
            (Frame::Noop, _) => None,
            (Frame::Message(text), Some(open)) => {
                let head = packet::parse(text).map_err(|error| ConnectError::Protocol(error.to_string()))?;
                match head.kind {
                    PacketKind::Connect if head.namespace == endpoint.namespace() => return Ok(open.clone()),
                    PacketKind::ConnectError => {
                        let namespace = endpoint.namespace().to_owned();
                        let message = endpoint.hide(&shortened(packet::refusal(head.payload), EXCHANGE_TEXT_MAX_BYTES));
                        return Err(ConnectError::Refused { namespace, message });
                    }
                    _ => return Err(protocol("another packet arrived instead of the answer to CONNECT")),
                }
            }
            (Frame::Close, _) => return Err(protocol("it closed the session during the handshake")),
            _ => {
                let came = shortened(endpoint.hide(&one_line(text)), EXCHANGE_REFUSAL_SHOWN_BYTES);
                let expected = if opened.is_none() {
                    "Engine.IO's open as the first frame"
                } else {
                    "Socket.IO's answer to CONNECT"
                };
                return Err(protocol(&format!("expected {expected}, got {came:?}")));
            }
        };
        if let Some(reply) = reply {
            socket.send(WsMessage::text(reply)).await.map_err(|error| ConnectError::Protocol(error.to_string()))?;
        }
    }
}
