//! `GET /api/pipeline/status`: the status of a pipeline, with the field names of the original plan.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;

use super::body::Query;
use super::chosen;
use crate::Api;
use crate::answer::Refusal;

use crate::answer::RestAnswer;
use crate::auth::Caller;
use outboard_base::unix_time::now_ms;
use outboard_control::error::ControlError;
use outboard_control::health::Health;
use outboard_control::pipeline_handle::PipelineHandle;
use outboard_control::runner::RunState;
use outboard_control::snapshot::Snapshot;
use outboard_pipeline::settings::Settings;
use outboard_pipeline::timings::Step;

/// The status of one pipeline, as REST returns it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    is_running: bool,
    phase: &'static str,
    stream_id: Option<String>,
    source_url: Option<String>,
    stats: Counts,
    last_error: Option<String>,
    last_error_time: Option<String>,
    start_time: Option<String>,
    uptime: u64,
    on_air: bool,
    health: Health,
    health_since: Option<String>,
}

/// Counts of the current run, or of the last one.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    segments_fetched: u64,
    batches_processed: u64,
    fragments_published: u64,
    bytes_processed: u64,
    avg_processing_time: f64,
    current_buffer_size: f64,
}

/// `GET /api/pipeline/status`: the status of one pipeline.
pub async fn status(
    State(api): State<Api>,
    Caller(actor): Caller,
    query: Query,
) -> Result<Json<RestAnswer<Status>>, Refusal> {
    let mut fields = query.fields();
    let stream = fields.text("streamId");
    fields.finish()?;
    let any = stream.is_none();
    let status = match chosen(&api, &actor, stream) {
        Ok(entry) => Status::of(&entry),
        // No pipeline exists: this is an answer, not an error of the caller.
        Err(ControlError::NotFound(_)) if any => Status::none(),
        Err(error) => return Err(error.into()),
    };
    Ok(Json(RestAnswer::new(status.health.reason.clone(), status)))
}

// === impl Status ===

impl Status {
    /// The status of this pipeline now.
    pub fn of(entry: &PipelineHandle) -> Self {
        let snapshot = entry.snapshot();
        Self::new(&entry.id().stream, &entry.settings(), &snapshot, entry.desired_running())
    }

    /// True if the pipeline is to run, or is still draining.
    pub fn is_running(&self) -> bool {
        self.is_running
    }

    /// The status if there is no pipeline.
    fn none() -> Self {
        Self {
            is_running: false,
            phase: "stopped",
            stream_id: None,
            source_url: None,
            stats: Counts::default(),
            last_error: None,
            last_error_time: None,
            start_time: None,
            uptime: 0,
            on_air: false,
            health: Health {
                reason: "there is no pipeline; POST /api/pipeline/start makes one".into(),
                ..Health::default()
            },
            health_since: None,
        }
    }

    fn new(stream: &str, settings: &Settings, snapshot: &Arc<Snapshot>, wanted: bool) -> Self {
        let run = &snapshot.run;
        // A pipeline that is about to start counts as running, and so does one that still drains.
        let is_running = wanted || run.state != RunState::Stopped;
        let phase = if wanted && run.state == RunState::Stopped { "starting" } else { snapshot.phase() };
        let started = run.started_ms.filter(|_| is_running);
        let shown = settings.shown();
        let (last_error, error_ms) = snapshot.last_error.clone().unzip();
        Self {
            is_running,
            phase,
            stream_id: Some(stream.to_owned()),
            source_url: shown.pointer("/source/url").and_then(Value::as_str).map(str::to_owned),
            stats: Counts::of(snapshot),
            last_error,
            last_error_time: error_ms.and_then(written),
            start_time: run.started_ms.and_then(written),
            uptime: started.map_or(0, |started| now_ms().saturating_sub(started) / 1000),
            on_air: snapshot.on_air(),
            health: snapshot.health.clone(),
            health_since: written(snapshot.health_since_ms).filter(|_| snapshot.health_since_ms > 0),
        }
    }
}

impl Counts {
    fn of(snapshot: &Snapshot) -> Self {
        let (Some(stats), Some(watch)) = (&snapshot.stats, &snapshot.run.watch) else { return Self::default() };
        Self {
            segments_fetched: stats.segments,
            batches_processed: stats.processed + stats.original.values().sum::<u64>(),
            fragments_published: stats.published,
            bytes_processed: stats.segment_bytes,
            avg_processing_time: watch.timings().read().step(Step::Ready).mean().as_secs_f64(),
            current_buffer_size: stats.buffer_ms as f64 / 1000.0,
        }
    }
}

/// Unix time in milliseconds as RFC 3339 text.
fn written(ms: u64) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(at.to_string())
}
