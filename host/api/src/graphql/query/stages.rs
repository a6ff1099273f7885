//! The components that stages can be made of, and swaps.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, boxed, core, named};
use crate::graphql::paging::{Connection, page};
use crate::graphql::types::stage::{RefusedComponent, StageComponentInfo};
use crate::graphql::types::swap::{RollOut, Swap};
use crate::limits::GRAPHQL_LIST_COST;
use outboard_control::components::ListedComponent;
use outboard_control::error::ControlError;
use outboard_control::id::PipelineId;

/// Queries of components and swaps, merged into [`super::Query`].
#[derive(Debug, Default)]
pub struct StageQuery;

#[Object]
impl StageQuery {
    /// The components that the tenant may use as stages: bundled components and those in the host's store.
    #[graphql(complexity = "GRAPHQL_LIST_COST * child_complexity + 1")]
    async fn stage_components(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant. Default: the caller's tenant.")] tenant: Option<ID>,
    ) -> Maybe<Vec<StageComponentInfo>> {
        boxed(components(ctx, tenant)).await
    }

    /// Rejected components with the reasons, newest first. A restart of the server clears the list.
    #[graphql(complexity = "GRAPHQL_LIST_COST * child_complexity + 1")]
    async fn refused_components(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant. Default: the caller's tenant.")] tenant: Option<ID>,
    ) -> Maybe<Vec<RefusedComponent>> {
        boxed(refused(ctx, tenant)).await
    }

    /// One rollout. Fails with NOT_FOUND if it does not exist.
    async fn roll_out(&self, ctx: &Context<'_>, #[graphql(desc = "ID of the rollout.")] id: ID) -> Maybe<RollOut> {
        boxed(roll_out(ctx, id)).await
    }

    /// One swap. Fails with NOT_FOUND if it does not exist.
    async fn swap(&self, ctx: &Context<'_>, #[graphql(desc = "ID of the swap.")] id: ID) -> Maybe<Swap> {
        boxed(swap(ctx, id)).await
    }
}

async fn roll_out(ctx: &Context<'_>, id: ID) -> Result<RollOut> {
    let (control, actor) = core(ctx)?;
    let number = id.parse().map_err(|_| ControlError::NotFound(format!("there is no roll-out {:?}", id.as_str())))?;
    Ok(control.swaps().roll_out(actor, number).await?.into())
}

async fn components(ctx: &Context<'_>, tenant: Option<ID>) -> Result<Vec<StageComponentInfo>> {
    let (control, actor) = core(ctx)?;
    let all = control.components().list(actor, named(tenant.as_ref())).await?;
    let users = |listed: &ListedComponent| {
        control.components().users_of(actor, listed.component.digest).into_iter().map(ID).collect()
    };
    Ok(all.iter().map(|listed| StageComponentInfo::new(listed, users(listed))).collect())
}

async fn refused(ctx: &Context<'_>, tenant: Option<ID>) -> Result<Vec<RefusedComponent>> {
    let (control, actor) = core(ctx)?;
    let refused = control.components().refused(actor, named(tenant.as_ref()))?;
    Ok(refused.into_iter().map(RefusedComponent::from).collect())
}

async fn swap(ctx: &Context<'_>, id: ID) -> Result<Swap> {
    let (control, actor) = core(ctx)?;
    let number = id.parse().map_err(|_| ControlError::NotFound(format!("there is no swap {:?}", id.as_str())))?;
    Ok(control.swaps().get(actor, number).await?.into())
}

/// The swaps of a pipeline's stages, newest first.
pub async fn swaps(
    ctx: &Context<'_>,
    id: &PipelineId,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<Swap>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let listed = control.swaps().list(actor, &id.to_string(), page.clone()).await?;
    Ok(Connection::of(listed, &page, |row| row.id, Swap::from))
}
