//! The types of pipelines. Long lists, such as batches and events, are fetched only if a query has their field.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use serde_json::Value;

use super::Problem;
use super::batch::Batch;
use super::event::{Event, EventFilterInput, EventKind, Severity};
use super::incident::Incident;
use super::log::{LogFilterInput, LogLine};
use super::settings::{PipelineSettings, PipelineSettingsInput};
use super::status::PipelineStatus;
use super::storage::PipelineStorage;
use super::swap::Swap;
use crate::graphql::context::{Maybe, Result, boxed};
use crate::graphql::paging::{Connection, Piece, cost};
use crate::graphql::query;
use crate::graphql::scalars::{DateTime, seconds};
use outboard_control::pipeline_handle::PipelineHandle;
use outboard_control::registry::RevisionRow;
use outboard_control::{self as control, dry_run, runner};

/// A pipeline that exists.
pub struct Pipeline(pub Arc<PipelineHandle>);

/// A pipeline: it fetches a live stream, has its audio processed and sends the result to destinations.
#[Object]
impl Pipeline {
    /// ID of the pipeline: `<tenant>:<stream ID>`. Arguments also accept the stream ID alone, for a pipeline of the
    /// caller's tenant.
    async fn id(&self) -> ID {
        ID(self.0.id().to_string())
    }

    /// The tenant that owns the pipeline.
    async fn tenant(&self) -> ID {
        ID(self.0.id().tenant.clone())
    }

    /// Name of the pipeline, unique within its tenant.
    async fn stream_id(&self) -> &str {
        &self.0.id().stream
    }

    /// Time at which the pipeline was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_ms())
    }

    /// Current revision of the settings. The running pipeline may still use an older one: see `status.runningRevision`.
    async fn revision(&self) -> u64 {
        self.0.revision()
    }

    /// Desired state of the pipeline. It survives restarts of the server.
    async fn desired(&self) -> DesiredState {
        if self.0.desired_running() { DesiredState::Running } else { DesiredState::Stopped }
    }

    /// Current settings, without secrets.
    async fn settings(&self) -> PipelineSettings {
        PipelineSettings::from(&*self.0.settings())
    }

    /// Current status. The subscription `pipelineStatus` sends each change.
    async fn status(&self) -> PipelineStatus {
        PipelineStatus::new(self.0.id(), &self.0.snapshot())
    }

    /// Batches of the pipeline, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn batches(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Batch>> {
        Box::pin(query::pipelines::batches(ctx, self.0.id(), first, after.as_deref())).await
    }

    /// One batch by number. Fails with NOT_FOUND if the batch does not exist or is no longer in the journal.
    async fn batch(&self, ctx: &Context<'_>, #[graphql(desc = "Number of the batch.")] number: u64) -> Maybe<Batch> {
        boxed(query::pipelines::batch(ctx, self.0.id(), number)).await
    }

    /// Events of the pipeline, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only events of these kinds.")] kinds: Option<Vec<EventKind>>,
        #[graphql(desc = "Only events of this severity or higher.")] min_severity: Option<Severity>,
    ) -> Result<Connection<Event>> {
        let pipeline = Some(ID(self.0.id().to_string()));
        let filter = EventFilterInput { tenant: None, pipeline, kinds, min_severity };
        Box::pin(query::events_and_logs::events(ctx, &filter, first, after.as_deref())).await
    }

    /// Incidents of the pipeline, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn incidents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "True: only open incidents. False: only resolved ones. Default: both.")] open: Option<bool>,
    ) -> Result<Connection<Incident>> {
        Box::pin(query::events_and_logs::incidents(ctx, self.0.id(), open, first, after.as_deref())).await
    }

    /// Revisions of the settings, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn revisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Revision>> {
        Box::pin(query::pipelines::revisions(ctx, self.0.id(), first, after.as_deref())).await
    }

    /// Swaps of the pipeline's stages, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn swaps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Swap>> {
        Box::pin(query::stages::swaps(ctx, self.0.id(), first, after.as_deref())).await
    }

    /// Log lines of the pipeline that are in memory, oldest first: the newest `last` lines, or the first `first` lines
    /// after a cursor.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects log lines of this pipeline. `tenant` and `pipeline` of the filter are \
                    ignored.")]
        filter: Option<LogFilterInput>,
        #[graphql(desc = "Number of lines from the oldest on, 0 to 200. Not together with `last`.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Number of newest lines, 0 to 200. Default: 20 if `first` is not set.")] last: Option<i32>,
        #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
    ) -> Result<Connection<LogLine>> {
        let filter =
            LogFilterInput { tenant: None, pipeline: Some(ID(self.0.id().to_string())), ..filter.unwrap_or_default() };
        query::events_and_logs::logs(ctx, &filter, &Piece { first, after, last, before })
    }

    /// Disk usage of the pipeline.
    async fn storage(&self, ctx: &Context<'_>) -> Maybe<PipelineStorage> {
        Some(query::storage::of_pipeline(ctx, self.0.id()))
    }
}

/// The desired state of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DesiredState {
    /// The pipeline should run.
    Running,
    /// The pipeline should not run.
    Stopped,
}

/// How a running pipeline is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runner::StopMode")]
pub enum StopMode {
    /// Send all buffered media to the destinations first, then stop.
    Drain,
    /// Stop immediately. The next start resumes at the same position.
    AtOnce,
}

/// When a change of settings takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "control::Apply")]
pub enum ApplyChange {
    /// Immediately. A running pipeline applies the change on air if possible; otherwise it restarts and resumes at its
    /// current position on air.
    Now,
    /// At the next start or restart of the pipeline.
    NextStart,
}

/// A revision of a pipeline's settings.
#[derive(Debug, Clone, SimpleObject)]
pub struct Revision {
    /// Number of the revision. It increases by one with each change.
    pub number: u64,
    /// Time at which the revision was created.
    pub made_at: DateTime,
    /// Name of the caller who created the revision.
    pub made_by: String,
    /// Note of the caller. Null if none was given.
    pub note: Option<String>,
    /// Settings of the revision, without secrets.
    pub settings: PipelineSettings,
}

impl From<RevisionRow> for Revision {
    fn from(row: RevisionRow) -> Self {
        Self {
            number: row.number,
            made_at: DateTime(row.made_ms),
            made_by: row.made_by,
            note: row.note,
            settings: PipelineSettings::of_kept(row.settings.get()),
        }
    }
}

/// A pipeline to create.
#[derive(Debug, InputObject)]
pub struct CreatePipelineInput {
    /// The tenant that will own the pipeline. Default: the caller's tenant; `default` for host-wide callers.
    pub tenant: Option<ID>,
    /// Name of the pipeline, unique within its tenant. Allowed characters: letters, digits, `-`, `_` and `.`.
    pub stream_id: String,
    /// Settings of the pipeline. A source and a destination are required.
    pub settings: PipelineSettingsInput,
    /// True: start the pipeline immediately.
    #[graphql(default)]
    pub start: bool,
    /// Note to store with the first revision: one line without control characters.
    pub note: Option<String>,
}

/// Changes to a pipeline.
#[derive(Debug, InputObject)]
pub struct UpdatePipelineInput {
    /// The settings to change.
    pub settings: PipelineSettingsInput,
    /// The revision that the caller read. If the current revision differs, nothing is changed and the mutation fails
    /// with CONFLICT.
    pub expected_revision: Option<u64>,
    /// When the change takes effect.
    #[graphql(default_with = "ApplyChange::Now")]
    pub apply: ApplyChange,
    /// Note to store with the new revision: one line without control characters.
    pub note: Option<String>,
}

/// Settings to validate. Set either `id` or `streamId`.
#[derive(Debug, InputObject)]
pub struct ValidatePipelineInput {
    /// ID of an existing pipeline, to validate a change of its settings.
    pub id: Option<ID>,
    /// The tenant of the new pipeline. Default: the caller's tenant.
    pub tenant: Option<ID>,
    /// Name of a new pipeline, to validate its settings.
    pub stream_id: Option<String>,
    /// Settings of the new pipeline, or the settings to change.
    pub settings: PipelineSettingsInput,
}

/// The result of a validation. Nothing was stored.
#[derive(Debug, Clone, SimpleObject)]
pub struct Validation {
    /// True if a pipeline with these settings would go on air as configured.
    pub ok: bool,
    /// True if `ok` is false but every failed check may succeed later without a change of the settings, for example
    /// after a server is reachable again.
    pub temporary: bool,
    /// What a pipeline with these settings would do, one sentence each.
    pub summary: Vec<String>,
    /// Every check, in the order of the data flow.
    pub checks: Vec<ValidationCheck>,
    /// Invalid settings that only the stages can detect. Other invalid settings fail with INVALID_INPUT.
    pub problems: Vec<Problem>,
    /// How long applying the change now would take a running pipeline off air. Null if it stays on air.
    pub interruption: Option<Interruption>,
}

/// A time off air.
#[derive(Debug, Clone, SimpleObject)]
pub struct Interruption {
    /// Approximate time without packets, in seconds.
    pub seconds: f64,
    /// Reason for the interruption, as a sentence.
    pub why: String,
}

/// One check of a validation.
#[derive(Debug, Clone, SimpleObject)]
pub struct ValidationCheck {
    /// The input that was checked, such as `input.settings.source.url` or `input.streamId`.
    pub path: String,
    /// True if the check succeeded.
    pub ok: bool,
    /// True if `ok` is false but the check may succeed later without a change of the settings, for example after a
    /// server is reachable again.
    pub temporary: bool,
    /// Result of the check, as a sentence.
    pub message: String,
    /// Findings that do not fail the check but may need attention.
    pub warnings: Vec<String>,
    /// Duration of the check, in seconds.
    pub seconds: f64,
    /// Measured values, by name. The names may change between versions.
    pub detail: Value,
}

impl From<dry_run::Validation> for Validation {
    fn from(found: dry_run::Validation) -> Self {
        let path = |path: &str| match path {
            "streamId" => "input.streamId".to_owned(),
            setting => format!("input.settings.{setting}"),
        };
        let check = |check: dry_run::Check| ValidationCheck {
            path: path(&check.path),
            ok: check.ok,
            temporary: check.temporary,
            message: check.message,
            warnings: check.warnings,
            seconds: seconds(check.took_ms),
            detail: Value::Object(check.detail),
        };
        let problem =
            |problem: outboard_config::Problem| Problem { path: path(&problem.path), message: problem.message };
        Self {
            ok: found.ok,
            temporary: found.temporary,
            summary: found.summary,
            checks: found.checks.into_iter().map(check).collect(),
            problems: found.problems.into_iter().map(problem).collect(),
            interruption: found.interruption.map(|found| Interruption { seconds: found.seconds, why: found.why }),
        }
    }
}

/// The result of `deletePipeline`.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeletePipelinePayload {
    /// ID of the pipeline.
    pub id: ID,
    /// True if this call deleted the pipeline. False if there was no such pipeline.
    pub deleted: bool,
}
