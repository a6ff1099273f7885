//! `GET /api/storage/stats` and `POST /api/storage/clean`: the disk usage of the caller's tenant, and manual cleaning.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::body::{Body, Query};
use super::to_the_end;
use crate::Api;
use crate::answer::Refusal;

use crate::auth::Caller;
use crate::limits::REST_CLEAN_KEEPS;
use outboard_base::Problem;
use outboard_control::Cleaning;
use outboard_control::error::ControlError;

use crate::answer::RestAnswer;
use outboard_store::usage::Totals;

use outboard_store::usage::FileKind;

/// Disk usage of a tenant or of one pipeline.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    total_size: u64,
    file_count: u64,
    breakdown: Breakdown,
    available_space: u64,
}

/// Bytes by kind of file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Breakdown {
    original_segments: u64,
    video_fragments: u64,
    audio_fragments: u64,
    processed_audio: u64,
    remuxed_output: u64,
    other: u64,
    logs: u64,
    components: u64,
}

/// The files that were removed, or would be removed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cleaned {
    removed_batches: u64,
    freed_bytes: u64,
    dry_run: bool,
}

/// `GET /api/storage/stats`: the disk usage of the tenant or of one pipeline.
pub async fn stats(
    State(api): State<Api>,
    Caller(actor): Caller,
    query: Query,
) -> Result<Json<RestAnswer<Stats>>, Refusal> {
    let mut fields = query.fields();
    let stream = fields.text("streamId");
    fields.finish()?;
    let tenant = match &stream {
        Some(stream) => api.control.pipelines().get(&actor, stream)?.id().tenant.clone(),
        None => actor.home().to_owned(),
    };
    let all = api.control.storage().view(&actor, Some(&tenant), None)?;
    let shown = match &stream {
        Some(stream) => api.control.storage().view(&actor, None, Some(stream))?.totals,
        None => all.totals,
    };
    let left = all.quota.map_or(u64::MAX, |quota| quota.saturating_sub(all.totals.all().bytes));
    let stats = Stats {
        total_size: shown.all().bytes,
        file_count: shown.all().files,
        breakdown: Breakdown::of(&shown),
        available_space: all.space.free.min(left),
    };
    let message = format!("{} files with {} bytes", stats.file_count, stats.total_size);
    Ok(Json(RestAnswer::new(message, stats)))
}

/// `POST /api/storage/clean`: removes files of aired batches.
pub async fn clean(
    State(api): State<Api>,
    Caller(actor): Caller,
    body: Body,
) -> Result<Json<RestAnswer<Cleaned>>, Refusal> {
    let mut fields = body.fields();
    let keep: u32 = fields.whole("keepLast").unwrap_or(REST_CLEAN_KEEPS);
    let stream = fields.text("streamId");
    let dry_run = fields.flag("dryRun").unwrap_or(false);
    fields.finish()?;
    let pipelines = match stream {
        Some(stream) => vec![stream],
        None => {
            let own = api.control.pipelines().list(&actor, Some(actor.home()))?;
            own.iter().map(|entry| entry.id().to_string()).collect()
        }
    };
    let cleaned = to_the_end(async move {
        let mut all = Cleaned { removed_batches: 0, freed_bytes: 0, dry_run };
        for id in pipelines {
            let cleaning = api.control.storage().clean(&actor, &id, keep as usize, dry_run).await;
            let Cleaning { cleaned, .. } = cleaning.map_err(under_callers_names)?;
            all.removed_batches += cleaned.batches;
            all.freed_bytes += cleaned.bytes;
        }
        Ok(all)
    });
    let cleaned = cleaned.await?;
    let Cleaned { removed_batches: batches, freed_bytes: bytes, .. } = &cleaned;
    let message = match dry_run {
        true => format!("{batches} batches with {bytes} bytes would be removed"),
        false => format!("{batches} batches with {bytes} bytes were removed"),
    };
    Ok(Json(RestAnswer::new(message, cleaned)))
}

/// Renames the paths of problems to the fields of the call.
fn under_callers_names(error: ControlError) -> ControlError {
    let ControlError::InvalidInput(problems) = error else { return error };
    let keep = |problem: Problem| Problem { path: problem.path.replace("keepBatches", "keepLast"), ..problem };
    ControlError::InvalidInput(problems.into_iter().map(keep).collect())
}

impl Breakdown {
    fn of(totals: &Totals) -> Self {
        let bytes = |kind| totals.of(kind).bytes;
        Self {
            original_segments: bytes(FileKind::OriginalSegments),
            video_fragments: bytes(FileKind::VideoFragments),
            audio_fragments: bytes(FileKind::AudioFragments),
            processed_audio: bytes(FileKind::ProcessedAudio),
            remuxed_output: bytes(FileKind::RemuxedOutput),
            other: bytes(FileKind::Other),
            logs: bytes(FileKind::Logs),
            components: bytes(FileKind::Components),
        }
    }
}
