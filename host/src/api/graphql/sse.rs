//! GraphQL over server-sent events, one request a connection (graphql-sse's distinct connections): `next` for each answer,
//! `complete` after the last. The stream is asked for the next answer only when the last one was written, so a slow
//! client holds up itself alone; when it goes away, everything is let go of.

use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::Response as Answer;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, StreamExt};

use super::endpoint::Endpoint;
use super::error::refusal;
use crate::control::access::Actor;

/// The stream of answers, until the caller's token is not taken any more.
pub fn respond(endpoint: Endpoint, actor: Arc<Actor>, answers: BoxStream<'static, Answer>) -> Response {
    let ping = endpoint.waits().ping;
    let stop = endpoint.stop().clone().cancelled_owned();
    let unwelcome = Box::pin(async move { endpoint.control().until_unwelcome(&actor).await });
    let answers = stream::unfold(Some((answers, unwelcome)), |state| async move {
        let (mut answers, mut unwelcome) = state?;
        tokio::select! {
            biased;
            error = &mut unwelcome => Some((refusal(&error), None)),
            answer = answers.next() => Some((answer?, Some((answers, unwelcome)))),
        }
    });
    let events =
        answers.take_until(stop).map(|answer| event("next", &serde_json::to_string(&answer).unwrap_or_default()));
    let events = events.chain(stream::once(async { event("complete", "") }));
    let keep_alive = KeepAlive::new().interval(ping);
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // nginx would collect it otherwise.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Sse::new(events).keep_alive(keep_alive)).into_response()
}

fn event(name: &str, data: &str) -> Result<Event, Infallible> {
    Ok(Event::default().event(name).data(data))
}
