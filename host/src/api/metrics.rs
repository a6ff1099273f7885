//! `GET /metrics` for Prometheus: everything for a host-wide caller, a tenant's own pipelines for one of its tokens.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;
use super::answer::Refusal;
use super::auth::Caller;
use super::held;
use crate::metrics;

/// The route `GET /metrics`, which needs the role viewer.
pub(super) fn router() -> Router<Api> {
    Router::new().route("/metrics", get(scrape))
}

async fn scrape(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Refusal> {
    let place = api.graphql.place(&actor)?;
    let (host, pipelines) = api.control.status().samples(&actor).await?;
    let text = metrics::render(host.as_ref(), &pipelines);
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], held::body(text, place)).into_response())
}
