//! The REST API of the original plan, and the addresses for monitoring. It uses the same control plane as GraphQL.
//!
//! Every route is a row of [`table`]; a test compares the rows with `openapi.json`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};

use super::answer::Refusal;
use super::auth::Caller;
use super::{Api, preview, session, stages};
use crate::limits::{REST_BODY_BYTES_MAX, REST_NAMES_SHOWN};
use outboard_control::access::Actor;
use outboard_control::error::ControlError;
use outboard_control::id::PipelineId;
use outboard_control::pipeline_handle::PipelineHandle;

pub mod body;
mod health;
mod openapi;
mod start;
mod status;
mod stop;
mod storage;

pub(super) use health::Checked;

/// The routes: method, address and handler.
type Route = (Method, &'static str, MethodRouter<Api>);

fn table() -> Vec<Route> {
    vec![
        post("/api/pipeline/start", start::start),
        post("/api/pipeline/stop", stop::stop),
        get("/api/pipeline/status", status::status),
        get("/api/storage/stats", storage::stats),
        post("/api/storage/clean", storage::clean),
        get("/api/session", session::show),
        post("/api/session", session::open),
        delete("/api/session", session::close),
        get("/api/health", health::health),
        get("/preview/{pipeline}/index.m3u8", preview::playlist),
        get("/preview/{pipeline}/batch/{number}/{media}", preview::media),
        get("/recordings/{pipeline}/{file}", stages::recording),
        get("/evidence/{pipeline}/{file}", stages::evidence),
        get("/livez", health::alive),
        get("/readyz", health::ready),
        get("/api/openapi.json", openapi::openapi),
    ]
}

/// Routes that take no request slot here: they answer everybody, or their handler takes the slot and keeps it until the answer was
/// read.
const WITHOUT_PLACE: [&str; 7] = [
    "/api/session",
    "/api/health",
    "/livez",
    "/readyz",
    "/api/openapi.json",
    "/recordings/{pipeline}/{file}",
    "/evidence/{pipeline}/{file}",
];

/// All routes of the REST API.
pub(super) fn router(api: &Api) -> Router<Api> {
    let add = |router: Router<Api>, (_, path, handler): Route| {
        let bounded = !WITHOUT_PLACE.contains(&path);
        router.route(path, if bounded { handler.layer(from_fn_with_state(api.clone(), in_place)) } else { handler })
    };
    table().into_iter().fold(Router::new(), add).layer(DefaultBodyLimit::max(REST_BODY_BYTES_MAX))
}

/// Takes one of the tenant's request slots before the body is read, and keeps it until the answer begins. Callers that are not
/// authenticated get their error from the handler.
async fn in_place(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let place = match Caller::from_request_parts(&mut parts, &api).await {
        Ok(Caller(actor)) => match api.graphql.place(&actor) {
            Ok(place) => Some(place),
            Err(error) => return Refusal(error).into_response(),
        },
        Err(_) => None,
    };
    let response = next.run(Request::from_parts(parts, body)).await;
    drop(place);
    response
}

fn get<H: Handler<T, Api>, T: 'static>(path: &'static str, handler: H) -> Route {
    (Method::GET, path, routing::get(handler))
}

fn post<H: Handler<T, Api>, T: 'static>(path: &'static str, handler: H) -> Route {
    (Method::POST, path, routing::post(handler))
}

fn delete<H: Handler<T, Api>, T: 'static>(path: &'static str, handler: H) -> Route {
    (Method::DELETE, path, routing::delete(handler))
}

/// Runs a change to its end, even if the caller disconnects meanwhile.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ControlError>> + Send + 'static,
) -> Result<T, ControlError> {
    let failed = |_| ControlError::Unavailable("the request failed; the log has the details".to_owned());
    tokio::spawn(work).await.map_err(failed)?
}

/// The pipeline that REST started last, for each tenant, since the server started.
#[derive(Debug, Default)]
pub struct Latest(Mutex<BTreeMap<String, String>>);

impl Latest {
    fn note(&self, id: &PipelineId) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.insert(id.tenant.clone(), id.stream.clone());
    }

    fn of(&self, tenant: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }
}

/// The pipeline that a call is about: the one that it names, else the one that REST started last, else the only one.
fn chosen(api: &Api, actor: &Actor, stream: Option<String>) -> Result<Arc<PipelineHandle>, ControlError> {
    if let Some(stream) = stream {
        return api.control.pipelines().get(actor, &stream);
    }
    let own = api.control.pipelines().list(actor, Some(actor.home()))?;
    let latest = api.latest.of(actor.home());
    if let Some(found) = latest.and_then(|latest| own.iter().find(|entry| entry.id().stream == latest)) {
        return Ok(found.clone());
    }
    match own.as_slice() {
        [] => Err(ControlError::NotFound("there is no pipeline; POST /api/pipeline/start makes one".to_owned())),
        [only] => Ok(only.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|entry| entry.id().stream.as_str()).collect();
            Err(ControlError::Conflict(format!(
                "there are several pipelines; set streamId to one of: {}",
                listed(&names)
            )))
        }
    }
}

fn listed(names: &[&str]) -> String {
    let mut text = names.iter().take(REST_NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
    if let Some(more) = names.len().checked_sub(REST_NAMES_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests;
