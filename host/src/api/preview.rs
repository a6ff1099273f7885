//! `GET /preview/<pipeline>/…`: what went on air, as HLS, and the media of each kept batch. See [`crate::preview`].

use axum::Router;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing;

use super::Api;
use super::answer::{self, Refusal};
use super::auth::Caller;
use crate::preview::{self, Wanted};

/// The addresses of all previews.
pub(super) fn router() -> Router<Api> {
    Router::new().route("/preview/{pipeline}/{*wanted}", routing::get(show))
}

async fn show(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((pipeline, wanted)): Path<(String, String)>,
    request: Parts,
) -> Result<Response, Refusal> {
    let preview = api.control.preview(&actor, &pipeline).await?;
    Ok(match Wanted::parse(&wanted) {
        Some(wanted) => preview::serve(preview, wanted, &request).await,
        None => answer::absent(request.uri.path()),
    })
}
