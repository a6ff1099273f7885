//! Stage components count in the storage quota of each tenant that added them. Two that added the same file have it each:
//! the one who stays has it when the other goes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of components, by tenant and digest.
#[derive(Debug, Default)]
pub struct Components(Mutex<BTreeMap<String, BTreeMap<String, u64>>>);

impl Components {
    /// A tenant has a component of this size. False: it had it already.
    pub fn hold(&self, tenant: &str, digest: &str, bytes: u64) -> bool {
        self.lock().entry(tenant.to_owned()).or_default().insert(digest.to_owned(), bytes).is_none()
    }

    /// A tenant has a component no longer.
    pub fn give_back(&self, tenant: &str, digest: &str) {
        let mut all = self.lock();
        if let Some(of) = all.get_mut(tenant) {
            of.remove(digest);
            if of.is_empty() {
                all.remove(tenant);
            }
        }
    }

    /// Bytes of a tenant's components together.
    pub fn bytes(&self, tenant: &str) -> u64 {
        self.sizes(tenant).into_iter().sum()
    }

    /// The size of each component of a tenant, in bytes.
    pub(super) fn sizes(&self, tenant: &str) -> Vec<u64> {
        self.lock().get(tenant).map(|of| of.values().copied().collect()).unwrap_or_default()
    }

    /// Tenants that have any.
    pub fn tenants(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
