//! What lies on disk.

use async_graphql::{Context, ID, Object};

use crate::api::graphql::context::{Maybe, Result, core, named};
use crate::api::graphql::types::storage::{PipelineStorage, StorageStatistics};
use crate::control::Control;
use crate::control::access::Actor;
use crate::control::id::PipelineId;

/// Queries of storage, merged into [`super::Query`].
#[derive(Debug, Default)]
pub struct StorageQuery;

#[Object]
impl StorageQuery {
    /// Disk usage by kind of file and by pipeline, and available space.
    async fn storage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant. Default: the caller's tenant; for host-wide callers, all tenants \
                    together.")]
        tenant: Option<ID>,
    ) -> Maybe<StorageStatistics> {
        Some(statistics(ctx, tenant.as_ref()))
    }
}

fn statistics(ctx: &Context<'_>, tenant: Option<&ID>) -> Result<StorageStatistics> {
    let (control, actor) = core(ctx)?;
    seen(control, actor, tenant)
}

/// What lies on disk, as far as a caller may see.
///
/// # Errors
/// A tenant that is not there for them.
pub fn seen(control: &Control, actor: &Actor, tenant: Option<&ID>) -> Result<StorageStatistics> {
    let whose = named(tenant).or(actor.tenant.as_deref());
    Ok(StorageStatistics::new(whose.map(str::to_owned), control.storage().view(actor, whose, None)?))
}

/// What one pipeline has on disk.
pub fn of_pipeline(ctx: &Context<'_>, id: &PipelineId) -> Result<PipelineStorage> {
    let (control, actor) = core(ctx)?;
    let view = control.storage().view(actor, None, Some(&id.to_string()))?;
    Ok(PipelineStorage::new(id, &view.totals))
}
