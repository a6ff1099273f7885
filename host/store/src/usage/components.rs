//! Stage components count towards the storage quota of each tenant that added them. A file that two tenants added
//! counts for both, and still counts for one when the other removes it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of components, by tenant and digest.
#[derive(Debug, Default)]
pub struct Components(Mutex<BTreeMap<String, BTreeMap<String, u64>>>);

impl Components {
    /// Adds a component of this size to a tenant. Returns false if the tenant already had it.
    pub fn hold(&self, tenant: &str, digest: &str, bytes: u64) -> bool {
        self.lock().entry(tenant.to_owned()).or_default().insert(digest.to_owned(), bytes).is_none()
    }

    /// Removes a component from a tenant.
    pub fn give_back(&self, tenant: &str, digest: &str) {
        let mut all = self.lock();
        if let Some(of) = all.get_mut(tenant) {
            of.remove(digest);
            if of.is_empty() {
                all.remove(tenant);
            }
        }
    }

    /// Total bytes of a tenant's components.
    pub fn bytes(&self, tenant: &str) -> u64 {
        self.sizes(tenant).into_iter().sum()
    }

    /// The size of each component of a tenant, in bytes.
    pub(super) fn sizes(&self, tenant: &str) -> Vec<u64> {
        self.lock().get(tenant).map(|of| of.values().copied().collect()).unwrap_or_default()
    }

    /// Tenants that have components.
    pub fn tenants(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
