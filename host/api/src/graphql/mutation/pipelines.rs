//! Mutations that create, change, start, stop, delete and validate pipelines.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, boxed, core};
use crate::graphql::error::At;
use crate::graphql::scalars::DateTime;
use crate::graphql::types::pipeline::{
    CreatePipelineInput, DeletePipelinePayload, Pipeline, StopMode, UpdatePipelineInput, ValidatePipelineInput,
    Validation,
};
use outboard_control::error::ControlError;
use outboard_control::{Change, NewPipeline};

/// Mutations of pipelines, merged into [`super::Mutation`].
#[derive(Debug, Default)]
pub struct PipelineMutation;

/// Fields of `input` that are not settings.
const BESIDE: &[&str] = &["tenant", "streamId", "id", "expectedRevision", "note"];

#[Object]
impl PipelineMutation {
    /// Creates a pipeline. Idempotent: identical settings return the existing pipeline. Fails with CONFLICT if a
    /// pipeline of this name has other settings. For operators and admins.
    async fn create_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline to create.")] input: CreatePipelineInput,
    ) -> Maybe<Pipeline> {
        boxed(create(ctx, input)).await
    }

    /// Starts the demo on the server: a live source, the echo processor and an RTMP receiver on free loopback ports,
    /// and the pipeline `demo` of the tenant `default` that connects them. Idempotent: parts that already run continue.
    /// The parts stop when the server stops, which also stops the pipeline, and when the pipeline is deleted. Fails
    /// with UNAVAILABLE if a part does not start. For operators and admins of the whole host.
    async fn start_demo(&self, ctx: &Context<'_>) -> Maybe<Pipeline> {
        boxed(demo(ctx)).await
    }

    /// Changes the settings of a pipeline and stores them as a new revision. Fails with CONFLICT if `expectedRevision`
    /// is not the current revision. Stages of a running pipeline are swapped; their settings follow in a revision of
    /// their own when the new version is cut over. For operators and admins.
    async fn update_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
        #[graphql(desc = "The changes.")] input: UpdatePipelineInput,
    ) -> Maybe<Pipeline> {
        boxed(update(ctx, &id, input)).await
    }

    /// Rolls the settings of a pipeline back to an earlier revision. They are stored as a new revision and take effect
    /// immediately. Fails with CONFLICT if `expectedRevision` is not the current revision. For operators and admins.
    async fn roll_back_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
        #[graphql(desc = "Number of the revision to restore.")] revision: u64,
        #[graphql(desc = "The revision that the caller read. If the current revision differs, the mutation \
                    fails with CONFLICT.")]
        expected_revision: Option<u64>,
    ) -> Maybe<Pipeline> {
        boxed(roll_back(ctx, &id, revision, expected_revision)).await
    }

    /// Starts a pipeline. Idempotent: a pipeline that is already started continues. For operators and admins.
    async fn start_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
    ) -> Maybe<Pipeline> {
        boxed(start(ctx, &id)).await
    }

    /// Stops a pipeline. Idempotent. Returns immediately; with `DRAIN` the pipeline continues until all buffered media
    /// was sent. For operators and admins.
    async fn stop_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
        #[graphql(
            desc = "How the pipeline is stopped. A pipeline that is draining can be stopped with \
                    `AT_ONCE`.",
            default_with = "StopMode::Drain"
        )]
        mode: StopMode,
    ) -> Maybe<Pipeline> {
        boxed(stop(ctx, &id, mode)).await
    }

    /// Stops a pipeline if it runs, then starts it. Not idempotent unless `expectedStartedAt` is set. For operators and
    /// admins.
    async fn restart_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
        #[graphql(desc = "How the running pipeline is stopped.", default_with = "StopMode::Drain")] mode: StopMode,
        #[graphql(desc = "`status.startedAt` that the caller read. If the pipeline was started again since, or \
                    is being restarted, the mutation fails with CONFLICT.")]
        expected_started_at: Option<DateTime>,
    ) -> Maybe<Pipeline> {
        boxed(restart(ctx, &id, mode, expected_started_at)).await
    }

    /// Enables or disables a destination. Idempotent. The other destinations are not interrupted. An enabled
    /// destination starts at the current position on air. For operators and admins.
    async fn set_destination_enabled(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
        #[graphql(desc = "ID of the destination.")] destination: ID,
        #[graphql(desc = "True: enable the destination. False: disable it.")] enabled: bool,
    ) -> Maybe<Pipeline> {
        boxed(set_enabled(ctx, &id, &destination, enabled)).await
    }

    /// Closes the session of a destination and opens a new one immediately, without waiting for the next retry. Fails
    /// with CONFLICT if the pipeline does not run or the destination is disabled. For operators and admins.
    async fn reconnect_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
        #[graphql(desc = "ID of the destination.")] destination: ID,
    ) -> Maybe<Pipeline> {
        boxed(reconnect(ctx, &id, &destination)).await
    }

    /// Deletes a pipeline and its files. A running pipeline is stopped immediately. Idempotent: `deleted` is false if
    /// there is no such pipeline. For operators and admins.
    async fn delete_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
        #[graphql(
            desc = "True: keep the files. They count towards the tenant's quota until `cleanStorage` \
                    removes them.",
            default
        )]
        keep_files: bool,
    ) -> Maybe<DeletePipelinePayload> {
        boxed(delete(ctx, id, keep_files)).await
    }

    /// Validates settings without storing them: checks them, fetches the playlist, connects to the processor and to the
    /// destinations, and reports what a pipeline with these settings would do. For operators and admins.
    async fn validate_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The settings to validate.")] input: ValidatePipelineInput,
    ) -> Maybe<Validation> {
        boxed(validate(ctx, input)).await
    }
}

async fn create(ctx: &Context<'_>, input: CreatePipelineInput) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    let CreatePipelineInput { tenant, stream_id, settings, start, note } = input;
    let new = NewPipeline { tenant: tenant.map(Into::into), stream_id, patch: settings.into(), start, note };
    control.pipelines().create(actor, new).await.at("input", "settings", BESIDE).map(Pipeline)
}

async fn demo(ctx: &Context<'_>) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.pipelines().start_demo(actor).await.map(Pipeline)
}

async fn update(ctx: &Context<'_>, id: &str, input: UpdatePipelineInput) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    let UpdatePipelineInput { settings, expected_revision, apply, note } = input;
    let change = Change { patch: settings.into(), expected_revision, apply: apply.into(), note };
    control.pipelines().update(actor, id, change).await.at("input", "settings", BESIDE).map(Pipeline)
}

async fn roll_back(ctx: &Context<'_>, id: &str, revision: u64, expected: Option<u64>) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    // What was right then may be wrong now; the problems are those of the revision's settings.
    control.pipelines().roll_back(actor, id, revision, expected).await.at("revision", "settings", &[]).map(Pipeline)
}

async fn start(ctx: &Context<'_>, id: &str) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.pipelines().start(actor, id).await.map(Pipeline)
}

async fn stop(ctx: &Context<'_>, id: &str, mode: StopMode) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.pipelines().stop(actor, id, mode.into()).await.map(Pipeline)
}

async fn restart(ctx: &Context<'_>, id: &str, mode: StopMode, expected: Option<DateTime>) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.pipelines().restart(actor, id, mode.into(), expected.map(|at| at.0)).await.map(Pipeline)
}

async fn set_enabled(ctx: &Context<'_>, id: &str, destination: &str, enabled: bool) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.pipelines().set_destination_enabled(actor, id, destination, enabled).await.map(Pipeline)
}

async fn reconnect(ctx: &Context<'_>, id: &str, destination: &str) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.pipelines().reconnect_destination(actor, id, destination).await.map(Pipeline)
}

async fn validate(ctx: &Context<'_>, input: ValidatePipelineInput) -> Result<Validation> {
    let (control, actor) = core(ctx)?;
    let ValidatePipelineInput { id, tenant, stream_id, settings } = input;
    let found = match (id, stream_id) {
        (Some(id), None) => control.pipelines().validate_change(actor, &id, settings.into()).await,
        (None, Some(stream_id)) => {
            let tenant = tenant.map(Into::into);
            let new = NewPipeline { tenant, stream_id, patch: settings.into(), ..NewPipeline::default() };
            control.pipelines().validate(actor, new).await
        }
        _ => Err(ControlError::invalid("streamId", "or id must be given: one of them")),
    };
    found.at("input", "settings", BESIDE).map(Validation::from)
}

async fn delete(ctx: &Context<'_>, id: ID, keep_files: bool) -> Result<DeletePipelinePayload> {
    let (control, actor) = core(ctx)?;
    let deleted = control.pipelines().delete(actor, &id, keep_files).await?;
    Ok(DeletePipelinePayload { id, deleted })
}
