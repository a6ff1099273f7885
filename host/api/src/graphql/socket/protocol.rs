//! Messages of `graphql-transport-ws`, and the codes that a connection is closed with.

use async_graphql::{Request, Response, ServerError};
use axum::extract::ws::{CloseFrame, Message};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use outboard_control::error::ControlError;

/// Name of the subprotocol in `Sec-WebSocket-Protocol`.
pub const PROTOCOL: &str = "graphql-transport-ws";

/// A message from the client to the server.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromClient {
    /// Opens the session; its payload may have the token.
    ConnectionInit {
        /// The payload, which may have a token.
        #[serde(default)]
        payload: Option<Value>,
    },
    /// Asks for a pong.
    Ping {},
    /// The client's answer to the server's ping.
    Pong {},
    /// Begins the operation with this id.
    Subscribe {
        /// The client's id of the operation.
        id: String,
        /// Query, variables and operation name.
        payload: Box<Request>,
    },
    /// Ends the operation with this id; no more results are sent for it.
    Complete {
        /// The client's id of the operation.
        id: String,
    },
}

/// A message from the server to the client.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToClient<'a> {
    /// The client is authenticated.
    ConnectionAck,
    /// The server's answer to the client's ping.
    Pong,
    /// A result of an operation.
    Next {
        /// The client's id of the operation.
        id: &'a str,
        /// The data and errors of one result.
        payload: &'a Response,
    },
    /// The operation failed before it began, and has ended.
    Error {
        /// The client's id of the operation.
        id: &'a str,
        /// Why the operation was not begun.
        payload: &'a [ServerError],
    },
    /// The operation with this id has ended; no more results follow.
    Complete {
        /// The client's id of the operation.
        id: &'a str,
    },
}

/// Why the server closes a connection. The codes are those of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// A message is invalid.
    BadRequest(String),
    /// The client is not authenticated, or no longer.
    Unauthorized(String),
    /// The tenant has too many connections.
    Forbidden(String),
    /// The client uses another protocol.
    WrongProtocol,
    /// The client did not authenticate in time.
    InitTimeout,
    /// An operation with this id is running.
    SubscriberExists(String),
    /// The client sent `connection_init` twice.
    TooManyInits,
    /// The server is shutting down; the client may reconnect.
    GoingAway,
}

impl ToClient<'_> {
    /// The message in the form that is sent.
    pub fn message(&self) -> Message {
        Message::Text(serde_json::to_string(self).unwrap_or_default().into())
    }
}

impl Closing {
    /// The message in the form that is sent.
    pub fn message(&self) -> Message {
        let (code, reason) = match self {
            Self::BadRequest(why) => (4400, why.clone()),
            Self::Unauthorized(why) => (4401, format!("Unauthorized: {why}")),
            Self::Forbidden(why) => (4403, format!("Forbidden: {why}")),
            Self::WrongProtocol => (4406, format!("Subprotocol not acceptable: only {PROTOCOL} is spoken")),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::SubscriberExists(id) => (4409, format!("Subscriber for {id} already exists")),
            Self::GoingAway => (1001, "the server is going away".to_owned()),
            Self::TooManyInits => (4429, "Too many initialisation requests".to_owned()),
        };
        Message::Close(Some(CloseFrame { code, reason: short(&reason).into() }))
    }
}

impl From<ControlError> for Closing {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Unauthenticated(why) => Self::Unauthorized(why),
            other => Self::Forbidden(other.to_string()),
        }
    }
}

/// A reason cut to the 123 bytes that a close frame may have.
fn short(reason: &str) -> String {
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default().to_owned()
}

/// The token in the payload of `connection_init`, if it has one.
///
/// # Errors
/// [`Closing::BadRequest`] if it has another form than a token.
pub fn token(payload: Option<&Value>) -> Result<Option<String>, Closing> {
    let given = |name: &str| payload.and_then(|payload| payload.get(name)).filter(|value| !value.is_null());
    let wrong =
        || Closing::BadRequest("the payload must be {\"token\": \"…\"} or {\"authorization\": \"Bearer …\"}".into());
    if let Some(token) = given("token") {
        return token.as_str().map(|token| Some(token.trim().to_owned())).ok_or_else(wrong);
    }
    let Some(header) = given("authorization").or_else(|| given("Authorization")) else { return Ok(None) };
    let (scheme, token) = header.as_str().and_then(|header| header.split_once(' ')).ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim().to_owned())) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_found_in_either_place() {
        assert_eq!(token(None), Ok(None));
        assert_eq!(token(Some(&json!({}))), Ok(None));
        assert_eq!(token(Some(&json!({ "token": null }))), Ok(None));
        assert_eq!(token(Some(&json!({ "token": " t " }))), Ok(Some("t".into())));
        for name in ["authorization", "Authorization"] {
            assert_eq!(token(Some(&json!({ name: "bearer  t" }))), Ok(Some("t".into())));
        }
        for wrong in [json!({ "token": 1 }), json!({ "authorization": "t" }), json!({ "authorization": "Basic t" })] {
            assert!(matches!(token(Some(&wrong)), Err(Closing::BadRequest(_))), "{wrong}");
        }
    }

    #[test]
    fn a_reason_fits_its_frame() {
        let Message::Close(Some(frame)) = Closing::BadRequest("ä".repeat(200)).message() else { panic!() };
        assert!(frame.reason.len() <= 123 && frame.code == 4400);
    }
}
