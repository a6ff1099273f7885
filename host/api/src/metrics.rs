//! `GET /metrics` for Prometheus: all metrics for a host-wide caller, those of a tenant's pipelines for the tenant's tokens.

use crate::openmetrics;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;
use super::answer::Refusal;
use super::auth::Caller;

use super::retaining_body;

/// The route `GET /metrics`, which needs the role viewer.
pub(super) fn router() -> Router<Api> {
    Router::new().route("/metrics", get(scrape))
}

async fn scrape(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Refusal> {
    let place = api.graphql.place(&actor)?;
    let (host, pipelines) = api.control.status().samples(&actor).await?;
    let text = openmetrics::render(host.as_ref(), &pipelines);
    Ok(([(CONTENT_TYPE, openmetrics::CONTENT_TYPE)], retaining_body::retain(text, place)).into_response())
}
