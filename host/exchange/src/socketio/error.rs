//! Errors of connecting, of connections, and of messages. No text contains our credentials, query or headers.

use std::time::Duration;

use outboard_net::Denied;

/// Why no connection was made. All of them can be retried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The network policy denies the address.
    #[error("no connection to {server}: {reason}")]
    Denied {
        /// Host and port of the processor.
        server: String,
        /// The rule of the policy that denies it.
        reason: Denied,
    },
    /// DNS, TCP or TLS failed.
    #[error("no connection to {server}: {reason}")]
    Network {
        /// Host and port of the processor.
        server: String,
        /// The error of the system or of TLS.
        reason: String,
    },
    /// The server did not accept the WebSocket handshake.
    #[error("{server} answered HTTP {status} to the WebSocket upgrade{}{said}: {advice}", if said.is_empty() { "" } else { ", " })]
    Http {
        /// Host and port of the processor.
        server: String,
        /// HTTP status of the response.
        status: u16,
        /// Its body on one line, without our secrets; may be empty.
        said: String,
        /// What to check or change, for the operator.
        advice: String,
    },
    /// No answer in time.
    #[error("{server} did not answer {what} within {limit:?}")]
    Timeout {
        /// Host and port of the processor.
        server: String,
        /// The answer that was expected.
        what: &'static str,
        /// The time limit that was exceeded.
        limit: Duration,
    },
    /// The server refused the namespace (CONNECT_ERROR), for example for wrong credentials.
    #[error("the processor refused the connection to namespace {namespace}: {message}")]
    Refused {
        /// The namespace that the client requested.
        namespace: String,
        /// The server's message, shortened.
        message: String,
    },
    /// The server does not support Engine.IO 4 with Socket.IO 5.
    #[error("the processor does not speak Socket.IO v4: {0}")]
    Protocol(String),
    /// The file of certificate authorities cannot be used.
    #[error("the CA file {file} cannot be used: {reason}")]
    CaFile {
        /// Name of the file, without folders.
        file: String,
        /// Why the file cannot be used.
        reason: String,
    },
}

impl ConnectError {
    /// True: the same processor may work later. False: another address, login or server is needed.
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
pub enum Closed {
    /// No ping within interval plus timeout.
    #[error("the processor sent no ping for {} ms", .0.as_millis())]
    PingTimeout(Duration),
    /// The processor sent Socket.IO's DISCONNECT.
    #[error("the processor ended the session (DISCONNECT)")]
    Disconnected,
    /// A close frame or Engine.IO close.
    #[error("the processor closed the connection{0}")]
    ByPeer(String),
    /// The connection broke, for this reason.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The peer violated the protocol or our limits.
    #[error("the processor broke the protocol: {0}")]
    Protocol(String),
    /// Packets accumulate because the peer does not read.
    #[error("the processor does not read: {0} packets are waiting")]
    Stuck(usize),
}

/// Why a message was not queued. Except for [`EmitError::Closed`], the connection is not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// A frame is larger than the server accepts; it would close the connection without a message.
    #[error("{bytes} bytes in one frame; the processor's limit is {limit} (maxPayload)")]
    TooLarge {
        /// Size of the largest frame.
        bytes: usize,
        /// The server's `maxPayload` in bytes.
        limit: u64,
    },
    /// The stage's message cannot be sent over Socket.IO.
    #[error("not a Socket.IO message: {0}")]
    Invalid(String),
    /// The connection has ended, or must end.
    #[error(transparent)]
    Closed(#[from] Closed),
}
