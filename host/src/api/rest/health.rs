//! For machines that look whether we live: `/livez` (the process answers), `/readyz` (it can work) and `/api/health` (its
//! streams are as they should be).
//!
//! Without a token `/api/health` speaks of the host only; with one, of the caller's pipelines too.

use axum::Json;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;

use crate::api::Api;
use crate::api::answer::{Refusal, Told};
use crate::api::auth::Caller;
use crate::control::Control;
use crate::control::access::Actor;
use crate::control::error::ControlError;
use crate::control::health::HealthState;
use crate::limits::{HEALTH_CHECK_EVERY, HEALTH_CHECK_MAX, REST_NAMES_SHOWN};

/// The health of the server as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// `ok` or `failing`, with the reasons beside it.
    status: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// What is wrong; empty where nothing is.
    reasons: Vec<String>,
    /// The caller's, where they said who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pipelines: Option<Pipelines>,
}

/// A tenant's pipelines, or everyone's, by how they are.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pipelines {
    all: usize,
    on_air: usize,
    idle: usize,
    starting: usize,
    healthy: usize,
    degraded: usize,
    failing: usize,
}

/// `GET /livez`: the process answers requests.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the server can accept work; else 503 and the reasons.
pub async fn ready(State(api): State<Api>) -> Response {
    match troubles(&api).await.as_slice() {
        [] => "ok\n".into_response(),
        why => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", why.join("\n"))).into_response(),
    }
}

/// `GET /api/health`: the health of the server and of the pipelines that the caller may see.
pub async fn health(
    State(api): State<Api>,
    headers: HeaderMap,
    caller: Result<Caller, Refusal>,
) -> Result<Response, Refusal> {
    let caller = match caller {
        Ok(Caller(actor)) => Some(actor),
        // A token that is not valid is no reason to look well.
        Err(refusal) if headers.contains_key(AUTHORIZATION) => return Err(refusal),
        Err(Refusal(ControlError::Unauthenticated(_) | ControlError::Forbidden(_))) => None,
        Err(refusal) => return Err(refusal),
    };
    let mut reasons = troubles(&api).await;
    let pipelines = match caller {
        Some(actor) => Some(look(&api, &actor, &mut reasons)?),
        None => None,
    };
    let well = reasons.is_empty();
    let report = Report {
        status: if well { "ok" } else { "failing" },
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: api.control.status().uptime().0.as_secs(),
        reasons,
        pipelines,
    };
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let message = if well { "ok".to_owned() } else { report.reasons.join("; ") };
    Ok((status, Json(Told::with(well, message, report))).into_response())
}

/// What keeps the host from working, whoever asks.
async fn troubles(api: &Api) -> Vec<String> {
    let stopping = api.stop.is_cancelled().then(|| "the server is stopping".to_owned());
    stopping.into_iter().chain(api.checked.trouble(&api.control).await).collect()
}

/// The last look at whether the host can work: anybody may ask, and a look costs a turn at the database.
#[derive(Debug, Default)]
pub struct Checked(tokio::sync::Mutex<Option<(Instant, Option<String>)>>);

impl Checked {
    /// What keeps it, as of [`HEALTH_CHECK_EVERY`] ago at most. All who ask at once share a look.
    async fn trouble(&self, control: &Control) -> Option<String> {
        let mut last = self.0.lock().await;
        if let Some((at, trouble)) = last.as_ref()
            && at.elapsed() < HEALTH_CHECK_EVERY
        {
            return trouble.clone();
        }
        let trouble = match tokio::time::timeout(HEALTH_CHECK_MAX, control.status().ready()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("the database did not answer within {HEALTH_CHECK_MAX:?}")),
        };
        *last = Some((Instant::now(), trouble.clone()));
        trouble
    }
}

fn look(api: &Api, actor: &Actor, reasons: &mut Vec<String>) -> Result<Pipelines, ControlError> {
    let mut pipelines = Pipelines::default();
    for entry in api.control.pipelines().list(actor, None)? {
        let snapshot = entry.snapshot();
        pipelines.all += 1;
        pipelines.on_air += usize::from(snapshot.on_air());
        let count = match snapshot.health.state {
            HealthState::Idle => &mut pipelines.idle,
            HealthState::Starting => &mut pipelines.starting,
            HealthState::Healthy => &mut pipelines.healthy,
            HealthState::Degraded => &mut pipelines.degraded,
            HealthState::Failing => &mut pipelines.failing,
        };
        *count += 1;
        if snapshot.health.state == HealthState::Failing && reasons.len() < REST_NAMES_SHOWN {
            reasons.push(format!("{}: {}", entry.id(), snapshot.health.reason));
        }
    }
    Ok(pipelines)
}
