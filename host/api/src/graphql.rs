//! The GraphQL API: HTTP, WebSocket and server-sent events over one schema.
//!
//! In: requests, and who is calling (`api/auth.rs`). Out: the core's answers, each error with its code. The way through the
//! files: [`http`], [`socket`] and [`sse`] are the transports, [`upload`] reads requests with a file; [`slots`] and [`budget`] are
//! asked before anything is read, [`admit`] refuses what is too large, [`endpoint`] runs the rest; `query`, `mutation` and `subscription` translate to the core, `types` translate back. Nothing here decides who
//! may do what: the core does.

mod admit;
mod budget;
mod context;
mod endpoint;
mod error;
mod form;
mod greetings;
mod http;
mod mutation;
mod nearest;
mod paging;
mod query;
mod scalars;
mod slots;
mod socket;
mod sse;
mod subscription;
mod types;
mod upload;
mod written;

use async_graphql::SDLExportOptions;
use axum::Router;
use axum::routing::{get, post};

#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;

pub use endpoint::Endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::requests as fuzz_requests;
pub use slots::{Kind, Slot};

use super::Api;

/// The schema, in its own language.
pub fn sdl() -> String {
    endpoint::bare().finish().sdl_with_options(SDLExportOptions::new().prefer_single_line_descriptions())
}

/// Routes of GraphQL: POST, WebSocket and the schema as a file.
pub fn router() -> Router<Api> {
    Router::new()
        .route("/graphql", post(http::post).get(socket::open).fallback(http::other))
        .route("/graphql/schema.graphql", get(http::schema))
}

#[cfg(test)]
mod tests;
