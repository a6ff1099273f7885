//! Stages: components added and taken away, stages swapped and taken back.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use crate::api::graphql::context::{Maybe, Result, boxed, core, gone, named};
use crate::api::graphql::error::At;
use crate::api::graphql::types::stage::{
    PullStageInput, PullStagePayload, RemoveStagePayload, StageComponentInfo, StageKind, UploadStageInput,
    UploadStagePayload,
};
use crate::api::graphql::types::swap::{RollOut, RollOutStageInput, Swap, SwapStageInput};
use crate::api::graphql::upload::Uploaded;
use crate::config::Problem;
use crate::control::components::oci::Credentials;
use crate::control::components::{NewPull, Offered};
use crate::control::error::ControlError;
use crate::control::hidden::Hidden;
use crate::control::registry::ComponentSource;

/// See [`super::Mutation`].
#[derive(Debug, Default)]
pub struct StageMutation;

#[Object]
impl StageMutation {
    /// Adds a component: a multipart request with one file. It is checked, compiled and asked to describe itself before it is
    /// listed; what is refused is told in terms of the contract. The same file again is the same component. Stages that
    /// follow its name (`autoSwap`) are swapped for it.
    async fn upload_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The component.")] input: UploadStageInput,
    ) -> Maybe<UploadStagePayload> {
        boxed(upload(ctx, input)).await
    }

    /// Fetches a component from an OCI registry and adds it as `uploadStage` does: an image manifest with one layer
    /// `application/wasm`. Manifest and file have to hash to their digests. A registry that does not answer is UNAVAILABLE; one
    /// at an address that the tenant's network policy does not allow is not asked. One at a time for each tenant.
    async fn pull_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to fetch.")] input: PullStageInput,
    ) -> Maybe<PullStagePayload> {
        boxed(pull(ctx, input)).await
    }

    /// Takes a component away. One that a pipeline is set to, now or as its version before, is a CONFLICT.
    async fn remove_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its digest.")] digest: String,
        #[graphql(desc = "Of this tenant; left out: the caller's own.")] tenant: Option<ID>,
        #[graphql(desc = "True: of every tenant; for operators of the whole host.", default)] shared: bool,
    ) -> Maybe<RemoveStagePayload> {
        boxed(remove(ctx, digest, tenant, shared)).await
    }

    /// Swaps a stage of a pipeline, which stays on air: the component is checked and compiled, given the last recorded
    /// inputs, opened with the running version's state, and decides from the next call on. The old version runs beside it
    /// for some batches and takes over where it fails. Answers once the swap is written down; `swapChanged` follows it. What
    /// runs already, and a stage whose swap is under way, is a CONFLICT.
    async fn swap_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to swap.")] input: SwapStageInput,
    ) -> Maybe<Swap> {
        boxed(swap(ctx, input)).await
    }

    /// Swaps a stage in all of a tenant's pipelines, one after the other; the first that does not end well stops it. Pinned
    /// stages and those that run that already are left out; where none is left, the answer is CONFLICT.
    async fn roll_out_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to roll out.")] input: RollOutStageInput,
    ) -> Maybe<RollOut> {
        boxed(roll_out(ctx, input)).await
    }

    /// Takes a stage back to the version before: at once while the new one is on probation, else by another swap. Where
    /// there is no version before, the answer is CONFLICT.
    async fn roll_back_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] pipeline_id: ID,
        #[graphql(desc = "Which stage.")] kind: StageKind,
    ) -> Maybe<Swap> {
        boxed(roll_back(ctx, &pipeline_id, kind)).await
    }
}

async fn roll_out(ctx: &Context<'_>, input: RollOutStageInput) -> Result<RollOut> {
    let (control, actor) = core(ctx)?;
    let (tenant, kind) = (input.tenant.clone(), input.kind);
    let row = control.roll_out_stage(actor, named(tenant.as_ref()), kind.into(), input.wanted()).await;
    row.map_err(of_the_stage).at_input("input").map(RollOut::from)
}

async fn upload(ctx: &Context<'_>, input: UploadStageInput) -> Result<UploadStagePayload> {
    let (control, actor) = core(ctx)?;
    let UploadStageInput { file, tenant, shared, signature } = input;
    let unread = |error: std::io::Error| ControlError::invalid("input.file", format!("cannot be read: {error}"));
    let origin = file.value(ctx).map_err(unread)?.filename;
    let uploaded = ctx.data_opt::<Arc<Uploaded>>().cloned();
    let uploaded =
        uploaded.ok_or_else(|| ControlError::invalid("input.file", "must come with the request, as a file"))?;
    let bytes = uploaded.read().await.map_err(unread)?;
    let tenant = (!shared).then(|| tenant.map_or_else(|| actor.home().to_owned(), |id| id.0));
    let (source, gone) = (ComponentSource::Upload, gone(ctx));
    let offered = Offered { tenant, bytes, source, origin, signature, gone };
    let listed = control.add_component(actor, offered).await.at_input("input")?;
    Ok(UploadStagePayload { component: StageComponentInfo::new(&listed, Vec::new()) })
}

async fn pull(ctx: &Context<'_>, input: PullStageInput) -> Result<PullStagePayload> {
    let (control, actor) = core(ctx)?;
    let PullStageInput { reference, tenant, shared, auth, insecure, signature } = input;
    let tenant = (!shared).then(|| tenant.map_or_else(|| actor.home().to_owned(), |id| id.0));
    let credentials = auth.map(|auth| Credentials { username: auth.username, password: Hidden::new(auth.password) });
    let new = NewPull { reference, tenant, credentials, insecure, signature, gone: gone(ctx) };
    let listed = control.pull_component(actor, new).await.at_input("input")?;
    Ok(PullStagePayload { component: StageComponentInfo::new(&listed, Vec::new()) })
}

async fn remove(ctx: &Context<'_>, digest: String, tenant: Option<ID>, shared: bool) -> Result<RemoveStagePayload> {
    let (control, actor) = core(ctx)?;
    let removed = control.remove_component(actor, &digest, named(tenant.as_ref()), shared).await?;
    Ok(RemoveStagePayload { digest, removed })
}

async fn swap(ctx: &Context<'_>, input: SwapStageInput) -> Result<Swap> {
    let (control, actor) = core(ctx)?;
    let (id, kind) = (input.pipeline_id.clone(), input.kind);
    let row = control.swap_stage(actor, &id, kind.into(), input.wanted()).await;
    row.map_err(of_the_stage).at_input("input").map(Swap::from)
}

/// Problems that are named by their place in a pipeline's settings, by their place in one stage's.
fn of_the_stage(error: ControlError) -> ControlError {
    let ControlError::InvalidInput(problems) = error else { return error };
    let moved = problems.into_iter().map(|Problem { path, message }| {
        let inner =
            path.strip_prefix("stages.").and_then(|rest| rest.split_once('.')).map(|(_, inner)| inner.to_owned());
        Problem { path: inner.unwrap_or(path), message }
    });
    ControlError::InvalidInput(moved.collect())
}

async fn roll_back(ctx: &Context<'_>, id: &ID, kind: StageKind) -> Result<Swap> {
    let (control, actor) = core(ctx)?;
    Ok(control.roll_back_stage(actor, id, kind.into()).await?.into())
}
