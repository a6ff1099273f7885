//! GraphQL over HTTP: POST with a JSON body, answered with JSON or, where the client accepts that, with a stream of events.
//!
//! Foreign pages cannot call it by a browser that has the UI's cookie: a form cannot send `application/json`, and a script of another
//! origin needs a preflight, which is refused. A body has one request; batches are not supported.
//!
//! A request takes one of its tenant's slots ([`super::SlotKind::Answer`]) before its body is read, and keeps it until the client has
//! read the answer. The bytes of the answer are counted too ([`super::SlotKind::Waiting`]).

use std::sync::Arc;

use async_graphql::{Request, Response as Answer};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::endpoint::{Endpoint, is_over};
use super::error::refusal;
use super::request;

use super::sse;
use super::upload;

use crate::Api;
use crate::answer::Refusal;
use crate::answer::status;
use crate::auth::Caller;

use super::bounded_json;

use crate::limits::{GRAPHQL_BODY_BYTES_MAX, GRAPHQL_BODY_TIMEOUT};
use crate::retaining_body;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// With this type, the HTTP status also says whether a request was run.
const GRAPHQL_JSON: HeaderValue = HeaderValue::from_static("application/graphql-response+json");

/// The forms of an answer that a client may accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepted {
    Json,
    GraphqlJson,
    Events,
}

/// `POST /graphql`: one operation as JSON, answered as JSON or as server-sent events.
pub async fn post(State(api): State<Api>, caller: Result<Caller, Refusal>, headers: HeaderMap, body: Body) -> Response {
    let accepted = accepted(&headers);
    let Caller(actor) = match caller {
        Ok(caller) => caller,
        Err(Refusal(error)) => return refused(&error, accepted),
    };
    let endpoint = &api.graphql;
    let place = match endpoint.place(&actor) {
        Ok(place) => Arc::new(place),
        Err(error) => return refused(&error, accepted),
    };
    let request = match read(endpoint, &actor, &headers, body).await {
        Ok(request) => request,
        Err((status, error)) => return answered(status, &refusal(&error), accepted),
    };
    let admitted = match endpoint.admit(&actor, request) {
        Ok(admitted) => admitted,
        Err(answer) => return answered(not_run(accepted), &answer, accepted),
    };
    if accepted == Accepted::Events {
        return match endpoint.follow(actor.clone(), admitted, place) {
            Ok(answers) => sse::respond(endpoint.clone(), actor, answers),
            Err(error) => refused(&error, accepted),
        };
    }
    let answer = endpoint.answer(actor.clone(), admitted, place.clone()).await;
    let run = !is_over(&answer) || answer.errors.iter().any(|error| !error.path.is_empty());
    let status = if run { StatusCode::OK } else { not_run(accepted) };
    // Serialising the answer is measured as work of the caller.
    match bounded_json::serialize(endpoint.slots(), &actor, &answer) {
        Ok((json, waiting)) => respond(status, retaining_body::retain(json, (place, waiting)), accepted),
        Err(error) => answered(status, &refusal(&error), accepted),
    }
}

/// The first supported type in the client's `Accept` header; JSON without one.
fn accepted(headers: &HeaderMap) -> Accepted {
    let lists = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let mut kinds =
        lists.flat_map(|list| list.split(',')).map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let known = kinds.find_map(|kind| match kind.to_ascii_lowercase().as_str() {
        "text/event-stream" => Some(Accepted::Events),
        "application/graphql-response+json" => Some(Accepted::GraphqlJson),
        "application/json" => Some(Accepted::Json),
        _ => None,
    });
    known.unwrap_or(Accepted::Json)
}

/// The status of a request that is well-formed HTTP and was not run.
fn not_run(accepted: Accepted) -> StatusCode {
    // As the specification says: with plain JSON, the status is 200 and the body has the error.
    if accepted == Accepted::Json { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}

async fn read(
    endpoint: &Endpoint,
    actor: &Actor,
    headers: &HeaderMap,
    body: Body,
) -> Result<Request, (StatusCode, ControlError)> {
    let whole = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = whole.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("multipart/form-data") {
        return upload::read(endpoint, actor, headers, whole, body).await;
    }
    if !kind.eq_ignore_ascii_case("application/json") {
        let error =
            ControlError::invalid("Content-Type", "must be application/json, or multipart/form-data for an upload");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    let bytes = tokio::time::timeout(GRAPHQL_BODY_TIMEOUT, axum::body::to_bytes(body, GRAPHQL_BODY_BYTES_MAX)).await;
    let bytes: Bytes = match bytes {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let text = format!("the request is longer than {GRAPHQL_BODY_BYTES_MAX} bytes, or broke off");
            return Err((StatusCode::PAYLOAD_TOO_LARGE, ControlError::LimitExceeded(text)));
        }
        Err(_) => {
            let text = format!("the request was not there within {GRAPHQL_BODY_TIMEOUT:?}");
            return Err((StatusCode::REQUEST_TIMEOUT, ControlError::LimitExceeded(text)));
        }
    };
    request::request(&bytes)
}

fn refused(error: &ControlError, accepted: Accepted) -> Response {
    let mut response = answered(status(error), &refusal(error), accepted);
    // Headers of the error, such as how to authenticate.
    let with = Refusal(error.clone()).into_response();
    for (name, value) in
        with.headers().iter().filter(|(name, _)| ![CONTENT_TYPE, axum::http::header::CONTENT_LENGTH].contains(name))
    {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// A response with an answer that is not counted, as it is short.
fn answered(status: StatusCode, answer: &Answer, accepted: Accepted) -> Response {
    respond(status, serde_json::to_vec(answer).unwrap_or_default().into(), accepted)
}

fn respond(status: StatusCode, body: Body, accepted: Accepted) -> Response {
    let kind = if accepted == Accepted::GraphqlJson { GRAPHQL_JSON } else { JSON };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, body).into_response()
}

/// The answer to unsupported methods.
pub async fn other() -> Response {
    let error = ControlError::invalid("method", "must be POST, or GET to open a WebSocket");
    let mut response = answered(StatusCode::METHOD_NOT_ALLOWED, &refusal(&error), Accepted::Json);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// `GET /graphql/schema.graphql`: the schema; public.
pub async fn schema() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, super::sdl()).into_response()
}
