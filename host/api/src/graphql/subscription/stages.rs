//! Subscriptions to swaps of stages.

use async_graphql::{Context, ID, Subscription};
use futures_util::StreamExt;

use super::Follow;
use crate::graphql::context::{Result, core, named};
use crate::graphql::types::swap::Swap;
use outboard_control::Watched;

/// Subscriptions to swaps, merged into [`super::Subscription`].
#[derive(Debug, Default)]
pub struct StageSubscription;

#[Subscription]
impl StageSubscription {
    /// Every swap that completes a step from now on. A slow subscriber skips updates; each update has all steps of its
    /// swap so far.
    async fn swap_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline. Default: all pipelines that the caller may read.")] pipeline_id: Option<
            ID,
        >,
    ) -> Result<Follow<Swap>> {
        let (control, actor) = core(ctx)?;
        let swaps = control.swaps().watch(actor, named(pipeline_id.as_ref()))?;
        let told = swaps.filter_map(|swap| {
            std::future::ready(match swap {
                Watched::Item(row) => Some(Ok(Swap::from((*row).clone()))),
                Watched::Lost(_) => None,
            })
        });
        Ok(told.boxed())
    }
}
