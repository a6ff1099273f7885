//! Subscriptions to pipelines and their batches.

use async_graphql::{Context, ID, Subscription};
use futures_util::StreamExt;

use super::Follow;
use crate::graphql::context::{Result, core, named};
use crate::graphql::types::batch::BatchProgress;
use crate::graphql::types::status::PipelineStatus;
use outboard_control::Watched;

/// Subscriptions to pipelines, merged into [`super::Subscription`].
#[derive(Debug, Default)]
pub struct PipelineSubscription;

#[Subscription]
impl PipelineSubscription {
    /// The status of one pipeline, or of all pipelines that the caller may read: immediately, after each change, and
    /// every second while a pipeline runs. A slow subscriber gets the newest status and skips the ones between.
    async fn pipeline_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline. Default: all pipelines, including those created later.")] id: Option<ID>,
        #[graphql(desc = "Only pipelines of this tenant. Ignored if `id` is set.")] tenant: Option<ID>,
    ) -> Result<Follow<PipelineStatus>> {
        let (control, actor) = core(ctx)?;
        let seen = match &id {
            Some(id) => control.pipelines().watch(actor, id)?.boxed(),
            None => control.pipelines().watch_all(actor, named(tenant.as_ref()))?.boxed(),
        };
        Ok(seen.map(|(id, shown)| Ok(PipelineStatus::new(&id, &shown))).boxed())
    }

    /// Every step that the pipeline's batches complete from now on. A slow subscriber skips steps; `dropped` counts
    /// them.
    async fn batch_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] id: ID,
    ) -> Result<Follow<BatchProgress>> {
        let (control, actor) = core(ctx)?;
        let id = control.pipelines().get(actor, &id)?.id().clone();
        let steps = control.pipelines().watch_batches(actor, &id.to_string())?;
        let mut dropped = 0;
        let told = steps.filter_map(move |step| {
            let next = match step {
                Watched::Lost(lost) => {
                    dropped += lost;
                    None
                }
                Watched::Item(step) => BatchProgress::new(&id, &step, std::mem::take(&mut dropped)),
            };
            std::future::ready(next.map(Ok))
        });
        Ok(told.boxed())
    }
}
