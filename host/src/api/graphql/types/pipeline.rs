//! A pipeline: what it is set to, how it is, and its long lists, which are fetched only when they are asked for.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use serde_json::Value;

use super::Problem;
use super::batch::Batch;
use super::event::{Event, EventFilterInput, EventKind, Severity};
use super::incident::Incident;
use super::log::{LogFilterInput, LogLine};
use super::settings::PipelineSettings;
use super::settings_input::PipelineSettingsInput;
use super::status::PipelineStatus;
use super::storage::PipelineStorage;
use super::swap::Swap;
use crate::api::graphql::context::{Maybe, Result, boxed};
use crate::api::graphql::paging::{Connection, Piece, cost};
use crate::api::graphql::query;
use crate::api::graphql::scalars::{DateTime, seconds};
use crate::control::entry::Entry;
use crate::control::registry::RevisionRow;
use crate::control::{self, dry_run, runner};

/// A pipeline that exists.
pub struct Pipeline(pub Arc<Entry>);

/// A stream that is fetched, processed and put on air.
#[Object]
impl Pipeline {
    /// Its id: the tenant's name, a colon, its stream id. Where ids are taken, the stream id alone means one of the caller's
    /// own tenant.
    async fn id(&self) -> ID {
        ID(self.0.id().to_string())
    }

    /// Whose it is.
    async fn tenant(&self) -> ID {
        ID(self.0.id().tenant.clone())
    }

    /// Its name, unique with its tenant.
    async fn stream_id(&self) -> &str {
        &self.0.id().stream
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_ms())
    }

    /// The revision of its settings. What runs may still have an older one: see `status.runningRevision`.
    async fn revision(&self) -> u64 {
        self.0.revision()
    }

    /// What it is meant to do. It survives restarts of the server.
    async fn desired(&self) -> DesiredState {
        if self.0.desired_running() { DesiredState::Running } else { DesiredState::Stopped }
    }

    /// What it is set to, without what gives access.
    async fn settings(&self) -> PipelineSettings {
        PipelineSettings::from(&*self.0.settings())
    }

    /// How it is now. `pipelineStatus` of the subscriptions follows it.
    async fn status(&self) -> PipelineStatus {
        PipelineStatus::new(self.0.id(), &self.0.snapshot())
    }

    /// Its batches, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn batches(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many, 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
    ) -> Result<Connection<Batch>> {
        Box::pin(query::pipelines::batches(ctx, self.0.id(), first, after.as_deref())).await
    }

    /// One batch.
    async fn batch(&self, ctx: &Context<'_>, #[graphql(desc = "Its number.")] number: u64) -> Maybe<Batch> {
        boxed(query::pipelines::batch(ctx, self.0.id(), number)).await
    }

    /// What happened in it, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many, 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "Of these kinds.")] kinds: Option<Vec<EventKind>>,
        #[graphql(desc = "That matter at least so much.")] min_severity: Option<Severity>,
    ) -> Result<Connection<Event>> {
        let pipeline = Some(ID(self.0.id().to_string()));
        let filter = EventFilterInput { tenant: None, pipeline, kinds, min_severity };
        Box::pin(query::happened::events(ctx, &filter, first, after.as_deref())).await
    }

    /// Its problems, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn incidents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many, 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "Only those that are open, or only those that are over. Left out: both.")] open: Option<bool>,
    ) -> Result<Connection<Incident>> {
        Box::pin(query::happened::incidents(ctx, self.0.id(), open, first, after.as_deref())).await
    }

    /// What it was set to, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn revisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many, 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
    ) -> Result<Connection<Revision>> {
        Box::pin(query::pipelines::revisions(ctx, self.0.id(), first, after.as_deref())).await
    }

    /// Swaps of its stages, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn swaps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many, 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
    ) -> Result<Connection<Swap>> {
        Box::pin(query::stages::swaps(ctx, self.0.id(), first, after.as_deref())).await
    }

    /// Lines of the log about it, oldest first: the newest `last`, or the first `first` behind a cursor.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Narrows further; its tenant and pipeline are not needed here.")] filter: Option<
            LogFilterInput,
        >,
        #[graphql(desc = "So many from the oldest on.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "So many up to the newest; 20 if neither it nor `first` is given.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<LogLine>> {
        let filter =
            LogFilterInput { tenant: None, pipeline: Some(ID(self.0.id().to_string())), ..filter.unwrap_or_default() };
        query::happened::logs(ctx, &filter, &Piece { first, after, last, before })
    }

    /// What it has on disk.
    async fn storage(&self, ctx: &Context<'_>) -> Maybe<PipelineStorage> {
        Some(query::storage::of_pipeline(ctx, self.0.id()))
    }
}

/// What a pipeline is meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DesiredState {
    /// To run.
    Running,
    /// Not to run.
    Stopped,
}

/// How a pipeline that runs is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runner::StopMode")]
pub enum StopMode {
    /// What is buffered goes on air first.
    Drain,
    /// Now; the next start goes on from there.
    AtOnce,
}

/// When a change comes into effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "control::Apply")]
pub enum ApplyChange {
    /// Now: a pipeline that runs goes on with the new settings from the place on air where it is.
    Now,
    /// When the pipeline is started or restarted next.
    NextStart,
}

/// What a pipeline was set to.
#[derive(Debug, Clone, SimpleObject)]
pub struct Revision {
    /// Its number; it rises by one with each change.
    pub number: u64,
    /// When it was made.
    pub made_at: DateTime,
    /// Who made it.
    pub made_by: String,
    /// Why, in their words.
    pub note: Option<String>,
    /// The settings, without what gives access.
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

/// A pipeline to make.
#[derive(Debug, InputObject)]
pub struct CreatePipelineInput {
    /// Whose it is to be. Left out: the caller's own tenant; `default` for callers of the whole host.
    pub tenant: Option<ID>,
    /// Its name, unique with its tenant: letters, digits, `-`, `_` and `.`.
    pub stream_id: String,
    /// What it is set to. A source and a destination are needed.
    pub settings: PipelineSettingsInput,
    /// Start it at once.
    #[graphql(default)]
    pub start: bool,
    /// Why, kept with its first revision.
    pub note: Option<String>,
}

/// What to change of a pipeline.
#[derive(Debug, InputObject)]
pub struct UpdatePipelineInput {
    /// What to change of its settings.
    pub settings: PipelineSettingsInput,
    /// The revision that was looked at: if there is another one by now, nothing is changed and the answer is CONFLICT.
    pub expected_revision: Option<u64>,
    /// When it comes into effect.
    #[graphql(default_with = "ApplyChange::Now")]
    pub apply: ApplyChange,
    /// Why, kept with the revision.
    pub note: Option<String>,
}

/// Settings to try.
#[derive(Debug, InputObject)]
pub struct ValidatePipelineInput {
    /// A pipeline that is there, to try a change of its settings. Left out: a new one is tried.
    pub id: Option<ID>,
    /// Whose a new one is to be.
    pub tenant: Option<ID>,
    /// The name of a new one.
    pub stream_id: Option<String>,
    /// The settings, or what to change of those that are there.
    pub settings: PipelineSettingsInput,
}

/// What would happen with settings. Nothing was kept.
#[derive(Debug, Clone, SimpleObject)]
pub struct Validation {
    /// A pipeline with these settings would go on air as it was meant to.
    pub ok: bool,
    /// Not `ok`, and each check that failed may pass without a change of the settings: somebody is away who may come back.
    pub temporary: bool,
    /// What would happen, a sentence each.
    pub summary: Vec<String>,
    /// What was looked at, in the order of the data.
    pub checks: Vec<ValidationCheck>,
    /// What is wrong with settings that only the stages know. Other wrong settings are errors.
    pub problems: Vec<Problem>,
    /// What applying the change now would cost a pipeline that is on air; null: it stays on air.
    pub interruption: Option<Interruption>,
}

/// A time off air.
#[derive(Debug, Clone, SimpleObject)]
pub struct Interruption {
    /// About how long no packets leave, in seconds.
    pub seconds: f64,
    /// Why, in a sentence.
    pub why: String,
}

/// Something that was looked at.
#[derive(Debug, Clone, SimpleObject)]
pub struct ValidationCheck {
    /// What of the input it is about: `input.settings.source.url`, `input.streamId`, and the like.
    pub path: String,
    /// It is as it should be.
    pub ok: bool,
    /// Not `ok`, and that may pass without a change of the settings: somebody is away who may come back.
    pub temporary: bool,
    /// What was found, in a sentence.
    pub message: String,
    /// What somebody may want to look at although it works.
    pub warnings: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Facts by name. They may change between versions.
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
        let problem = |problem: crate::config::Problem| Problem { path: path(&problem.path), message: problem.message };
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

/// A pipeline that was deleted.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeletePipelinePayload {
    /// Its id.
    pub id: ID,
    /// It was there; false: it had been deleted before, or there never was one.
    pub deleted: bool,
}
