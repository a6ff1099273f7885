//! `POST /api/pipeline/stop`: stops a pipeline. Idempotent.

use axum::Json;
use axum::extract::State;

use super::body::Body;
use super::status::Status;
use super::{chosen, to_the_end};
use crate::Api;
use crate::answer::Refusal;

use crate::answer::RestAnswer;
use crate::auth::Caller;
use outboard_control::runner::StopMode;

/// `POST /api/pipeline/stop`: answers once the desired state is stored; buffered media may still go on air.
pub async fn stop(
    State(api): State<Api>,
    Caller(actor): Caller,
    body: Body,
) -> Result<Json<RestAnswer<Status>>, Refusal> {
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
    Ok(Json(RestAnswer::new(format!("pipeline {:?} {what}", entry.id().stream), status)))
}
