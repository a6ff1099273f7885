//! Tenants, their quotas and policies, and their tokens.
//!
//! Called by the API, and for each request to find out who is calling. Owns the directory of tenants (nobody else writes to it) and what
//! is remembered of tokens. Depends on the directory of pipelines, whose owners it changes, on removals and on components.

mod tokens;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::{Action, Actor};
use super::components::StagePolicy;
use super::components::library::ComponentLibrary;
use super::error::ControlError;
use super::pipeline_directory::PipelineDirectory;
use super::quota::Quotas;
use super::registry::{Desired, NewTenant, Registry, TenantPatch, TenantRow};
use super::removing::Removing;
use super::runner::StopMode;
use super::tenant_directory::TenantDirectory;
use super::tenant_network::owner;
use super::tokens::Tokens;
use outboard_base::Problem;
use outboard_net::Policy;
use outboard_pipeline::{Host, Owner};
use outboard_store::page::{Listed, Page};

pub use tokens::{NewToken, TokenSecret};

/// Tenants and their tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tenancy {
    host: Host,
    registry: Registry,
    tokens: Tokens,
    tenants: Arc<TenantDirectory>,
    directory: Arc<PipelineDirectory>,
    removing: Arc<Removing>,
    library: ComponentLibrary,
}

// === impl Tenancy ===

impl Tenancy {
    /// Knows no tenant yet: see [`Self::load`].
    pub(super) fn new(
        host: Host,
        registry: Registry,
        tenants: Arc<TenantDirectory>,
        directory: Arc<PipelineDirectory>,
        removing: Arc<Removing>,
        library: ComponentLibrary,
    ) -> Self {
        let tokens = Tokens::new(registry.clone());
        Self { host, registry, tokens, tenants, directory, removing, library }
    }

    /// All tenants for a host-wide caller, else the caller's own.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn tenants(&self, actor: &Actor) -> Result<Vec<Arc<TenantRow>>, ControlError> {
        match &actor.tenant {
            Some(own) => Ok(vec![self.tenants.allowed(actor, Action::ViewTenant, Some(own))?]),
            None => {
                actor.check(Action::ListTenants, None)?;
                Ok(self.tenants.all())
            }
        }
    }

    /// One tenant; `None`: the caller's own.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if it does not exist or is not the caller's; [`ControlError::Forbidden`].
    pub fn tenant(&self, actor: &Actor, name: Option<&str>) -> Result<Arc<TenantRow>, ControlError> {
        self.tenants.allowed(actor, Action::ViewTenant, name)
    }

    /// Creates a tenant, once files of a deleted tenant of that name are removed.
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
        let _making = self.removing.make_room_for(&new.name).await?;
        let _changing = self.directory.change().await;
        Ok(self.know(self.registry.create_tenant(actor, new).await?.row))
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
        self.tenants.allowed(actor, Action::SetQuotas, Some(tenant))?;
        let asked = [
            (patch.network.is_some(), Action::SetNetwork),
            (patch.stages.is_some(), Action::SetStagePolicy),
            (patch.disabled.is_some(), Action::DisableTenant),
        ];
        for (_, action) in asked.into_iter().filter(|(asked, _)| *asked) {
            self.tenants.allowed(actor, action, Some(tenant))?;
        }
        let mut problems = Quotas::of(tenant, &patch.quotas.unwrap_or_default()).problems();
        let (network, stages) = (patch.network.as_ref(), patch.stages.as_ref());
        problems.extend(policy_problems("networkPolicy", network.and_then(Option::as_ref), Policy::problems));
        problems.extend(policy_problems("stagePolicy", stages.and_then(Option::as_ref), StagePolicy::problems));
        told(problems)?;
        let _changing = self.directory.change().await;
        let new = self.registry.update_tenant(actor, tenant, patch).await?;
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
        match self.tenants.allowed(actor, Action::DeleteTenant, Some(tenant)) {
            Ok(_) => {}
            Err(ControlError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        let making = self.removing.make_room_for(tenant).await?;
        let changing = self.directory.change().await;
        self.library.remove_all_of(tenant).await?;
        let row = self.registry.delete_tenant(actor, tenant).await?;
        self.tenants.remove(tenant);
        self.tokens.forget_all();
        drop(changing);
        self.removing.remove_behind(making, row.removal(), None).await;
        Ok(true)
    }

    pub(super) async fn load(&self) -> Result<(), ControlError> {
        let mut page = Page::oldest(usize::MAX);
        loop {
            let Listed { rows, more } = self.registry.tenants(page.clone()).await?;
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
        self.host.janitor().set_quota(&row.name, Some(row.quotas().storage_bytes));
        self.tenants.put(row)
    }

    /// Stops the pipelines of a tenant that was shut out, at once; those of one that was let in go on as they are meant to.
    async fn shut_out(&self, row: &TenantRow) -> Result<(), ControlError> {
        self.tokens.forget_all();
        for handle in self.directory.of_tenant(&row.name) {
            if row.disabled {
                handle.want(|wanted| {
                    wanted.running = false;
                    wanted.mode = StopMode::AtOnce;
                });
            } else {
                let kept = self.registry.pipeline(handle.id()).await?;
                let running = kept.is_some_and(|kept| kept.desired == Desired::Running);
                handle.want(|wanted| wanted.running = running);
            }
        }
        Ok(())
    }

    /// Gives a tenant's pipelines what they may use now; `at_once`: also those that run.
    fn reown(&self, row: &TenantRow, at_once: bool) {
        for handle in self.directory.of_tenant(&row.name) {
            handle.want(|wanted| {
                wanted.owner = Owner { progress: wanted.owner.progress.clone(), ..owner(row) };
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
