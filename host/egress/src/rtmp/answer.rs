//! Parses the responses of a server.
//!
//! In: bodies of command messages. Out: commands, and errors that distinguish a busy stream (which is temporary) from a
//! refusal. Texts of the server are truncated to a few hundred characters.

use std::time::Duration;

use thiserror::Error;

use super::amf::{self, Value};
use super::challenge;
use super::handshake::HandshakeError;
use super::reader::ChunkError;
use super::transport::TransportError;
use outboard_base::redact::{Secrets, plain, redact};

/// Why a session could not be opened or has ended.
#[derive(Debug, Error)]
pub enum RtmpError {
    /// The TCP or TLS connection could not be opened.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The connection broke while a command was in progress.
    #[error("connection lost during {during}: {error}")]
    Io {
        /// The step that was in progress.
        during: &'static str,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// The server closed the connection.
    #[error("the server closed the connection during {during}")]
    Closed {
        /// The step that was in progress.
        during: &'static str,
    },
    /// The server did not answer, or accepted no bytes.
    #[error("the server made no progress during {during} for {} s", after.as_secs())]
    Timeout {
        /// The step that was in progress.
        during: &'static str,
        /// The time limit that was exceeded.
        after: Duration,
    },
    /// The server's handshake is invalid or incomplete.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The server's bytes are not valid RTMP.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// The stream name is in use, usually by our own last session, whose end the server has not noticed yet.
    #[error("the stream is busy: {code} {description}")]
    Busy {
        /// The code in the server's `onStatus` or `_error`.
        code: String,
        /// The description that came with the code.
        description: String,
    },
    /// The server requires a login, but the destination's URL has none. Probably permanent: retried rarely.
    #[error(
        "the server requires a login ({method}), and the destination's URL has none; expected rtmp://user:password@host/app/key"
    )]
    LoginMissing {
        /// `adobe`, `llnw`, or another method that the server named.
        method: String,
    },
    /// The server refuses the login in the URL. Probably permanent: retried rarely.
    #[error("the server refused the login of user {user:?}: {reason}")]
    LoginRefused {
        /// The user name, without the password.
        user: String,
        /// The reason, in our words or the server's.
        reason: String,
    },
    /// The pictures are in a codec that the server may not know. Probably permanent: retried rarely.
    #[error(
        "the source's picture is {codec}, and {why}; expected H.264, a server that takes {codec} (for HEVC, SRS 6.0.42 or newer), or enhancedRtmp: always"
    )]
    Picture {
        /// The codec's name for people.
        codec: &'static str,
        /// Why they are not sent.
        why: String,
    },
    /// The server answered a command with an error.
    #[error("the server refused {command}: {code} {description}")]
    Refused {
        /// The command, such as `connect` or `publish`.
        command: &'static str,
        /// The code in the server's `onStatus` or `_error`.
        code: String,
        /// The description that came with the code.
        description: String,
    },
}

/// A command from the server.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) name: String,
    pub(super) transaction: f64,
    pub(super) values: Vec<Value>,
}

impl RtmpError {
    /// Whether the server may accept the same stream later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Transport(error) => error.may_pass(),
            Self::Io { .. } | Self::Closed { .. } | Self::Timeout { .. } | Self::Busy { .. } => true,
            Self::Handshake(error) => error.may_pass(),
            Self::Chunk(_) | Self::Refused { .. } => false,
            Self::LoginMissing { .. } | Self::LoginRefused { .. } | Self::Picture { .. } => false,
        }
    }

    /// The error without secrets: a server's text may contain the key.
    pub fn told(&self, secrets: &Secrets) -> String {
        let (code, description) = match self {
            Self::Busy { code, description } | Self::Refused { code, description, .. } => (code, description),
            Self::LoginRefused { user, reason } => {
                return Self::LoginRefused { user: user.clone(), reason: secrets.hide(reason) }.to_string();
            }
            other => return plain(&redact(&other.to_string())).into_owned(),
        };
        let (code, description) = (secrets.hide(code), secrets.hide(description));
        match self {
            Self::Refused { command, .. } => Self::Refused { command, code, description },
            _ => Self::Busy { code, description },
        }
        .to_string()
    }

    /// Whether a person has to change something, here or at the server, before another attempt can succeed.
    pub(crate) fn wants_a_person(&self) -> bool {
        matches!(self, Self::LoginMissing { .. } | Self::LoginRefused { .. } | Self::Picture { .. })
    }
}

impl Command {
    /// The description in the response's information object, if it requests a login.
    pub(super) fn login_wanted(&self) -> Option<&str> {
        let description = self.values.iter().find_map(|value| value.field("description"))?;
        challenge::is_asked_for(description).then_some(description)
    }

    /// Code and description in the response's information object.
    pub(super) fn info(&self) -> (String, String) {
        let find = |name| self.values.iter().find_map(|value| value.field(name)).unwrap_or_default();
        (find("code").chars().take(100).collect(), find("description").chars().take(200).collect())
    }

    /// Parses the body of a command message.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut values = amf::read(body).into_iter();
        let name = values.next()?.text()?.to_owned();
        let transaction = values.next().and_then(|value| value.number()).unwrap_or(0.0);
        Some(Self { name, transaction, values: values.collect() })
    }

    /// Whether the server reports an error.
    pub(super) fn is_error(&self) -> bool {
        let (code, _) = self.info();
        let level = self.values.iter().find_map(|value| value.field("level"));
        self.name == "_error" || level == Some("error") || code.ends_with(".BadName") || code.ends_with(".Denied")
    }

    /// Converts the response to the error of the command that it answers.
    pub(super) fn refused(&self, command: &'static str) -> RtmpError {
        let (code, description) = self.info();
        let words = format!("{code} {description}").to_ascii_lowercase();
        // nginx-rtmp: BadName "Already publishing"; SRS: StreamBusy; others: BadName "... already in use".
        let busy = ["streambusy", "stream busy", "already publishing", "already in use", "already exists"];
        if busy.iter().any(|word| words.contains(word)) {
            return RtmpError::Busy { code, description };
        }
        RtmpError::Refused { command, code, description }
    }
}
