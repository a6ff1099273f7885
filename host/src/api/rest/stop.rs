//! `POST /api/pipeline/stop`: stops a pipeline; one that is stopped stays so.

use axum::Json;
use axum::extract::State;

use super::body::Body;
use super::status::Status;
use super::{chosen, to_the_end};
use crate::api::Api;
use crate::api::answer::{Refusal, Told};
use crate::api::auth::Caller;
use crate::control::runner::StopMode;

/// The handler. Answers when the wish is kept; what is buffered may still go on air.
pub async fn stop(State(api): State<Api>, Caller(actor): Caller, body: Body) -> Result<Json<Told<Status>>, Refusal> {
    let mut fields = body.fields();
    let stream = fields.text("streamId");
    let mode = if fields.flag("drain").unwrap_or(true) { StopMode::Drain } else { StopMode::AtOnce };
    fields.finish()?;
    let id = chosen(&api, &actor, stream)?.id().to_string();
    let entry = to_the_end(async move { api.control.pipelines().stop(&actor, &id, mode).await }).await?;
    let status = Status::of(&entry);
    let what = match (status.is_running(), mode) {
        (false, _) => "is stopped",
        (true, StopMode::Drain) => "stops when what is buffered has gone on air",
        (true, StopMode::AtOnce) => "stops at once",
    };
    Ok(Json(Told::new(format!("pipeline {:?} {what}", entry.id().stream), status)))
}
