//! `GET /metrics` for Prometheus: all metrics for a host-wide caller, those of a tenant's pipelines for the tenant's tokens.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;
use super::answer::Refusal;
use super::auth::Caller;
use super::retaining_body;
use crate::metrics;

/// The route `GET /metrics`, which needs the role viewer.
pub(super) fn router() -> Router<Api> {
    Router::new().route("/metrics", get(scrape))
}

async fn scrape(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Refusal> {
    let place = api.graphql.place(&actor)?;
    let (host, pipelines) = api.control.samples(&actor).await?;
    let text = metrics::render(host.as_ref(), &pipelines);
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], retaining_body::retain(text, place)).into_response())
}
