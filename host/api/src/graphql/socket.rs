//! GraphQL over WebSocket, by the protocol `graphql-transport-ws`.
//!
//! In: a connection and, in its `connection_init`, a token (`{"token": "…"}` or `{"authorization": "Bearer …"}`; not
//! needed where the request that opened it had one, or needs none). Whoever is known by that request has a place among its
//! tenant's connections at once; only who is not waits among the [`super::greetings`]. Out: the answers of its operations. One task a
//! connection owns all of it: when the client goes away, or does not take what is sent to it, the task ends and
//! everything is let go of. Bounds: [`crate::limits`], section GraphQL.

mod protocol;
mod session;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};

use super::http;
use super::slots::Kind;
use crate::Api;
use crate::answer::Refusal;
use crate::auth::Caller;
use crate::limits::{GRAPHQL_MESSAGE_BYTES_MAX, GRAPHQL_SOCKET_READ_BYTES, GRAPHQL_SOCKET_WRITE_BYTES_MAX};
use crate::peers::Peer;
use protocol::PROTOCOL;
use session::{Guest, Session};

/// Whether a text would be taken as a client's message.
#[cfg(any(test, feature = "fuzzing"))]
pub fn is_message(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| session::said(text).is_ok())
}

/// `GET /graphql`: upgrades to a WebSocket with the protocol `graphql-transport-ws`.
pub async fn open(
    State(api): State<Api>,
    caller: Result<Caller, Refusal>,
    peer: Peer,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else { return http::other().await };
    // Browsers open WebSockets to anywhere and send cookies along; they do say from where.
    if let Err(error) = api.door.check_origin(&headers, &uri) {
        return Refusal(error).into_response();
    }
    let guest = match caller {
        Ok(Caller(actor)) => match api.graphql.slots().take(Kind::Socket, &actor) {
            Ok(slot) => Guest::Known(actor, slot),
            Err(error) => return Refusal(error).into_response(),
        },
        // It may still say so.
        Err(_) => Guest::Unknown(api.graphql.greetings().enter(peer)),
    };
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(GRAPHQL_SOCKET_READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(GRAPHQL_SOCKET_WRITE_BYTES_MAX)
        .max_message_size(GRAPHQL_MESSAGE_BYTES_MAX)
        .max_frame_size(GRAPHQL_MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| Session::new(api.graphql, socket).run(guest))
}
