//! GraphQL over server-sent events, one request per connection (the distinct connections mode of graphql-sse): `next` for each
//! result, `complete` after the last. The next result is computed when the previous one was written, so a slow client delays only
//! itself. When it disconnects, everything is released.

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

use super::bounded_json;
use super::endpoint::Endpoint;
use super::error::refusal;
use super::slots::Slot;

use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// A comment that keeps the connection open, and detects clients that are gone.
const PING: Bytes = Bytes::from_static(b":\n\n");
/// The last event. Its data is empty but present, as browsers ignore an event without data.
const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata: \n\n");

struct Events {
    endpoint: Endpoint,
    actor: Arc<Actor>,
    /// The slot of the last result's bytes, kept until the next one is polled.
    waiting: Option<Slot>,
    answers: BoxStream<'static, Answer>,
    unwelcome: BoxFuture<'static, ControlError>,
    ping: Duration,
}

/// The stream of results, which ends when the caller's token is no longer valid.
pub fn respond(endpoint: Endpoint, actor: Arc<Actor>, answers: BoxStream<'static, Answer>) -> Response {
    let (ping, stop) = (endpoint.waits().ping, endpoint.stop().clone().cancelled_owned());
    let (control, caller) = (endpoint.control().clone(), actor.clone());
    let unwelcome = Box::pin(async move { control.tenancy().until_unwelcome(&caller).await });
    let answers = answers.take_until(stop).boxed();
    let events = Events { endpoint, actor, waiting: None, answers, unwelcome, ping };
    let events = stream::unfold(Some(events), |events| async move { Some(events?.next().await) });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // Otherwise nginx would buffer the stream.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
}

impl Events {
    /// The next piece to write, and whether more follow.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        self.waiting = None;
        tokio::select! {
            biased;
            error = &mut self.unwelcome => ([next(&refusal(&error)), COMPLETE].concat().into(), None),
            answer = self.answers.next() => match answer {
                Some(answer) => match bounded_json::serialize(self.endpoint.slots(), &self.actor, &answer) {
                    Ok((json, waiting)) => {
                        self.waiting = Some(waiting);
                        (event(&json), Some(self))
                    }
                    Err(error) => ([next(&refusal(&error)), COMPLETE].concat().into(), None),
                },
                None => (COMPLETE, None),
            },
            () = sleep(self.ping) => (PING, Some(self)),
        }
    }
}

fn next(answer: &Answer) -> Bytes {
    event(&serde_json::to_vec(answer).unwrap_or_default())
}

fn event(json: &[u8]) -> Bytes {
    [b"event: next\ndata: ", json, b"\n\n"].concat().into()
}
