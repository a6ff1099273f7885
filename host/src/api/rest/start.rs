//! `POST /api/pipeline/start`: makes a pipeline, or starts the one that is there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::body::{Body, Fields};
use super::status::Status;
use super::to_the_end;
use crate::api::Api;
use crate::api::answer::Refusal;
use crate::api::auth::Caller;
use crate::config::Problem;
use crate::control::access::Actor;
use crate::control::entry::Entry;
use crate::control::error::ControlError;
use crate::control::settings::{Destination, DestinationPatch, Patch, ProcessorPatch, Settings, SourcePatch};
use crate::control::{Apply, Change, Control, NewPipeline};
use crate::limits::BATCH_SECONDS_DEFAULT;

/// The stream id where none is given.
const STREAM_ID: &str = "live";

/// What a caller wants to run.
#[derive(Debug, Clone)]
struct Wish {
    stream_id: String,
    source_url: String,
    batch_seconds: u32,
    processor_url: Option<String>,
    destination_url: String,
}

/// The handler.
pub async fn start(State(api): State<Api>, Caller(actor): Caller, body: Body) -> Result<Json<Status>, Refusal> {
    let wish = Wish::read(body.fields())?;
    let entry = to_the_end(async move {
        let entry = wish.fulfil(&api.control, &actor).await.map_err(under_callers_names)?;
        api.latest.note(entry.id());
        Ok(entry)
    });
    Ok(Json(Status::of(&*entry.await?)))
}

// === impl Wish ===

impl Wish {
    fn read(mut fields: Fields) -> Result<Self, ControlError> {
        let wish = Self {
            source_url: fields.needed_text("sourceUrl").unwrap_or_default(),
            stream_id: fields.text("streamId").unwrap_or_else(|| STREAM_ID.to_owned()),
            batch_seconds: fields.whole("bufferDuration").unwrap_or(BATCH_SECONDS_DEFAULT),
            // Scripts leave it empty where there is none.
            processor_url: fields.text("audioProcessorUrl").filter(|url| !url.trim().is_empty()),
            destination_url: fields.needed_text("srsRtmpUrl").unwrap_or_default(),
        };
        fields.finish()?;
        Ok(wish)
    }

    async fn fulfil(&self, control: &Control, actor: &Actor) -> Result<Arc<Entry>, ControlError> {
        match control.pipeline(actor, &self.stream_id) {
            Ok(entry) => self.start_again(control, actor, &entry).await,
            Err(ControlError::NotFound(_)) => {
                let new = NewPipeline {
                    tenant: None,
                    stream_id: self.stream_id.clone(),
                    patch: self.patch(),
                    start: true,
                    note: None,
                };
                match control.create(actor, new).await {
                    // Somebody else was faster.
                    Err(ControlError::Conflict(_)) => {
                        let entry = control.pipeline(actor, &self.stream_id)?;
                        self.start_again(control, actor, &entry).await
                    }
                    created => created,
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn start_again(
        &self,
        control: &Control,
        actor: &Actor,
        entry: &Arc<Entry>,
    ) -> Result<Arc<Entry>, ControlError> {
        let id = entry.id().to_string();
        if !self.is_met_by(&entry.settings()) {
            if entry.desired_running() {
                let stream = &entry.id().stream;
                return Err(ControlError::Conflict(format!(
                    "{stream:?} runs with other settings; stop it first, or give another streamId"
                )));
            }
            let change = Change {
                patch: self.patch(),
                expected_revision: Some(entry.revision()),
                apply: Apply::NextStart,
                note: None,
            };
            control.update(actor, &id, change).await?;
        }
        // Nothing changes where it runs; whether the caller may do this is found out in any case.
        control.start(actor, &id).await
    }

    /// Whether a pipeline with these settings is what is wished for. What REST cannot say may be anything.
    fn is_met_by(&self, settings: &Settings) -> bool {
        // What is wrong with the wish is told by the change that it takes.
        let Ok(wished) = settings.patched(self.patch()) else { return false };
        let seconds = settings.batch_seconds.or(Some(BATCH_SECONDS_DEFAULT));
        wished == Settings { batch_seconds: seconds, ..settings.clone() }
    }

    fn patch(&self) -> Patch {
        let destination = Destination { url: self.destination_url.clone(), ..Destination::default() };
        Patch {
            source: Some(SourcePatch { url: Some(self.source_url.clone()), ..SourcePatch::default() }),
            processor: Some(
                self.processor_url.clone().map(|url| ProcessorPatch { url: Some(url), ..ProcessorPatch::default() }),
            ),
            // By its id too: one that is there keeps what else is set of it.
            destinations: Some(vec![DestinationPatch {
                id: Some(destination.id()),
                url: Some(destination.url),
                ..DestinationPatch::default()
            }]),
            batch_seconds: Some(Some(self.batch_seconds)),
            ..Patch::default()
        }
    }
}

/// Problems under the names of the call's fields.
fn under_callers_names(error: ControlError) -> ControlError {
    let ControlError::InvalidInput(problems) = error else { return error };
    let renamed = problems.into_iter().map(|Problem { path, message }| Problem {
        path: match path.as_str() {
            "batchSeconds" => "bufferDuration".to_owned(),
            path if path.starts_with("source.") => "sourceUrl".to_owned(),
            path if path.starts_with("processor.") => "audioProcessorUrl".to_owned(),
            path if path.starts_with("destinations") => "srsRtmpUrl".to_owned(),
            _ => path,
        },
        message,
    });
    ControlError::InvalidInput(renamed.collect())
}
