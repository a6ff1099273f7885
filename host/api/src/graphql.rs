//! The GraphQL API: HTTP, WebSocket and server-sent events over one schema.
//!
//! In: requests and their callers (`api/auth.rs`). Out: the answers of the control plane, each error with its code. [`http`],
//! [`socket`] and [`sse`] are the transports, [`upload`] reads requests with a file. [`slots`] and [`budget`] are checked before a
//! request is read, [`request_limits`] before it is run by [`endpoint`]. `query`, `mutation` and `subscription` translate calls for the
//! control plane, `types` translate its answers. The control plane decides what a caller may do.

mod bare_schema;
mod bounded_json;
mod budget;
mod context;
mod endpoint;
mod error;
mod http;
mod multipart;
mod mutation;
mod nearest;
mod paging;
mod query;
mod request;
mod request_limits;
mod scalars;
mod slots;
mod socket;
mod sse;
mod subscription;
mod types;
mod unauthenticated_sockets;
mod upload;

use async_graphql::SDLExportOptions;
use axum::Router;
use axum::routing::{get, post};

#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;

pub use endpoint::Endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::requests as fuzz_requests;
pub use slots::{Slot, SlotKind};

use super::Api;

/// The schema in the GraphQL schema definition language.
pub fn sdl() -> String {
    bare_schema::bare().finish().sdl_with_options(SDLExportOptions::new().prefer_single_line_descriptions())
}

/// The routes of GraphQL: POST, WebSocket, and the schema as a file.
pub fn router() -> Router<Api> {
    Router::new()
        .route("/graphql", post(http::post).get(socket::open).fallback(http::other))
        .route("/graphql/schema.graphql", get(http::schema))
}

#[cfg(test)]
mod tests;
