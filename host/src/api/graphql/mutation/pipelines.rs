//! Pipelines: made, changed, started, stopped, deleted, tried.

use async_graphql::{Context, ID, Object};

use crate::api::graphql::context::{Maybe, Result, boxed, core};
use crate::api::graphql::error::At;
use crate::api::graphql::scalars::DateTime;
use crate::api::graphql::types::pipeline::{
    CreatePipelineInput, DeletePipelinePayload, Pipeline, StopMode, UpdatePipelineInput, ValidatePipelineInput,
    Validation,
};
use crate::control::error::ControlError;
use crate::control::{Change, NewPipeline};

/// See [`super::Mutation`].
#[derive(Debug, Default)]
pub struct PipelineMutation;

/// Fields of `input` that are no settings.
const BESIDE: &[&str] = &["tenant", "streamId", "id", "expectedRevision", "note"];

#[Object]
impl PipelineMutation {
    /// Makes a pipeline. The same again is the same pipeline; one with that name and other settings is a CONFLICT.
    async fn create_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreatePipelineInput,
    ) -> Maybe<Pipeline> {
        boxed(create(ctx, input)).await
    }

    /// Starts the demo on the server's machine: a live source, the echo processor and an RTMP receiver on free ports of
    /// loopback, and the pipeline `demo` of the tenant `default` between them. What runs of it already goes on. The parts end
    /// with the server, where the pipeline is stopped too, and with the pipeline when it is deleted. For operators and admins of the whole host; UNAVAILABLE with the reason
    /// where a part does not start.
    async fn start_demo(&self, ctx: &Context<'_>) -> Maybe<Pipeline> {
        boxed(demo(ctx)).await
    }

    /// Changes what a pipeline is set to, as a new revision.
    async fn update_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
        #[graphql(desc = "What to change.")] input: UpdatePipelineInput,
    ) -> Maybe<Pipeline> {
        boxed(update(ctx, &id, input)).await
    }

    /// Sets a pipeline to what it was at an earlier revision, as a new one. It comes into effect now.
    async fn roll_back_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
        #[graphql(desc = "The revision to go back to.")] revision: u64,
        #[graphql(desc = "The revision that was looked at: if there is another one by now, the answer is CONFLICT.")]
        expected_revision: Option<u64>,
    ) -> Maybe<Pipeline> {
        boxed(roll_back(ctx, &id, revision, expected_revision)).await
    }

    /// Starts a pipeline. One that is started already goes on.
    async fn start_pipeline(&self, ctx: &Context<'_>, #[graphql(desc = "The pipeline.")] id: ID) -> Maybe<Pipeline> {
        boxed(start(ctx, &id)).await
    }

    /// Stops a pipeline. Answers at once: draining goes on for as long as media is buffered.
    async fn stop_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
        #[graphql(desc = "How. One that drains may be told to end at once.", default_with = "StopMode::Drain")]
        mode: StopMode,
    ) -> Maybe<Pipeline> {
        boxed(stop(ctx, &id, mode)).await
    }

    /// Stops a pipeline that runs and starts it again; starts one that does not. Each call does so, unless it says which
    /// start it means to end.
    async fn restart_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
        #[graphql(desc = "How it is stopped.", default_with = "StopMode::Drain")] mode: StopMode,
        #[graphql(
            desc = "`startedAt` of its status when it was looked at: if it was started again since, or is being restarted, \
                    the answer is CONFLICT."
        )]
        expected_started_at: Option<DateTime>,
    ) -> Maybe<Pipeline> {
        boxed(restart(ctx, &id, mode, expected_started_at)).await
    }

    /// Switches a destination on or off. The others go on; one that is switched on begins at the place that is on air.
    async fn set_destination_enabled(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
        #[graphql(desc = "The destination's id.")] destination: ID,
        #[graphql(desc = "True: packets are sent there.")] enabled: bool,
    ) -> Maybe<Pipeline> {
        boxed(set_enabled(ctx, &id, &destination, enabled)).await
    }

    /// Ends a destination's session and opens another one at once, also where it waits before the next attempt. CONFLICT
    /// where the pipeline does not run or the destination is disabled.
    async fn reconnect_destination(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
        #[graphql(desc = "The destination's id.")] destination: ID,
    ) -> Maybe<Pipeline> {
        boxed(reconnect(ctx, &id, &destination)).await
    }

    /// Deletes a pipeline, with all that is on disk of it. One that runs is stopped at once.
    async fn delete_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
        #[graphql(
            desc = "Leave its files where they are. They count against the tenant's quota; `cleanStorage` removes them.",
            default
        )]
        keep_files: bool,
    ) -> Maybe<DeletePipelinePayload> {
        boxed(delete(ctx, id, keep_files)).await
    }

    /// Tries settings without keeping anything: checks them, fetches the playlist, connects to the processor and the
    /// destinations, and says what would happen.
    async fn validate_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to try.")] input: ValidatePipelineInput,
    ) -> Maybe<Validation> {
        boxed(validate(ctx, input)).await
    }
}

async fn create(ctx: &Context<'_>, input: CreatePipelineInput) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    let CreatePipelineInput { tenant, stream_id, settings, start, note } = input;
    let new = NewPipeline { tenant: tenant.map(Into::into), stream_id, patch: settings.into(), start, note };
    control.create(actor, new).await.at("input", "settings", BESIDE).map(Pipeline)
}

async fn demo(ctx: &Context<'_>) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.start_demo(actor).await.map(Pipeline)
}

async fn update(ctx: &Context<'_>, id: &str, input: UpdatePipelineInput) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    let UpdatePipelineInput { settings, expected_revision, apply, note } = input;
    let change = Change { patch: settings.into(), expected_revision, apply: apply.into(), note };
    control.update(actor, id, change).await.at("input", "settings", BESIDE).map(Pipeline)
}

async fn roll_back(ctx: &Context<'_>, id: &str, revision: u64, expected: Option<u64>) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    // What was right then may be wrong now; the problems are those of the revision's settings.
    control.roll_back(actor, id, revision, expected).await.at("revision", "settings", &[]).map(Pipeline)
}

async fn start(ctx: &Context<'_>, id: &str) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.start(actor, id).await.map(Pipeline)
}

async fn stop(ctx: &Context<'_>, id: &str, mode: StopMode) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.stop(actor, id, mode.into()).await.map(Pipeline)
}

async fn restart(ctx: &Context<'_>, id: &str, mode: StopMode, expected: Option<DateTime>) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.restart(actor, id, mode.into(), expected.map(|at| at.0)).await.map(Pipeline)
}

async fn set_enabled(ctx: &Context<'_>, id: &str, destination: &str, enabled: bool) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.set_destination_enabled(actor, id, destination, enabled).await.map(Pipeline)
}

async fn reconnect(ctx: &Context<'_>, id: &str, destination: &str) -> Result<Pipeline> {
    let (control, actor) = core(ctx)?;
    control.reconnect_destination(actor, id, destination).await.map(Pipeline)
}

async fn validate(ctx: &Context<'_>, input: ValidatePipelineInput) -> Result<Validation> {
    let (control, actor) = core(ctx)?;
    let ValidatePipelineInput { id, tenant, stream_id, settings } = input;
    let found = match (id, stream_id) {
        (Some(id), None) => control.validate_change(actor, &id, settings.into()).await,
        (None, Some(stream_id)) => {
            let tenant = tenant.map(Into::into);
            let new = NewPipeline { tenant, stream_id, patch: settings.into(), ..NewPipeline::default() };
            control.validate(actor, new).await
        }
        _ => Err(ControlError::invalid("streamId", "or id must be given: one of them")),
    };
    found.at("input", "settings", BESIDE).map(Validation::from)
}

async fn delete(ctx: &Context<'_>, id: ID, keep_files: bool) -> Result<DeletePipelinePayload> {
    let (control, actor) = core(ctx)?;
    let deleted = control.delete(actor, &id, keep_files).await?;
    Ok(DeletePipelinePayload { id, deleted })
}
