//! Mutations that create, change, delete and test webhooks. For admins.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, boxed, core};
use crate::graphql::error::At;
use crate::graphql::types::event;
use crate::graphql::types::webhook::{
    CreateWebhookInput, CreateWebhookPayload, DeleteWebhookPayload, Delivery, UpdateWebhookInput, Webhook, WebhookId,
};
use outboard_control::NewWebhook;
use outboard_control::hidden::Hidden;
use outboard_control::registry::WebhookPatch;

/// Mutations of webhooks, merged into [`super::Mutation`].
#[derive(Debug, Default)]
pub struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Creates a webhook. Idempotent: identical settings return the existing webhook. Fails with CONFLICT if a webhook
    /// of this name has other settings or another secret than the given one. For admins.
    async fn create_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook to create.")] input: CreateWebhookInput,
    ) -> Maybe<CreateWebhookPayload> {
        boxed(create(ctx, input)).await
    }

    /// Changes a webhook. Idempotent. For admins.
    async fn update_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the webhook.")] id: ID,
        #[graphql(desc = "The changes.")] input: UpdateWebhookInput,
    ) -> Maybe<Webhook> {
        boxed(update(ctx, &id, input)).await
    }

    /// Deletes a webhook and its pending deliveries. Idempotent: `deleted` is false if there is no such webhook. For
    /// admins.
    async fn delete_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the webhook.")] id: ID,
    ) -> Maybe<DeleteWebhookPayload> {
        boxed(delete(ctx, id)).await
    }

    /// Sends a test delivery to a webhook. Not idempotent: each call sends one. The query `deliveries` shows its
    /// result. For admins.
    async fn test_webhook(&self, ctx: &Context<'_>, #[graphql(desc = "ID of the webhook.")] id: ID) -> Maybe<Delivery> {
        boxed(test(ctx, &id)).await
    }

    /// Repeats a delivery. Not idempotent: each call sends it once more. For admins.
    async fn deliver_again(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the delivery.")] id: ID,
    ) -> Maybe<Delivery> {
        boxed(deliver_again(ctx, &id)).await
    }
}

async fn create(ctx: &Context<'_>, input: CreateWebhookInput) -> Result<CreateWebhookPayload> {
    let (control, actor) = core(ctx)?;
    let CreateWebhookInput { tenant, name, url, kinds, secret, enabled } = input;
    let events = event::words(kinds.unwrap_or_default());
    let new = NewWebhook { tenant: tenant.map(Into::into), name, url, secret, events, enabled };
    let made = control.webhooks().create(actor, new).await.at_input("input")?;
    Ok(CreateWebhookPayload { webhook: made.row.into(), secret: made.secret.map(Hidden::take) })
}

async fn update(ctx: &Context<'_>, id: &ID, input: UpdateWebhookInput) -> Result<Webhook> {
    let (control, actor) = core(ctx)?;
    let WebhookId { tenant, number } = WebhookId::parse(id, actor)?;
    let patch = WebhookPatch {
        url: input.url.map(Hidden::new),
        secret: input.secret.map(Hidden::new),
        events: input.kinds.map(event::words),
        enabled: input.enabled,
    };
    control.webhooks().update(actor, Some(&tenant), number, patch).await.at_input("input").map(Webhook::from)
}

async fn delete(ctx: &Context<'_>, id: ID) -> Result<DeleteWebhookPayload> {
    let (control, actor) = core(ctx)?;
    // What cannot be an id names nothing that could be deleted.
    let deleted = match WebhookId::parse(&id, actor) {
        Ok(WebhookId { tenant, number }) => control.webhooks().delete(actor, Some(&tenant), number).await?,
        Err(_) => false,
    };
    Ok(DeleteWebhookPayload { id, deleted })
}

async fn test(ctx: &Context<'_>, id: &ID) -> Result<Delivery> {
    let (control, actor) = core(ctx)?;
    let WebhookId { tenant, number } = WebhookId::parse(id, actor)?;
    let row = control.webhooks().test(actor, Some(&tenant), number).await?;
    Ok(Delivery::new(&tenant, row))
}

async fn deliver_again(ctx: &Context<'_>, id: &ID) -> Result<Delivery> {
    let (control, actor) = core(ctx)?;
    let WebhookId { tenant, number } = WebhookId::parse(id, actor)?;
    let row = control.webhooks().deliver_again(actor, Some(&tenant), number).await?;
    Ok(Delivery::new(&tenant, row))
}
