//! What is kept in memory of components, for checks that cannot wait for the database and lists that read no files.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError, RwLock};

use super::known::Facts;
use super::offered::Refused;
use crate::error::ControlError;
use crate::limits::COMPONENTS_REFUSED_KEPT;

/// Owners of a digest (`None`: the operator), each with the id of the key that theirs is signed with.
type Owners = BTreeMap<Option<String>, Option<String>>;

/// Whose components are, what they are, what was refused, and who is fetching one.
#[derive(Debug, Default)]
pub(super) struct ComponentStore {
    /// By digest. What is in the store and not here is the operator's.
    owners: RwLock<BTreeMap<String, Owners>>,
    refused: Mutex<VecDeque<Refused>>,
    pulling: Mutex<HashSet<Option<String>>>,
    facts: Facts,
}

/// How a tenant comes to have a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether the component is shared with every tenant.
    pub shared: bool,
    /// As its own; within, the id of the key that it is signed with.
    pub own: Option<Option<String>>,
}

/// Somebody fetches a component, until it is dropped.
#[derive(Debug)]
pub(super) struct Pulling<'a> {
    store: &'a ComponentStore,
    tenant: Option<String>,
}

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        self.store.pulling.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tenant);
    }
}

// === impl ComponentStore ===

impl ComponentStore {
    /// Descriptions of components that were loaded before.
    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// How a tenant has a digest; `None`: it does not.
    pub(super) fn standing(&self, tenant: &str, digest: &str) -> Option<Standing> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = owners.get(digest) else { return Some(Standing { shared: true, own: None }) };
        let own = of.get(&Some(tenant.to_owned())).cloned();
        let standing = Standing { shared: of.contains_key(&None), own };
        (standing.shared || standing.own.is_some()).then_some(standing)
    }

    /// A digest that is known already keeps the key that it is signed with, unless there is another.
    pub(super) fn know(&self, digest: &str, tenant: Option<String>, signed_by: Option<String>) {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        let kept = owners.entry(digest.to_owned()).or_default().entry(tenant).or_default();
        if signed_by.is_some() {
            *kept = signed_by;
        }
    }

    /// The owner has the digest no more; `None`: the operator.
    pub(super) fn forget(&self, digest: &str, tenant: Option<&str>) {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = owners.get_mut(digest) {
            of.remove(&tenant.map(str::to_owned));
        }
    }

    /// Remembers a refusal in place of the last one of the same origin. The oldest go beyond [`COMPONENTS_REFUSED_KEPT`].
    pub(super) fn refuse(&self, refused: Refused) {
        let mut kept = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| (&one.tenant, &one.origin) != (&refused.tenant, &refused.origin));
        kept.push_back(refused);
        while kept.len() > COMPONENTS_REFUSED_KEPT {
            kept.pop_front();
        }
    }

    /// What was refused before was taken now.
    pub(super) fn take_back_refusal(&self, tenant: Option<&str>, origin: &str) {
        let mut kept = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| (one.tenant.as_deref(), one.origin.as_str()) != (tenant, origin));
    }

    /// Those refused that somebody may know of, newest first.
    pub(super) fn refused(&self, wanted: impl Fn(&Refused) -> bool) -> Vec<Refused> {
        let kept = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().filter(|one| wanted(one)).cloned().collect()
    }

    /// One at a time for each tenant: a registry that is slow holds up nobody else.
    pub(super) fn pulling(&self, tenant: Option<String>) -> Result<Pulling<'_>, ControlError> {
        let new = self.pulling.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone());
        if new {
            return Ok(Pulling { store: self, tenant });
        }
        let whose = tenant.map_or_else(|| "every tenant".to_owned(), |tenant| format!("tenant {tenant}"));
        Err(ControlError::LimitExceeded(format!(
            "a component for {whose} is already being pulled; only one can be pulled at a time"
        )))
    }
}
