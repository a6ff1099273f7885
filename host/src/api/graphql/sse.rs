//! GraphQL over server-sent events, one request a connection (graphql-sse's distinct connections): `next` for each answer,
//! `complete` after the last. The stream is asked for the next answer only when the last one was written, so a slow
//! client holds up itself alone; when it goes away, everything is let go of.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Response as Answer;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::sleep;

use super::endpoint::Endpoint;
use super::error::refusal;
use crate::control::access::Actor;
use crate::control::error::ControlError;

/// A comment: that we are there, and whether the client is.
const PING: Bytes = Bytes::from_static(b":\n\n");
/// Browsers pass over an event without data.
const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata: \n\n");

struct Events {
    answers: BoxStream<'static, Answer>,
    unwelcome: BoxFuture<'static, ControlError>,
    ping: Duration,
}

/// The stream of answers, until the caller's token is not taken any more.
pub fn respond(endpoint: Endpoint, actor: Arc<Actor>, answers: BoxStream<'static, Answer>) -> Response {
    let (ping, stop) = (endpoint.waits().ping, endpoint.stop().clone().cancelled_owned());
    let unwelcome = Box::pin(async move { endpoint.control().until_unwelcome(&actor).await });
    let events = Events { answers: answers.take_until(stop).boxed(), unwelcome, ping };
    let events = stream::unfold(Some(events), |events| async move { Some(events?.next().await) });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // nginx would collect it otherwise.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
}

impl Events {
    /// What is written next, and whether there is more.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        tokio::select! {
            biased;
            error = &mut self.unwelcome => ([next(&refusal(&error)), COMPLETE].concat().into(), None),
            answer = self.answers.next() => match answer {
                Some(answer) => (next(&answer), Some(self)),
                None => (COMPLETE, None),
            },
            () = sleep(self.ping) => (PING, Some(self)),
        }
    }
}

fn next(answer: &Answer) -> Bytes {
    let json = serde_json::to_string(answer).unwrap_or_default();
    format!("event: next\ndata: {json}\n\n").into()
}
