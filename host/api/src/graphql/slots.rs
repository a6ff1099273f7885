//! How much of the API may be taken at once, by one tenant and by all: answers under way, uploads, connections, subscriptions,
//! bytes that wait to be taken. One tenant that takes all of its own leaves the others theirs.

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

/// The kinds of use that a tenant has a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Requests under way, from before they are read until their answer was taken.
    Answer,
    /// Requests with a file.
    Upload,
    /// An open WebSocket, with or without subscriptions.
    Socket,
    /// Subscriptions, over any transport.
    Subscription,
    /// Bytes of answers that their clients have not taken.
    Waiting,
}

impl Kind {
    /// What it is called, the most of one tenant, the most in all.
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

/// The counts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Slots(Arc<watch::Sender<HashMap<Key, usize>>>);

/// Whose, and of what.
type Key = (Whose, Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    All,
    Host,
    Tenant(String),
}

/// Some of a count, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    key: Key,
    taken: usize,
}

impl Slots {
    /// Takes one of the caller's tenant; callers of the whole host share theirs.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`].
    pub fn take(&self, kind: Kind, actor: &Actor) -> Result<Slot> {
        self.take_some(kind, actor, 1)
    }

    /// Takes so many.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`].
    pub fn take_some(&self, kind: Kind, actor: &Actor, taken: usize) -> Result<Slot> {
        let whose = actor.tenant.clone().map_or(Whose::Host, Whose::Tenant);
        let (what, most, in_all) = kind.bounds();
        let mut full = None;
        self.0.send_if_modified(|counts| {
            let has = |whose: &Whose| counts.get(&(whose.clone(), kind)).copied().unwrap_or_default();
            let fits = |whose, most| has(whose).checked_add(taken).is_some_and(|sum| sum <= most);
            if !fits(&whose, most) {
                full = Some((most, ""));
            } else if !fits(&Whose::All, in_all) {
                full = Some((in_all, " of all tenants"));
            } else {
                for whose in [whose.clone(), Whose::All] {
                    *counts.entry((whose, kind)).or_default() += taken;
                }
            }
            full.is_none()
        });
        match full {
            None => Ok(Slot { slots: self.clone(), key: (whose, kind), taken }),
            Some((most, whose)) => {
                let text = format!("there are {most} {what}{whose} already; end some of them first");
                Err(ControlError::LimitExceeded(text))
            }
        }
    }

    /// Waits until so many are taken, of all kinds together.
    #[cfg(test)]
    pub async fn until(&self, taken: usize) {
        let of_all = |counts: &HashMap<Key, usize>| -> usize {
            counts.iter().filter(|((whose, _), _)| *whose == Whose::All).map(|(_, count)| count).sum()
        };
        let mut counts = self.0.subscribe();
        counts.wait_for(|counts| of_all(counts) == taken).await.unwrap();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.0.send_modify(|counts| {
            for key in [self.key.clone(), (Whose::All, self.key.1)] {
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
            (0..GRAPHQL_SUBSCRIPTIONS_MAX).map(|_| slots.take(Kind::Subscription, &of("a")).unwrap()).collect();
        assert_eq!(slots.take(Kind::Subscription, &of("a")).unwrap_err().code(), "LIMIT_EXCEEDED");
        let _other = slots.take(Kind::Subscription, &of("b")).unwrap();
        let _else = slots.take(Kind::Answer, &of("a")).unwrap();
        held.pop();
        held.push(slots.take(Kind::Subscription, &of("a")).unwrap());
        drop((held, _other, _else));
        assert!(slots.0.borrow().is_empty());
    }

    #[test]
    fn all_of_them_together_have_a_bound() {
        let slots = Slots::default();
        let tenants = API_WAITING_BYTES_MAX / API_WAITING_BYTES_OF_TENANT_MAX;
        let take = |n: usize, bytes| slots.take_some(Kind::Waiting, &of(&format!("t{n}")), bytes);
        assert!(take(0, API_WAITING_BYTES_OF_TENANT_MAX + 1).is_err());
        let held: Vec<Slot> = (0..tenants).map(|n| take(n, API_WAITING_BYTES_OF_TENANT_MAX).unwrap()).collect();
        assert!(take(tenants, 1).unwrap_err().to_string().contains("of all tenants"));
        drop(held);
        assert!(take(tenants, usize::MAX).is_err());
        assert!(take(tenants, 1).is_ok());
    }
}
