//! Tenants, their quotas and network policies, and their tokens.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Control;
use super::access::{Action, Actor, Role};
use super::components::StagePolicy;
use super::error::ControlError;
use super::hidden::Hidden;
use super::quota::Quotas;
use super::registry::{self, NewTenant, TenantPatch, TenantRow, TokenRow};
use super::runner::StopMode;
use super::tenant_network::owner;
use crate::config::Problem;
use crate::net::Policy;
use crate::store::page::{Listed, Page};
use crate::unix_time::now_ms;

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose; `None`: the caller's own, for a host-wide caller the host's.
    pub tenant: Option<String>,
    /// Names it, once for its tenant.
    pub name: String,
    /// Role that the token gives its bearer.
    pub role: Role,
    /// Unix time in milliseconds from which on it is not taken.
    pub expires_ms: Option<u64>,
}

/// A token that was just made, with the secret that is never shown again.
#[derive(Debug, Clone)]
pub struct TokenSecret {
    /// The token as it is stored, without its secret.
    pub row: TokenRow,
    /// What a client sends.
    pub secret: Hidden<String>,
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
                Ok(self.0.tenants.all())
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
    pub async fn create_tenant(&self, actor: &Actor, new: NewTenant) -> Result<Arc<TenantRow>, ControlError> {
        actor.check(Action::CreateTenant, None)?;
        let mut problems = new.problems();
        problems.extend(policy_problems("networkPolicy", new.network.as_ref(), Policy::problems));
        problems.extend(policy_problems("stagePolicy", new.stages.as_ref(), StagePolicy::problems));
        told(problems)?;
        // Whoever had the name before is gone from the disk first.
        let _making = self.0.removing.make_room_for(&new.name).await?;
        let _changing = self.0.directory.change().await;
        Ok(self.know(self.0.registry.create_tenant(actor, new).await?.row))
    }

    /// Changes what a tenant may use and reach, or shuts it out: its tokens are not taken then, and its pipelines do not
    /// run. All of it or nothing. Its pipelines go on with another network policy at once; with other quotas when they
    /// start anew. What is on air stays so, whatever components the tenant may use now.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn update_tenant(
        &self,
        actor: &Actor,
        tenant: &str,
        patch: TenantPatch,
    ) -> Result<Arc<TenantRow>, ControlError> {
        // Whatever is asked for, also nothing.
        self.tenant_for(actor, Action::SetQuotas, Some(tenant))?;
        let asked = [
            (patch.network.is_some(), Action::SetNetwork),
            (patch.stages.is_some(), Action::SetStagePolicy),
            (patch.disabled.is_some(), Action::DisableTenant),
        ];
        for (_, action) in asked.into_iter().filter(|(asked, _)| *asked) {
            self.tenant_for(actor, action, Some(tenant))?;
        }
        let mut problems = Quotas::of(tenant, &patch.quotas.unwrap_or_default()).problems();
        let (network, stages) = (patch.network.as_ref(), patch.stages.as_ref());
        problems.extend(policy_problems("networkPolicy", network.and_then(Option::as_ref), Policy::problems));
        problems.extend(policy_problems("stagePolicy", stages.and_then(Option::as_ref), StagePolicy::problems));
        told(problems)?;
        let _changing = self.0.directory.change().await;
        let new = self.0.registry.update_tenant(actor, tenant, patch).await?;
        let row = self.know(new.row);
        if new.quotas || new.network {
            self.reown(&row, new.network);
        }
        if new.disabled {
            self.shut_out(&row).await?;
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
        let making = self.0.removing.make_room_for(tenant).await?;
        let changing = self.0.directory.change().await;
        self.remove_components_of(tenant).await?;
        let row = self.0.registry.delete_tenant(actor, tenant).await?;
        self.0.tenants.remove(tenant);
        self.0.tokens.forget_all();
        drop(changing);
        self.0.removing.remove_behind(making, row.removal(), None).await;
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
        self.0.host.janitor().set_quota(&row.name, Some(row.quotas().storage_bytes));
        self.0.tenants.put(row)
    }

    /// Stops the pipelines of a tenant that was shut out, at once; those of one that was let in go on as they are meant to.
    async fn shut_out(&self, row: &TenantRow) -> Result<(), ControlError> {
        self.0.tokens.forget_all();
        for entry in self.entries().iter().filter(|entry| entry.id().tenant == row.name) {
            if row.disabled {
                entry.want(|wanted| {
                    wanted.running = false;
                    wanted.mode = StopMode::AtOnce;
                });
            } else {
                let kept = self.0.registry.pipeline(entry.id()).await?;
                let running = kept.is_some_and(|kept| kept.desired == registry::Desired::Running);
                entry.want(|wanted| wanted.running = running);
            }
        }
        Ok(())
    }

    /// Gives a tenant's pipelines what they may use now; `at_once`: also those that run.
    fn reown(&self, row: &TenantRow, at_once: bool) {
        for entry in self.entries().iter().filter(|entry| entry.id().tenant == row.name) {
            entry.want(|wanted| {
                wanted.owner = crate::pipeline::Owner { progress: wanted.owner.progress.clone(), ..owner(row) };
                // What drains goes on air to its end.
                if at_once && wanted.running {
                    wanted.mode = StopMode::AtOnce;
                    wanted.turn += 1;
                }
            });
        }
    }
}

/// What is wrong with a policy, by the name that callers know it by.
fn policy_problems<P: DeserializeOwned>(
    path: &str,
    policy: Option<&Value>,
    problems: impl Fn(&P) -> Vec<Problem>,
) -> Vec<Problem> {
    match policy.map(|kept| serde_json::from_value(kept.clone())) {
        None => Vec::new(),
        Some(Err(error)) => vec![Problem { path: path.to_owned(), message: error.to_string() }],
        Some(Ok(read)) => {
            let below = |problem: Problem| Problem { path: format!("{path}.{}", problem.path), ..problem };
            problems(&read).into_iter().map(below).collect()
        }
    }
}

fn told(problems: Vec<Problem>) -> Result<(), ControlError> {
    if problems.is_empty() { Ok(()) } else { Err(ControlError::InvalidInput(problems)) }
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
        if new.expires_ms.is_some_and(|at| at <= now_ms()) {
            return Err(ControlError::invalid("expiresAt", "is in the past: the token would never be valid"));
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
