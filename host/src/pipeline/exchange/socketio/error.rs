//! Why there is no connection, no longer one, or why a message does not fit it. No text here holds a credential, a query or
//! a header of ours.

use std::time::Duration;

use crate::net::Denied;

/// Why no connection came about. All may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The network policy.
    #[error("no connection to {server}: {reason}")]
    Denied {
        /// Host and port.
        server: String,
        /// The rule.
        reason: Denied,
    },
    /// DNS, TCP or TLS.
    #[error("no connection to {server}: {reason}")]
    Network {
        /// Host and port.
        server: String,
        /// The system's words.
        reason: String,
    },
    /// The server answered the WebSocket upgrade with something else.
    #[error("{server} answered HTTP {status} to the WebSocket upgrade{}{said}: {advice}", if said.is_empty() { "" } else { ", " })]
    Http {
        /// Host and port.
        server: String,
        /// Its status code.
        status: u16,
        /// Its body on one line, without secrets of ours; may be empty.
        said: String,
        /// What to do.
        advice: String,
    },
    /// Nothing came in time.
    #[error("{server} did not answer {what} within {limit:?}")]
    Timeout {
        /// Host and port.
        server: String,
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The server refused the namespace (CONNECT_ERROR), such as for wrong credentials.
    #[error("the processor refused the connection to namespace {namespace}: {message}")]
    Refused {
        /// The namespace that was asked for.
        namespace: String,
        /// The server's message.
        message: String,
    },
    /// The server does not speak Engine.IO 4 with Socket.IO 5.
    #[error("the processor does not speak Socket.IO v4: {0}")]
    Protocol(String),
    /// The certificate authority's file cannot be used.
    #[error("the CA file {file} cannot be used: {reason}")]
    CaFile {
        /// Its name, without folders.
        file: String,
        /// Why not.
        reason: String,
    },
}

impl ConnectError {
    /// The processor may be there later, as it is. False: another address, login or server is needed.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Network { .. } | Self::Timeout { .. } => true,
            Self::Http { status, .. } => *status == 429 || *status >= 500,
            Self::Denied { .. } | Self::Refused { .. } | Self::Protocol(_) | Self::CaFile { .. } => false,
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// Interval plus timeout went by without a ping.
    #[error("the processor sent no ping for {} ms", .0.as_millis())]
    PingTimeout(Duration),
    /// Socket.IO DISCONNECT.
    #[error("the processor ended the session (DISCONNECT)")]
    Disconnected,
    /// A close frame or Engine.IO close.
    #[error("the processor closed the connection{0}")]
    ByPeer(String),
    /// The transport broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The peer sent what the protocol does not allow, or more than we take.
    #[error("the processor broke the protocol: {0}")]
    Protocol(String),
    /// Packets pile up because the peer does not read.
    #[error("the processor does not read: {0} packets are waiting")]
    Stuck(usize),
}

/// Why a message was not queued. Except for [`EmitError::Closed`], the connection is not touched by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// A frame is larger than the server takes; it would drop the connection without a word.
    #[error("{bytes} bytes in one frame; the processor's limit is {limit} (maxPayload)")]
    TooLarge {
        /// Size of the largest frame.
        bytes: usize,
        /// The server's limit.
        limit: u64,
    },
    /// Not a message.
    #[error("not a Socket.IO message: {0}")]
    Invalid(String),
    /// The connection is gone, or has to go.
    #[error(transparent)]
    Closed(#[from] Closed),
}
