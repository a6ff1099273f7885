//! Limits what each tenant, and all tenants together, may use of the API at once: requests, uploads, connections, subscriptions, and
//! bytes of unread answers. A tenant at its limits does not affect the others.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::context::Result;
use crate::limits::{
    API_WAITING_BYTES_MAX, API_WAITING_BYTES_OF_TENANT_MAX, GRAPHQL_ANSWERS_IN_ALL_MAX, GRAPHQL_ANSWERS_MAX,
    GRAPHQL_SOCKETS_MAX, GRAPHQL_SUBSCRIPTIONS_MAX, GRAPHQL_UPLOADS_IN_ALL_MAX, GRAPHQL_UPLOADS_MAX,
};
use outboard_config::limits::API_CONNECTIONS_MAX;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// The kinds of use that are limited for each tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// Open requests, from before they are read until the client has read the answer.
    Answer,
    /// Open requests with a file.
    Upload,
    /// Open WebSockets, with or without subscriptions.
    Socket,
    /// Subscriptions, on any transport.
    Subscription,
    /// Bytes of answers that their clients have not read.
    Waiting,
}

impl SlotKind {
    /// Its name in errors, the limit of one tenant, and the limit of all together.
    fn bounds(self) -> (&'static str, usize, usize) {
        match self {
            Self::Answer => ("requests under way", GRAPHQL_ANSWERS_MAX, GRAPHQL_ANSWERS_IN_ALL_MAX),
            Self::Upload => ("uploads under way", GRAPHQL_UPLOADS_MAX, GRAPHQL_UPLOADS_IN_ALL_MAX),
            Self::Socket => ("connections", GRAPHQL_SOCKETS_MAX, API_CONNECTIONS_MAX),
            Self::Subscription => ("subscriptions", GRAPHQL_SUBSCRIPTIONS_MAX, usize::MAX),
            Self::Waiting => ("bytes of unread responses", API_WAITING_BYTES_OF_TENANT_MAX, API_WAITING_BYTES_MAX),
        }
    }
}

/// The counts of used slots. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Slots(Arc<watch::Sender<HashMap<Key, usize>>>);

/// The owner and the kind of a count.
type Key = (SlotOwner, SlotKind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SlotOwner {
    All,
    Host,
    Tenant(String),
}

/// A number of used slots; free again when dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    key: Key,
    taken: usize,
}

impl Slots {
    /// Takes one slot of the caller's tenant; host-wide callers share the host's slots.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`] if the tenant, or all tenants together, would exceed their limit.
    pub fn take(&self, kind: SlotKind, actor: &Actor) -> Result<Slot> {
        self.take_some(kind, actor, 1)
    }

    /// Takes several slots at once, such as the bytes of an answer.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`] if the tenant, or all tenants together, would exceed their limit.
    pub fn take_some(&self, kind: SlotKind, actor: &Actor, taken: usize) -> Result<Slot> {
        let owner = actor.tenant.clone().map_or(SlotOwner::Host, SlotOwner::Tenant);
        let (what, most, in_all) = kind.bounds();
        let mut full = None;
        self.0.send_if_modified(|counts| {
            let has = |owner: &SlotOwner| counts.get(&(owner.clone(), kind)).copied().unwrap_or_default();
            let fits = |owner, most| has(owner).checked_add(taken).is_some_and(|sum| sum <= most);
            if !fits(&owner, most) {
                full = Some((most, ""));
            } else if !fits(&SlotOwner::All, in_all) {
                full = Some((in_all, " of all tenants"));
            } else {
                for owner in [owner.clone(), SlotOwner::All] {
                    *counts.entry((owner, kind)).or_default() += taken;
                }
            }
            full.is_none()
        });
        match full {
            None => Ok(Slot { slots: self.clone(), key: (owner, kind), taken }),
            Some((most, owner)) => {
                let text = format!("there are {most} {what}{owner} already; end some of them first");
                Err(ControlError::LimitExceeded(text))
            }
        }
    }

    /// Waits until this many slots are in use, of all kinds together.
    #[cfg(test)]
    pub async fn until(&self, taken: usize) {
        let of_all = |counts: &HashMap<Key, usize>| -> usize {
            counts.iter().filter(|((owner, _), _)| *owner == SlotOwner::All).map(|(_, count)| count).sum()
        };
        let mut counts = self.0.subscribe();
        counts.wait_for(|counts| of_all(counts) == taken).await.unwrap();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.0.send_modify(|counts| {
            for key in [self.key.clone(), (SlotOwner::All, self.key.1)] {
                if let Some(count) = counts.get_mut(&key) {
                    *count = count.saturating_sub(self.taken);
                    if *count == 0 {
                        counts.remove(&key);
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_control::access::Role;

    fn of(tenant: &str) -> Actor {
        Actor { tenant: Some(tenant.into()), role: Role::Viewer, token: None, name: "x".into() }
    }

    #[test]
    fn one_tenant_cannot_take_the_others() {
        let slots = Slots::default();
        let mut held: Vec<Slot> =
            (0..GRAPHQL_SUBSCRIPTIONS_MAX).map(|_| slots.take(SlotKind::Subscription, &of("a")).unwrap()).collect();
        assert_eq!(slots.take(SlotKind::Subscription, &of("a")).unwrap_err().code(), "LIMIT_EXCEEDED");
        let _other = slots.take(SlotKind::Subscription, &of("b")).unwrap();
        let _else = slots.take(SlotKind::Answer, &of("a")).unwrap();
        held.pop();
        held.push(slots.take(SlotKind::Subscription, &of("a")).unwrap());
        drop((held, _other, _else));
        assert!(slots.0.borrow().is_empty());
    }

    #[test]
    fn all_of_them_together_have_a_bound() {
        let slots = Slots::default();
        let tenants = API_WAITING_BYTES_MAX / API_WAITING_BYTES_OF_TENANT_MAX;
        let take = |n: usize, bytes| slots.take_some(SlotKind::Waiting, &of(&format!("t{n}")), bytes);
        assert!(take(0, API_WAITING_BYTES_OF_TENANT_MAX + 1).is_err());
        let held: Vec<Slot> = (0..tenants).map(|n| take(n, API_WAITING_BYTES_OF_TENANT_MAX).unwrap()).collect();
        assert!(take(tenants, 1).unwrap_err().to_string().contains("of all tenants"));
        drop(held);
        assert!(take(tenants, usize::MAX).is_err());
        assert!(take(tenants, 1).is_ok());
    }
}
