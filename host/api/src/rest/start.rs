//! `POST /api/pipeline/start`: creates a pipeline, or starts an existing one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::body::{Body, Fields};
use super::status::Status;
use super::to_the_end;
use crate::Api;
use crate::answer::Refusal;

use crate::answer::RestAnswer;
use crate::auth::Caller;
use outboard_config::Defaults;
use outboard_config::Problem;
use outboard_control::Apply;
use outboard_control::Change;
use outboard_control::Control;
use outboard_control::NewPipeline;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;
use outboard_control::pipeline_handle::PipelineHandle;
use outboard_pipeline::settings::Destination;
use outboard_pipeline::settings::DestinationPatch;
use outboard_pipeline::settings::Patch;
use outboard_pipeline::settings::ProcessorPatch;
use outboard_pipeline::settings::Settings;
use outboard_pipeline::settings::SourcePatch;
use outboard_stage::limits::BATCH_SECONDS_DEFAULT;

/// The stream id if the call has none.
const STREAM_ID: &str = "live";

/// The fields of a call. An absent field is the default for a new pipeline, and keeps its value for an existing one.
#[derive(Debug, Clone)]
struct StartRequest {
    stream_id: String,
    source_url: String,
    batch_seconds: Option<u32>,
    /// `Some(None)`: no processor, the original audio is kept.
    processor_url: Option<Option<String>>,
    destination_url: Option<String>,
}

/// `POST /api/pipeline/start`: creates, changes or starts a pipeline.
pub async fn start(
    State(api): State<Api>,
    Caller(actor): Caller,
    body: Body,
) -> Result<Json<RestAnswer<Status>>, Refusal> {
    let request = StartRequest::read(body.fields())?;
    let started = to_the_end(async move {
        let (entry, what) =
            request.carry_out(&api.control, &api.defaults, &actor).await.map_err(under_callers_names)?;
        api.latest.note(entry.id());
        Ok((entry, what))
    });
    let (entry, what) = started.await?;
    let message = format!("pipeline {:?} {what}", entry.id().stream);
    Ok(Json(RestAnswer::new(message, Status::of(&entry))))
}

// === impl StartRequest ===

impl StartRequest {
    fn read(mut fields: Fields) -> Result<Self, ControlError> {
        let filled = |url: String| (!url.trim().is_empty()).then_some(url);
        let request = Self {
            source_url: fields.needed_text("sourceUrl").unwrap_or_default(),
            stream_id: fields.text("streamId").unwrap_or_else(|| STREAM_ID.to_owned()),
            batch_seconds: fields.whole("bufferDuration"),
            // An empty text means: no processor.
            processor_url: fields.text("audioProcessorUrl").map(filled),
            destination_url: fields.text("srsRtmpUrl").and_then(filled),
        };
        fields.finish()?;
        Ok(request)
    }

    /// Creates or starts the pipeline; returns it, and a phrase that says what was done.
    async fn carry_out(
        &self,
        control: &Control,
        defaults: &Defaults,
        actor: &Actor,
    ) -> Result<(Arc<PipelineHandle>, &'static str), ControlError> {
        match control.pipelines().get(actor, &self.stream_id) {
            Ok(entry) => self.start_again(control, actor, &entry).await,
            Err(ControlError::NotFound(_)) => {
                let new = NewPipeline {
                    tenant: None,
                    stream_id: self.stream_id.clone(),
                    patch: self.completed(defaults).patch(),
                    start: true,
                    note: None,
                };
                match control.pipelines().create(actor, new).await {
                    // Somebody else was faster.
                    Err(ControlError::Conflict(_)) => {
                        let entry = control.pipelines().get(actor, &self.stream_id)?;
                        self.start_again(control, actor, &entry).await
                    }
                    created => Ok((created?, "is new and starts")),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The request with defaults in place of absent fields.
    fn completed(&self, defaults: &Defaults) -> Self {
        Self {
            batch_seconds: self.batch_seconds.or(Some(BATCH_SECONDS_DEFAULT)),
            processor_url: self.processor_url.clone().or_else(|| Some(defaults.processor_url.clone())),
            destination_url: self.destination_url.clone().or_else(|| Some(defaults.destination(&self.stream_id))),
            ..self.clone()
        }
    }

    async fn start_again(
        &self,
        control: &Control,
        actor: &Actor,
        entry: &Arc<PipelineHandle>,
    ) -> Result<(Arc<PipelineHandle>, &'static str), ControlError> {
        let id = entry.id().to_string();
        let what = if entry.desired_running() { "runs already, with these settings" } else { "starts" };
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
            control.pipelines().update(actor, &id, change).await?;
        }
        // Nothing changes where it runs; whether the caller may do this is found out in any case.
        Ok((control.pipelines().start(actor, &id).await?, what))
    }

    /// True if a pipeline with these settings satisfies the request. Settings that REST does not have may have any value.
    fn is_met_by(&self, settings: &Settings) -> bool {
        // An invalid request is reported by the change that follows.
        let Ok(wished) = settings.patched(self.patch()) else { return false };
        let seconds = |settings: &Settings| settings.batch_seconds.or(Some(BATCH_SECONDS_DEFAULT));
        let same_seconds = seconds(&wished) == seconds(settings);
        same_seconds && wished == Settings { batch_seconds: wished.batch_seconds, ..settings.clone() }
    }

    fn patch(&self) -> Patch {
        let processor = |url: &String| ProcessorPatch { url: Some(url.clone()), ..ProcessorPatch::default() };
        // Named by its id, so that an existing destination keeps its other settings.
        let destination = |url: &String| DestinationPatch {
            id: Some(Destination { url: url.clone(), ..Destination::default() }.id()),
            url: Some(url.clone()),
            ..DestinationPatch::default()
        };
        Patch {
            source: Some(SourcePatch { url: Some(self.source_url.clone()), ..SourcePatch::default() }),
            processor: self.processor_url.as_ref().map(|url| url.as_ref().map(processor)),
            destinations: self.destination_url.as_ref().map(|url| vec![destination(url)]),
            batch_seconds: self.batch_seconds.map(Some),
            ..Patch::default()
        }
    }
}

/// Renames the paths of problems to the fields of the call.
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
