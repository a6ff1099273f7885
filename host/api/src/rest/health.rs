//! Health checks for monitoring: `/livez` (the process answers), `/readyz` (the server can work) and `/api/health` (its streams are
//! healthy).
//!
//! Without a token `/api/health` reports on the host only; with one, on the caller's pipelines too.

use axum::Json;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;

use crate::Api;
use crate::answer::Refusal;

use crate::answer::RestAnswer;
use crate::auth::Caller;
use crate::limits::{HEALTH_CHECK_EVERY, HEALTH_CHECK_MAX, REST_NAMES_SHOWN};
use outboard_control::Control;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;
use outboard_control::health::HealthState;

/// The health of the server as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// `ok` or `failing`; `reasons` says why.
    status: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// Why the host cannot work; empty if it can.
    reasons: Vec<String>,
    /// Counts of the caller's pipelines; absent without a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pipelines: Option<Pipelines>,
}

/// The numbers of pipelines by health: those of a tenant, or all.
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
        // An invalid token is an error, not a call without a token.
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
    Ok((status, Json(RestAnswer::with(well, message, report))).into_response())
}

/// Why the host cannot work; the same for every caller.
async fn troubles(api: &Api) -> Vec<String> {
    let stopping = api.stop.is_cancelled().then(|| "the server is stopping".to_owned());
    stopping.into_iter().chain(api.checked.trouble(&api.control).await).collect()
}

/// The cached result of the last check. Anybody may call, and a check uses the database.
#[derive(Debug, Default)]
pub struct Checked(tokio::sync::Mutex<Option<(Instant, Option<String>)>>);

impl Checked {
    /// The reasons, at most [`HEALTH_CHECK_EVERY`] old. Concurrent callers share one check.
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
