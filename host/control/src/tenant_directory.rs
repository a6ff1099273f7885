//! The tenants of this server in memory: as they are in the database, and which of them a caller may name.
//!
//! In: rows that [`super::tenancy`] has just written or read; nobody else changes them. Out: rows, for every service that is told a
//! tenant's name. Depends on nothing but the registry's types.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::access::{Action, Actor};
use super::error::ControlError;
use super::registry::{Scope, TenantRow};
use super::tenant_network::tenant_guard;
use outboard_net::Guard;

/// Every tenant, by name.
#[derive(Debug, Default)]
pub(super) struct TenantDirectory(RwLock<BTreeMap<String, Arc<TenantRow>>>);

impl TenantDirectory {
    /// Remembers a tenant as it is in the database now.
    pub(super) fn put(&self, row: TenantRow) -> Arc<TenantRow> {
        let row = Arc::new(row);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(row.name.clone(), row.clone());
        row
    }

    /// Forgets a tenant that is not in the database any more.
    pub(super) fn remove(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The tenant of that name, whoever asks.
    pub(super) fn get(&self, name: &str) -> Option<Arc<TenantRow>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Every tenant, sorted by name, disabled ones included.
    pub(super) fn all(&self) -> Vec<Arc<TenantRow>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What a tenant may reach; `None`: there is no such tenant, or it is disabled.
    pub(super) fn guard(&self, name: &str) -> Option<Guard> {
        Some(tenant_guard(&*self.get(name).filter(|tenant| !tenant.disabled)?))
    }

    /// The tenant that a caller names, or their own for `None`, if they may do that there.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for a tenant that does not exist or that is another's; [`ControlError::Forbidden`].
    pub(super) fn allowed(
        &self,
        actor: &Actor,
        action: Action,
        tenant: Option<&str>,
    ) -> Result<Arc<TenantRow>, ControlError> {
        let name = tenant.unwrap_or_else(|| actor.home());
        let absent = || ControlError::NotFound(format!("there is no tenant {name:?}"));
        actor.check(action, Some(name)).map_err(|denied| denied.or_absent(absent()))?;
        self.get(name).ok_or_else(absent)
    }

    /// Whose rows a caller may see: those of one tenant, or everybody's for a host-wide caller that names none.
    ///
    /// # Errors
    /// As [`Self::allowed`].
    pub(super) fn scope(&self, actor: &Actor, action: Action, tenant: Option<&str>) -> Result<Scope, ControlError> {
        match tenant.or(actor.tenant.as_deref()) {
            Some(tenant) => Ok(Scope::Tenant(self.allowed(actor, action, Some(tenant))?.name.clone())),
            None => {
                actor.check(action, None)?;
                Ok(Scope::All)
            }
        }
    }
}
