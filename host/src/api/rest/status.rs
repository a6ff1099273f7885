//! `GET /api/pipeline/status`: a pipeline in the original plan's words.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;

use super::body::Query;
use super::chosen;
use crate::api::Api;
use crate::api::answer::Refusal;
use crate::api::auth::Caller;
use crate::control::entry::Entry;
use crate::control::health::Health;
use crate::control::runner::RunState;
use crate::control::settings::Settings;
use crate::control::snapshot::Snapshot;
use crate::metrics::Step;
use crate::unix_time::now_ms;

/// A pipeline now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    is_running: bool,
    phase: &'static str,
    stream_id: String,
    source_url: String,
    stats: Counts,
    last_error: Option<String>,
    start_time: Option<String>,
    uptime: u64,
    on_air: bool,
    health: Health,
    health_since: Option<String>,
}

/// Counts of this run or the last one.
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

/// The handler.
pub async fn status(State(api): State<Api>, Caller(actor): Caller, query: Query) -> Result<Json<Status>, Refusal> {
    let mut fields = query.fields();
    let stream = fields.text("streamId");
    fields.finish()?;
    Ok(Json(Status::of(&*chosen(&api, &actor, stream)?)))
}

// === impl Status ===

impl Status {
    /// Of a pipeline.
    pub fn of(entry: &Entry) -> Self {
        let snapshot = entry.snapshot();
        Self::new(&entry.id().stream, &entry.settings(), &snapshot, entry.desired_running())
    }

    fn new(stream: &str, settings: &Settings, snapshot: &Arc<Snapshot>, wanted: bool) -> Self {
        let run = &snapshot.run;
        // What was just told to start counts as running, and so does what still drains.
        let is_running = wanted || run.state != RunState::Stopped;
        let phase = if wanted && run.state == RunState::Stopped { "starting" } else { snapshot.phase() };
        let started = run.started_ms.filter(|_| is_running);
        let shown = settings.shown();
        let failed = snapshot.stats.as_ref().and_then(|stats| stats.last_error.clone());
        Self {
            is_running,
            phase,
            stream_id: stream.to_owned(),
            source_url: shown.pointer("/source/url").and_then(Value::as_str).unwrap_or_default().to_owned(),
            stats: Counts::of(snapshot),
            last_error: run.error.clone().or(failed),
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

/// Unix time as people and programs read it.
fn written(ms: u64) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(at.to_string())
}
