//! Mutations that add and remove components, and swap stages and roll them back.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, boxed, core, gone, named};
use crate::graphql::error::At;
use crate::graphql::types::stage::{
    PullStageInput, PullStagePayload, RemoveStagePayload, StageComponentInfo, UploadStageInput, UploadStagePayload,
};
use crate::graphql::types::stage_kind::StageKind;
use crate::graphql::types::swap::{RollOut, RollOutStageInput, Swap, SwapStageInput};
use crate::graphql::upload::Uploaded;
use outboard_base::Problem;
use outboard_control::components::oci::Credentials;
use outboard_control::components::{NewPull, Offered};
use outboard_control::error::ControlError;
use outboard_control::hidden::Hidden;
use outboard_control::registry::ComponentSource;

/// Mutations of components and swaps, merged into [`super::Mutation`].
#[derive(Debug, Default)]
pub struct StageMutation;

#[Object]
impl StageMutation {
    /// Adds a component from a multipart request with one file. The component is checked, compiled and asked to
    /// describe itself before it is listed. Fails with INVALID_INPUT and the reason if it violates the contract.
    /// Idempotent: an identical file returns the existing component. Stages with `autoSwap` whose component has the
    /// same name are swapped to it. For operators and admins.
    async fn upload_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The component to add.")] input: UploadStageInput,
    ) -> Maybe<UploadStagePayload> {
        boxed(upload(ctx, input)).await
    }

    /// Fetches a component from an OCI registry and adds it in the same way as `uploadStage`. The image manifest must
    /// have one layer of the type `application/wasm`; the manifest and the file must match their digests. Addresses
    /// that the tenant's network policy blocks are not contacted. Fails with UNAVAILABLE if the registry does not
    /// answer. Each tenant can pull one component at a time. For operators and admins.
    async fn pull_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The component to fetch.")] input: PullStageInput,
    ) -> Maybe<PullStagePayload> {
        boxed(pull(ctx, input)).await
    }

    /// Removes a component. Fails with CONFLICT while a pipeline uses it, now or for rollback. Idempotent: `removed` is
    /// false if there is no such component. For operators and admins.
    async fn remove_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Digest of the component, `sha256:…`.")] digest: String,
        #[graphql(desc = "The tenant. Default: the caller's tenant.")] tenant: Option<ID>,
        #[graphql(
            desc = "True: remove a component that is available to every tenant. For operators and admins \
                    of the whole host.",
            default
        )]
        shared: bool,
    ) -> Maybe<RemoveStagePayload> {
        boxed(remove(ctx, digest, tenant, shared)).await
    }

    /// Swaps a stage of a pipeline without taking the pipeline off air. The component is checked, compiled, rehearsed
    /// with the last recorded inputs and opened with the state of the running version; it decides from the next call
    /// on. During the probation the old version runs beside it and takes over if it fails. Returns as soon as the swap
    /// is stored; the subscription `swapChanged` sends each step. Fails with CONFLICT if the requested version already
    /// runs or a swap of this stage is in progress. For operators and admins.
    async fn swap_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The swap to perform.")] input: SwapStageInput,
    ) -> Maybe<Swap> {
        boxed(swap(ctx, input)).await
    }

    /// Swaps a stage in all pipelines of a tenant, one after the other, and stops at the first swap that fails. Pinned
    /// stages and stages that already run the version are skipped. Fails with CONFLICT if no pipeline is left. For
    /// operators and admins.
    async fn roll_out_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rollout to perform.")] input: RollOutStageInput,
    ) -> Maybe<RollOut> {
        boxed(roll_out(ctx, input)).await
    }

    /// Rolls a stage back to the previous version: immediately during a probation, otherwise with another swap. Fails
    /// with CONFLICT if there is no previous version. For operators and admins.
    async fn roll_back_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] pipeline_id: ID,
        #[graphql(desc = "The kind of the stage.")] kind: StageKind,
    ) -> Maybe<Swap> {
        boxed(roll_back(ctx, &pipeline_id, kind)).await
    }
}

async fn roll_out(ctx: &Context<'_>, input: RollOutStageInput) -> Result<RollOut> {
    let (control, actor) = core(ctx)?;
    let (tenant, kind) = (input.tenant.clone(), input.kind);
    let row = control.swaps().roll_out_stage(actor, named(tenant.as_ref()), kind.into(), input.wanted()).await;
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
    let listed = control.components().add(actor, offered).await.at_input("input")?;
    Ok(UploadStagePayload { component: StageComponentInfo::new(&listed, Vec::new()) })
}

async fn pull(ctx: &Context<'_>, input: PullStageInput) -> Result<PullStagePayload> {
    let (control, actor) = core(ctx)?;
    let PullStageInput { reference, tenant, shared, auth, insecure, signature } = input;
    let tenant = (!shared).then(|| tenant.map_or_else(|| actor.home().to_owned(), |id| id.0));
    let credentials = auth.map(|auth| Credentials { username: auth.username, password: Hidden::new(auth.password) });
    let new = NewPull { reference, tenant, credentials, insecure, signature, gone: gone(ctx) };
    let listed = control.components().pull(actor, new).await.at_input("input")?;
    Ok(PullStagePayload { component: StageComponentInfo::new(&listed, Vec::new()) })
}

async fn remove(ctx: &Context<'_>, digest: String, tenant: Option<ID>, shared: bool) -> Result<RemoveStagePayload> {
    let (control, actor) = core(ctx)?;
    let removed = control.components().remove(actor, &digest, named(tenant.as_ref()), shared).await?;
    Ok(RemoveStagePayload { digest, removed })
}

async fn swap(ctx: &Context<'_>, input: SwapStageInput) -> Result<Swap> {
    let (control, actor) = core(ctx)?;
    let (id, kind) = (input.pipeline_id.clone(), input.kind);
    let row = control.swaps().swap_stage(actor, &id, kind.into(), input.wanted()).await;
    row.map_err(of_the_stage).at_input("input").map(Swap::from)
}

/// Renames the paths of problems from a pipeline's settings to those of one stage.
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
    Ok(control.swaps().roll_back_stage(actor, id, kind.into()).await?.into())
}
