//! Tenants, their tokens and webhooks.

use async_graphql::{Context, ID, Object};

use crate::api::graphql::context::{Maybe, Result, boxed, core, named};
use crate::api::graphql::paging::{Connection, cost, page};
use crate::api::graphql::types::tenant::Tenant;
use crate::api::graphql::types::token::Token;
use crate::api::graphql::types::webhook::{Delivery, Webhook, WebhookId};
use crate::limits::GRAPHQL_LIST_COST;
use crate::store::page::Page;

/// Queries of tenants, tokens, webhooks and the audit log, merged into [`super::Query`].
#[derive(Debug, Default)]
pub struct TenancyQuery;

#[Object]
impl TenancyQuery {
    /// All tenants for host-wide callers; for all others their own tenant.
    #[graphql(complexity = "GRAPHQL_LIST_COST * child_complexity + 1")]
    async fn tenants(&self, ctx: &Context<'_>) -> Maybe<Vec<Tenant>> {
        boxed(tenants(ctx)).await
    }

    /// One tenant. Fails with NOT_FOUND if it does not exist or is not the caller's own.
    async fn tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the tenant. Default: the caller's tenant; `default` for host-wide callers.")]
        id: Option<ID>,
    ) -> Maybe<Tenant> {
        boxed(tenant(ctx, id.as_ref())).await
    }

    /// Tokens without their secrets, newest first, including revoked ones. For admins.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only tokens of this tenant. Default: the caller's tenant; for host-wide callers, all \
                    tokens.")]
        tenant: Option<ID>,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
    ) -> Maybe<Connection<Token>> {
        boxed(tokens(ctx, tenant.as_ref(), first, after.as_deref())).await
    }

    /// The webhooks of a tenant. For admins.
    #[graphql(complexity = "GRAPHQL_LIST_COST * child_complexity + 1")]
    async fn webhooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant. Default: the caller's tenant; `default` for host-wide callers.")] tenant: Option<
            ID,
        >,
    ) -> Maybe<Vec<Webhook>> {
        boxed(webhooks(ctx, tenant.as_ref())).await
    }

    /// The deliveries of a webhook, newest first. For admins.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the webhook.")] webhook: ID,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
    ) -> Maybe<Connection<Delivery>> {
        boxed(deliveries(ctx, &webhook, first, after.as_deref())).await
    }
}

async fn tenants(ctx: &Context<'_>) -> Result<Vec<Tenant>> {
    let (control, actor) = core(ctx)?;
    Ok(control.tenancy().tenants(actor)?.iter().map(|row| Tenant::of(row)).collect())
}

async fn tenant(ctx: &Context<'_>, id: Option<&ID>) -> Result<Tenant> {
    let (control, actor) = core(ctx)?;
    Ok(Tenant::of(&*control.tenancy().tenant(actor, named(id))?))
}

async fn tokens(
    ctx: &Context<'_>,
    tenant: Option<&ID>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<Token>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let listed = control.tenancy().tokens(actor, named(tenant), page.clone()).await?;
    Ok(Connection::of(listed, &page, |row| row.id, Token::from))
}

async fn webhooks(ctx: &Context<'_>, tenant: Option<&ID>) -> Result<Vec<Webhook>> {
    let (control, actor) = core(ctx)?;
    let listed = control.webhooks().list(actor, named(tenant), Page::oldest(usize::MAX)).await?;
    Ok(listed.rows.into_iter().map(Webhook::from).collect())
}

async fn deliveries(
    ctx: &Context<'_>,
    webhook: &ID,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<Delivery>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let WebhookId { tenant, number } = WebhookId::parse(webhook, actor)?;
    let listed = control.webhooks().deliveries(actor, Some(&tenant), number, page.clone()).await?;
    Ok(Connection::of(listed, &page, |row| row.id, |row| Delivery::new(&tenant, row)))
}
