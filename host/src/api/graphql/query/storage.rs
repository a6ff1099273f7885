//! What lies on disk.

use async_graphql::{Context, ID, Object};

use crate::api::graphql::context::{Maybe, Result, core};
use crate::api::graphql::types::storage::{PipelineStorage, StorageStatistics};
use crate::control::id::PipelineId;

/// See [`super::Query`].
#[derive(Debug, Default)]
pub struct StorageQuery;

#[Object]
impl StorageQuery {
    /// What lies on disk, by kind of file and by pipeline, and how much room there is.
    async fn storage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this tenant. Left out: the caller's own; for callers of the whole host, all together.")]
        tenant: Option<ID>,
    ) -> Maybe<StorageStatistics> {
        Some(statistics(ctx, tenant.as_ref()).await)
    }
}

async fn statistics(ctx: &Context<'_>, tenant: Option<&ID>) -> Result<StorageStatistics> {
    let (control, actor) = core(ctx)?;
    StorageStatistics::of(control, actor, tenant).await
}

/// What one pipeline has on disk.
pub async fn of_pipeline(ctx: &Context<'_>, id: &PipelineId) -> Result<PipelineStorage> {
    let (control, actor) = core(ctx)?;
    PipelineStorage::of(control, actor, id).await
}
