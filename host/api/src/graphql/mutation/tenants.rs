//! Mutations that create, change and delete tenants. For admins of the whole host.

use async_graphql::{Context, ID, MaybeUndefined, Object};
use serde_json::Value;

use crate::graphql::context::{Maybe, Result, boxed, core};
use crate::graphql::error::At;
use crate::graphql::types::tenant::{CreateTenantInput, DeleteTenantPayload, Tenant, UpdateTenantInput};
use outboard_control::registry::{NewTenant, TenantPatch};

/// Mutations of tenants, merged into [`super::Mutation`].
#[derive(Debug, Default)]
pub struct TenantMutation;

#[Object]
impl TenantMutation {
    /// Creates a tenant. Idempotent: identical settings return the existing tenant. Fails with CONFLICT if a tenant of
    /// this name has other settings, or if the name of another tenant differs only in upper and lower case. For admins
    /// of the whole host.
    async fn create_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant to create.")] input: CreateTenantInput,
    ) -> Maybe<Tenant> {
        boxed(create(ctx, input)).await
    }

    /// Changes the quotas and policies of a tenant, or disables or enables it. Atomic: if one change is invalid,
    /// nothing is changed. Fails with CONFLICT if the tenant `default` would be disabled. Idempotent. For admins of the
    /// whole host.
    async fn update_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the tenant.")] id: ID,
        #[graphql(desc = "The changes.")] input: UpdateTenantInput,
    ) -> Maybe<Tenant> {
        boxed(update(ctx, &id, input)).await
    }

    /// Deletes a tenant. Fails with CONFLICT while it has pipelines, and always for the tenant `default`. Idempotent:
    /// `deleted` is false if there is no such tenant. For admins of the whole host.
    async fn delete_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the tenant.")] id: ID,
    ) -> Maybe<DeleteTenantPayload> {
        boxed(delete(ctx, id)).await
    }
}

async fn create(ctx: &Context<'_>, input: CreateTenantInput) -> Result<Tenant> {
    let (control, actor) = core(ctx)?;
    let new = NewTenant {
        name: input.name,
        quotas: input.quotas.unwrap_or_default().into(),
        network: input.network_policy.map(|policy| policy.kept()),
        stages: input.stage_policy.map(|policy| policy.kept()),
    };
    let made = control.tenancy().create_tenant(actor, new).await;
    Ok(Tenant::of(&*made.at_input("input")?))
}

async fn update(ctx: &Context<'_>, id: &str, input: UpdateTenantInput) -> Result<Tenant> {
    let (control, actor) = core(ctx)?;
    let patch = TenantPatch {
        quotas: input.quotas.map(Into::into),
        network: asked(input.network_policy, |policy| policy.kept()),
        stages: asked(input.stage_policy, |policy| policy.kept()),
        disabled: input.disabled,
    };
    let changed = control.tenancy().update_tenant(actor, id, patch).await.at_input("input")?;
    Ok(Tenant::of(&changed))
}

/// `None`: unchanged; `Some(None)`: reset to the default.
fn asked<T>(policy: MaybeUndefined<T>, kept: impl FnOnce(T) -> Value) -> Option<Option<Value>> {
    match policy {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(policy) => Some(Some(kept(policy))),
    }
}

async fn delete(ctx: &Context<'_>, id: ID) -> Result<DeleteTenantPayload> {
    let (control, actor) = core(ctx)?;
    let deleted = control.tenancy().delete_tenant(actor, &id).await?;
    Ok(DeleteTenantPayload { id, deleted })
}
