//! Pipelines and their batches, as they change.

use async_graphql::{Context, ID, Subscription};
use futures_util::StreamExt;

use super::Follow;
use crate::api::graphql::context::{Result, core, named};
use crate::api::graphql::types::batch::BatchProgress;
use crate::api::graphql::types::status::PipelineStatus;
use crate::control::Watched;

/// See [`super::Subscription`].
#[derive(Debug, Default)]
pub struct PipelineSubscription;

#[Subscription]
impl PipelineSubscription {
    /// How a pipeline is, or how all pipelines are that the caller may see: at once, after each change, and each second
    /// while one runs. A reader that is too slow gets the newest and skips what was in between.
    async fn pipeline_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline; left out: all, those that are made later too.")] id: Option<ID>,
        #[graphql(desc = "Where no pipeline is named: only this tenant's.")] tenant: Option<ID>,
    ) -> Result<Follow<PipelineStatus>> {
        let (control, actor) = core(ctx)?;
        let seen = match &id {
            Some(id) => control.watch_pipeline(actor, id)?.boxed(),
            None => control.watch_pipelines(actor, named(tenant.as_ref()))?.boxed(),
        };
        Ok(seen.map(|(id, shown)| Ok(PipelineStatus::new(&id, &shown))).boxed())
    }

    /// The steps that a pipeline's batches take from now on.
    async fn batch_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pipeline.")] id: ID,
    ) -> Result<Follow<BatchProgress>> {
        let (control, actor) = core(ctx)?;
        let id = control.pipeline(actor, &id)?.id().clone();
        let steps = control.watch_batches(actor, &id.to_string())?;
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
