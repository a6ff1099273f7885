//! GraphQL over WebSocket, by the protocol `graphql-transport-ws`.
//!
//! In: a connection and, in its `connection_init`, a token (`{"token": "…"}` or `{"authorization": "Bearer …"}`; not needed if the
//! request that opened the connection had one, or needs none). A client that this request identifies takes one of its tenant's
//! connections at once; any other is counted by [`super::unauthenticated_sockets`] until it has authenticated. Out: the answers of its
//! operations. One task owns the connection: it ends, and releases everything, when the client disconnects or does not read. Limits:
//! [`crate::limits`], section GraphQL.

mod protocol;
mod session;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};

use super::http;

use super::slots::SlotKind;
use crate::Api;
use crate::answer::Refusal;
use crate::auth::Caller;
use crate::limits::{GRAPHQL_MESSAGE_BYTES_MAX, GRAPHQL_SOCKET_READ_BYTES, GRAPHQL_SOCKET_WRITE_BYTES_MAX};
use crate::peers::Peer;

use protocol::PROTOCOL;
use session::{Client, Session};

/// True if a text is accepted as a client's message.
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
    // Browsers open WebSockets to any host and send cookies, but they name the page's origin.
    if let Err(error) = api.caller_policy.check_origin(&headers, &uri) {
        return Refusal(error).into_response();
    }
    let client = match caller {
        Ok(Caller(actor)) => match api.graphql.slots().take(SlotKind::Socket, &actor) {
            Ok(slot) => Client::Known(actor, slot),
            Err(error) => return Refusal(error).into_response(),
        },
        // It may still authenticate by `connection_init`.
        Err(_) => Client::Unknown(api.graphql.unauthenticated().enter(peer)),
    };
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(GRAPHQL_SOCKET_READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(GRAPHQL_SOCKET_WRITE_BYTES_MAX)
        .max_message_size(GRAPHQL_MESSAGE_BYTES_MAX)
        .max_frame_size(GRAPHQL_MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| Session::new(api.graphql, socket).run(client))
}
