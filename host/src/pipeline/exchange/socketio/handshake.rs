//! From a TCP connection to a joined namespace: the WebSocket upgrade, Engine.IO's `open`, Socket.IO's CONNECT. The caller
//! bounds both steps in time.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsMessage};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::endpoint::Endpoint;
use super::engine::{self, Frame};
use super::error::ConnectError;
use super::packet::{self, Kind};
use crate::limits::{EXCHANGE_FRAME_MAX_BYTES, EXCHANGE_TEXT_MAX_BYTES};
use crate::net::NetError;
use crate::pipeline::exchange::text::shortened;

/// The transport.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// TCP, TLS and the WebSocket upgrade.
pub async fn upgrade(endpoint: &Endpoint) -> Result<Socket, ConnectError> {
    let server = || endpoint.server().to_owned();
    let network = |reason: String| ConnectError::Network { server: server(), reason };
    let connector = super::tls::connector(endpoint.tls(), endpoint.ca_file()).await?;
    let request = endpoint.request().map_err(|error| network(error.to_string()))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(EXCHANGE_FRAME_MAX_BYTES))
        .max_frame_size(Some(EXCHANGE_FRAME_MAX_BYTES))
        .read_buffer_size(16 << 10);
    let tcp = endpoint.dial().await.map_err(|error| match error {
        NetError::Denied(reason) => ConnectError::Denied { server: server(), reason },
        NetError::Failed(error) => network(error.to_string()),
    })?;
    match tokio_tungstenite::client_async_tls_with_config(request, tcp, Some(config), Some(connector)).await {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => {
            Err(ConnectError::Http { server: server(), status: response.status().as_u16() })
        }
        Err(error) => Err(network(error.to_string())),
    }
}

/// Engine.IO's `open`, then Socket.IO's CONNECT and the answer to it.
pub async fn join(socket: &mut Socket, endpoint: &Endpoint) -> Result<engine::Open, ConnectError> {
    let protocol = |what: &str| ConnectError::Protocol(what.to_owned());
    let mut opened = None;
    loop {
        let message = match socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(ConnectError::Protocol(error.to_string())),
            None => return Err(protocol("it closed the connection in the handshake")),
        };
        let text = match &message {
            WsMessage::Text(text) => text.as_str(),
            WsMessage::Ping(_) | WsMessage::Pong(_) => continue,
            WsMessage::Close(_) => return Err(protocol("it closed the connection in the handshake")),
            _ => return Err(protocol("a binary frame came in the handshake")),
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
                    Kind::Connect if head.namespace == endpoint.namespace() => return Ok(open.clone()),
                    Kind::ConnectError => {
                        let namespace = endpoint.namespace().to_owned();
                        let message = shortened(packet::refusal(head.payload), EXCHANGE_TEXT_MAX_BYTES);
                        return Err(ConnectError::Refused { namespace, message });
                    }
                    _ => return Err(protocol("something else came than the answer to CONNECT")),
                }
            }
            (Frame::Close, _) => return Err(protocol("it closed the session in the handshake")),
            _ => return Err(protocol("the first frame is not Engine.IO's open")),
        };
        if let Some(reply) = reply {
            socket.send(WsMessage::text(reply)).await.map_err(|error| ConnectError::Protocol(error.to_string()))?;
        }
    }
}
