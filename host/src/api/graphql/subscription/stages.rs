//! Swaps of stages, as they go on.

use async_graphql::{Context, ID, Subscription};
use futures_util::StreamExt;

use super::Follow;
use crate::api::graphql::context::{Result, core, named};
use crate::api::graphql::types::swap::Swap;
use crate::control::Watched;

/// See [`super::Subscription`].
#[derive(Debug, Default)]
pub struct StageSubscription;

#[Subscription]
impl StageSubscription {
    /// Swaps of stages: each from now on, whenever it takes a step. A reader that is too slow skips steps; the next swap that it
    /// gets holds them all.
    async fn swap_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this pipeline; left out: of all that the caller may see.")] pipeline_id: Option<ID>,
    ) -> Result<Follow<Swap>> {
        let (control, actor) = core(ctx)?;
        let swaps = control.watch_swaps(actor, named(pipeline_id.as_ref()))?;
        let told = swaps.filter_map(|swap| {
            std::future::ready(match swap {
                Watched::Item(row) => Some(Ok(Swap::from((*row).clone()))),
                Watched::Lost(_) => None,
            })
        });
        Ok(told.boxed())
    }
}
