//! `/recordings/<pipeline>/<kind>.json` and `/evidence/<pipeline>/<id>.json`: recorded calls and failures of stages, for callers who
//! may see the pipeline's media.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::answer::Refusal;
use super::auth::Caller;
use super::graphql::Slot;

use super::retaining_body;
use outboard_control::error::ControlError;
use outboard_stage::StageKind;

/// `GET /recordings/{pipeline}/{kind}.json`: the last calls of a running stage.
pub async fn recording(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((pipeline, file)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let kind = file.strip_suffix(".json").and_then(|name| StageKind::ALL.into_iter().find(|kind| kind.name() == name));
    let absent = || {
        let known = StageKind::ALL.map(|kind| format!("{kind}.json")).join(", ");
        ControlError::NotFound(format!("there is no recording {file:?}; there are {known}"))
    };
    let kind = kind.ok_or_else(absent)?;
    let place = api.graphql.place(&actor)?;
    let recording = api.control.swaps().recording(&actor, &pipeline, kind).await?;
    let text = serde_json::to_vec(&recording);
    let text = text.map_err(|error| ControlError::Unavailable(format!("the recording cannot be written: {error}")))?;
    Ok(download(&format!("{kind}-recording.json"), text, place))
}

/// `GET /evidence/{pipeline}/{id}.json`: the evidence of a stage's failure.
pub async fn evidence(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((pipeline, file)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let id = file.strip_suffix(".json").unwrap_or(&file);
    let place = api.graphql.place(&actor)?;
    let path = api.control.swaps().evidence(&actor, &pipeline, id)?;
    let gone = |_| ControlError::NotFound(format!("there is no evidence {id:?} any more"));
    let text = tokio::fs::read(path).await.map_err(gone)?;
    Ok(download(&format!("evidence-{id}.json"), text, place))
}

/// A JSON response. `place`: the request's slot, kept until the client has read the text.
fn download(name: &str, text: Vec<u8>, place: Slot) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, retaining_body::retain(text, place)).into_response()
}
