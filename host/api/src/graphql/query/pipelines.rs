//! Queries of pipelines, their batches and their revisions.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, core, named};
use crate::graphql::paging::{Connection, page};
use crate::graphql::types::batch::Batch;
use crate::graphql::types::pipeline::{Pipeline, Revision};
use crate::limits::GRAPHQL_LIST_COST;
use outboard_control::id::PipelineId;

/// Queries of pipelines, merged into [`super::Query`].
#[derive(Debug, Default)]
pub struct PipelineQuery;

#[Object]
impl PipelineQuery {
    /// The pipelines that the caller may read, ordered by ID. The quotas of the tenants limit their number.
    #[graphql(complexity = "GRAPHQL_LIST_COST * child_complexity + 1")]
    async fn pipelines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only pipelines of this tenant. Default: the caller's tenant; for host-wide callers, \
                    all tenants.")]
        tenant: Option<ID>,
    ) -> Maybe<Vec<Pipeline>> {
        Some(pipelines(ctx, tenant.as_ref()))
    }

    /// One pipeline. Fails with NOT_FOUND if it does not exist or belongs to another tenant.
    async fn pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline, or its stream ID if it belongs to the caller's tenant.")] id: ID,
    ) -> Maybe<Pipeline> {
        Some(core(ctx).and_then(|(control, actor)| control.pipelines().get(actor, &id)).map(Pipeline))
    }
}

fn pipelines(ctx: &Context<'_>, tenant: Option<&ID>) -> Result<Vec<Pipeline>> {
    let (control, actor) = core(ctx)?;
    Ok(control.pipelines().list(actor, named(tenant))?.into_iter().map(Pipeline).collect())
}

/// One batch of a pipeline.
pub async fn batch(ctx: &Context<'_>, id: &PipelineId, number: u64) -> Result<Batch> {
    let (control, actor) = core(ctx)?;
    Ok(control.history().batch(actor, &id.to_string(), number).await?.into())
}

/// The batches of a pipeline, newest first.
pub async fn batches(
    ctx: &Context<'_>,
    id: &PipelineId,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<Batch>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let listed = control.history().batches(actor, &id.to_string(), page.clone()).await?;
    Ok(Connection::of(listed, &page, |row| row.number, Batch::from))
}

/// The revisions of a pipeline's settings, newest first.
pub async fn revisions(
    ctx: &Context<'_>,
    id: &PipelineId,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<Revision>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let listed = control.history().revisions(actor, &id.to_string(), page.clone()).await?;
    Ok(Connection::of(listed, &page, |row| row.number, Revision::from))
}
