//! Tenants, their quotas and network policies, their tokens and webhooks.

use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::Control;
use super::access::{Action, Actor, Role};
use super::error::ControlError;
use super::hidden::Hidden;
use super::pipelines::owner;
use super::quota::QuotaPatch;
use super::registry::{self, DeliveryRow, TenantRow, TokenRow, WebhookPatch, WebhookRow};
use super::runner::StopMode;
use crate::config::Problem;
use crate::net::Policy;
use crate::store::page::{Listed, Page};

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose; `None`: the caller's own, for a host-wide caller the host's.
    pub tenant: Option<String>,
    /// Names it, once for its tenant.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// Unix time in milliseconds from which on it is not taken.
    pub expires_ms: Option<u64>,
}

/// A token that was just made, with the secret that is never shown again.
#[derive(Debug, Clone)]
pub struct TokenSecret {
    /// The token.
    pub row: TokenRow,
    /// What a client sends.
    pub secret: Hidden<String>,
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Whose; `None`: the caller's own.
    pub tenant: Option<String>,
    /// Names it, once for its tenant.
    pub name: String,
    /// Where to.
    pub url: String,
    /// Signs what is sent; `None`: one is made.
    pub secret: Option<String>,
    /// Kinds of events; empty: all.
    pub events: Vec<String>,
    /// Whether anything is sent.
    pub enabled: bool,
}

// === tenants ===

impl Control {
    /// All tenants for a host-wide caller, else the caller's own.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn tenants(&self, actor: &Actor) -> Result<Vec<Arc<TenantRow>>, ControlError> {
        match &actor.tenant {
            Some(own) => Ok(vec![self.tenant_for(actor, Action::ViewTenant, Some(own))?]),
            None => {
                actor.check(Action::ListTenants, None)?;
                Ok(self.0.tenants.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
            }
        }
    }

    /// One tenant; `None`: the caller's own.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn tenant(&self, actor: &Actor, name: Option<&str>) -> Result<Arc<TenantRow>, ControlError> {
        self.tenant_for(actor, Action::ViewTenant, name)
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn create_tenant(
        &self,
        actor: &Actor,
        name: &str,
        quotas: QuotaPatch,
        network: Option<Value>,
    ) -> Result<Arc<TenantRow>, ControlError> {
        actor.check(Action::CreateTenant, None)?;
        check_network(network.as_ref())?;
        let _changing = self.0.changing.lock().await;
        let new = registry::NewTenant { name: name.to_owned(), quotas, network };
        Ok(self.know(self.0.registry.create_tenant(actor, new).await?.row))
    }

    /// Changes what a tenant may use; pipelines that run keep theirs until they start anew.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn set_quotas(
        &self,
        actor: &Actor,
        tenant: &str,
        patch: QuotaPatch,
    ) -> Result<Arc<TenantRow>, ControlError> {
        self.tenant_for(actor, Action::SetQuotas, Some(tenant))?;
        let _changing = self.0.changing.lock().await;
        let row = self.know(self.0.registry.set_quotas(actor, tenant, patch).await?.row);
        self.reown(&row, false);
        Ok(row)
    }

    /// Changes which addresses a tenant may reach. Its pipelines go on with it at once.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn set_network(
        &self,
        actor: &Actor,
        tenant: &str,
        policy: Option<Value>,
    ) -> Result<Arc<TenantRow>, ControlError> {
        self.tenant_for(actor, Action::SetNetwork, Some(tenant))?;
        check_network(policy.as_ref())?;
        let _changing = self.0.changing.lock().await;
        let changed = self.0.registry.set_network(actor, tenant, policy).await?;
        let row = self.know(changed.row);
        self.reown(&row, changed.changed);
        Ok(row)
    }

    /// Shuts a tenant out, or lets it in again: its tokens are not taken, its pipelines do not run.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn set_disabled(
        &self,
        actor: &Actor,
        tenant: &str,
        disabled: bool,
    ) -> Result<Arc<TenantRow>, ControlError> {
        self.tenant_for(actor, Action::DisableTenant, Some(tenant))?;
        let _changing = self.0.changing.lock().await;
        let row = self.know(self.0.registry.set_disabled(actor, tenant, disabled).await?.row);
        self.0.tokens.forget_all();
        for entry in self.entries().iter().filter(|entry| entry.id().tenant == row.name) {
            let wanted = self.0.registry.pipeline(entry.id()).await?;
            let running = !disabled && wanted.is_some_and(|row| row.desired == registry::Desired::Running);
            entry.want(|wanted| {
                wanted.running = running;
                wanted.mode = StopMode::AtOnce;
            });
        }
        Ok(row)
    }

    /// Deletes a tenant that has no pipelines any more. False: there was none.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where it has pipelines.
    pub async fn delete_tenant(&self, actor: &Actor, tenant: &str) -> Result<bool, ControlError> {
        match self.tenant_for(actor, Action::DeleteTenant, Some(tenant)) {
            Ok(_) => {}
            Err(ControlError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        let _changing = self.0.changing.lock().await;
        self.remove_components_of(tenant).await?;
        self.0.registry.delete_tenant(actor, tenant).await?;
        self.0.tenants.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
        self.0.tokens.forget_all();
        Ok(true)
    }

    pub(super) async fn load_tenants(&self) -> Result<(), ControlError> {
        let mut page = Page::oldest(usize::MAX);
        loop {
            let Listed { rows, more } = self.0.registry.tenants(page.clone()).await?;
            let last = rows.last().map(|row| row.name.clone());
            for row in rows {
                self.know(row);
            }
            match last.filter(|_| more) {
                Some(last) => page = page.after(last),
                None => return Ok(()),
            }
        }
    }

    /// Remembers a tenant as it is in the database.
    fn know(&self, row: TenantRow) -> Arc<TenantRow> {
        let row = Arc::new(row);
        self.0.host.janitor().set_quota(&row.name, Some(row.quotas().storage_bytes));
        let mut tenants = self.0.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(row.name.clone(), row.clone());
        row
    }

    /// Gives a tenant's pipelines what they may use now; `at_once`: also those that run.
    fn reown(&self, row: &TenantRow, at_once: bool) {
        for entry in self.entries().iter().filter(|entry| entry.id().tenant == row.name) {
            entry.want(|wanted| {
                wanted.owner = crate::pipeline::Owner { progress: wanted.owner.progress.clone(), ..owner(row) };
                if at_once {
                    wanted.mode = StopMode::AtOnce;
                    wanted.turn += 1;
                }
            });
        }
    }
}

fn check_network(policy: Option<&Value>) -> Result<(), ControlError> {
    let Some(policy) = policy else { return Ok(()) };
    let read = Policy::deserialize(policy).map_err(|error| ControlError::invalid("network", error.to_string()))?;
    let below = |problem: Problem| Problem { path: format!("network.{}", problem.path), ..problem };
    match read.problems() {
        problems if problems.is_empty() => Ok(()),
        problems => Err(ControlError::InvalidInput(problems.into_iter().map(below).collect())),
    }
}

// === tokens ===

impl Control {
    /// Tokens, keyed by id, without their secrets.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn tokens(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        page: Page,
    ) -> Result<Listed<TokenRow>, ControlError> {
        let scope = self.scope(actor, Action::ViewTokens, tenant)?;
        Ok(self.0.registry.tokens(scope, page).await?)
    }

    /// Makes a token. Its secret is in this answer and nowhere else.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where the tenant has one of that name.
    pub async fn create_token(&self, actor: &Actor, new: NewToken) -> Result<TokenSecret, ControlError> {
        let tenant = new.tenant.or_else(|| actor.tenant.clone());
        match &tenant {
            Some(tenant) => drop(self.tenant_for(actor, Action::CreateToken, Some(tenant))?),
            None => actor.check(Action::CreateToken, None)?,
        }
        let (secret, hash) = super::tokens::make_secret();
        let new = registry::NewToken { tenant, name: new.name, role: new.role, expires_ms: new.expires_ms, hash };
        Ok(TokenSecret { row: self.0.registry.create_token(actor, new).await?, secret })
    }

    /// Revokes a token; it is not taken any more when this answers.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn revoke_token(&self, actor: &Actor, id: u64) -> Result<TokenRow, ControlError> {
        let absent = || ControlError::NotFound(format!("there is no token {id}"));
        let row = self.0.registry.token(id).await?.ok_or_else(absent)?;
        // The host's own tokens are not there for a tenant.
        if row.tenant.is_none() && actor.tenant.is_some() {
            return Err(absent());
        }
        actor.check(Action::RevokeToken, row.tenant.as_deref()).map_err(|denied| denied.or_absent(absent()))?;
        let row = self.0.registry.revoke_token(actor, id).await?;
        self.0.tokens.forget_all();
        Ok(row)
    }
}

// === webhooks ===

impl Control {
    /// A tenant's webhooks, keyed by id.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn webhooks(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        page: Page,
    ) -> Result<Listed<WebhookRow>, ControlError> {
        let tenant = self.tenant_for(actor, Action::ViewWebhooks, tenant)?;
        Ok(self.0.registry.webhooks(&tenant.name, page).await?)
    }

    /// Makes a webhook.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn create_webhook(&self, actor: &Actor, new: NewWebhook) -> Result<WebhookRow, ControlError> {
        let tenant = self.tenant_for(actor, Action::CreateWebhook, new.tenant.as_deref())?;
        let secret = new.secret.map_or_else(|| super::tokens::make_secret().0, Hidden::new);
        let new = registry::NewWebhook {
            tenant: tenant.name.clone(),
            name: new.name,
            url: Hidden::new(new.url),
            secret,
            events: new.events,
            enabled: new.enabled,
        };
        Ok(self.0.registry.create_webhook(actor, new).await?.row)
    }

    /// Changes a webhook.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn update_webhook(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        id: u64,
        patch: WebhookPatch,
    ) -> Result<WebhookRow, ControlError> {
        let tenant = self.tenant_for(actor, Action::UpdateWebhook, tenant)?;
        Ok(self.0.registry.update_webhook(actor, &tenant.name, id, patch).await?.row)
    }

    /// Deletes a webhook and what waits for it. False: there was none.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn delete_webhook(&self, actor: &Actor, tenant: Option<&str>, id: u64) -> Result<bool, ControlError> {
        let tenant = self.tenant_for(actor, Action::DeleteWebhook, tenant)?;
        match self.0.registry.delete_webhook(actor, &tenant.name, id).await.map_err(ControlError::from) {
            Ok(_) => Ok(true),
            Err(ControlError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a webhook something to try it.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn test_webhook(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        id: u64,
    ) -> Result<DeliveryRow, ControlError> {
        let tenant = self.tenant_for(actor, Action::DeliverWebhook, tenant)?;
        let payload = serde_json::json!({
            "kind": "test", "tenant": tenant.name, "atMs": crate::unix_time::now_ms(),
            "severity": "info", "message": format!("a test by {}", actor.name),
        });
        let row = self.0.registry.try_webhook(actor, &tenant.name, id, payload).await?;
        self.0.webhooks.wake();
        Ok(row)
    }

    /// Sends a delivery once more.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn deliver_again(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        delivery: u64,
    ) -> Result<DeliveryRow, ControlError> {
        let tenant = self.tenant_for(actor, Action::DeliverWebhook, tenant)?;
        let row = self.0.registry.deliver_again(actor, &tenant.name, delivery).await?;
        self.0.webhooks.wake();
        Ok(row)
    }

    /// What a webhook was sent, keyed by id.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn deliveries(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        webhook: u64,
        page: Page,
    ) -> Result<Listed<DeliveryRow>, ControlError> {
        let tenant = self.tenant_for(actor, Action::ViewWebhooks, tenant)?;
        Ok(self.0.registry.deliveries(&tenant.name, webhook, page).await?)
    }
}
