//! How much of the API one tenant may take at once: answers under way, connections, subscriptions. One tenant that takes all
//! of its own leaves the others theirs.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::context::Result;
use crate::control::access::Actor;
use crate::control::error::ControlError;
use crate::limits::{GRAPHQL_ANSWERS_MAX, GRAPHQL_GREETINGS_MAX, GRAPHQL_SOCKETS_MAX, GRAPHQL_SUBSCRIPTIONS_MAX};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Queries and mutations under way.
    Answer,
    /// WebSocket connections of nobody yet.
    Greeting,
    /// WebSocket connections.
    Socket,
    /// Subscriptions, over any transport.
    Subscription,
}

/// The counts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Slots(Arc<watch::Sender<HashMap<Key, usize>>>);

/// Whose, and of what.
type Key = (Option<String>, Kind);

/// One of a count, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    key: Key,
}

impl Slots {
    /// Takes one of the caller's tenant; callers of the whole host share theirs.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`].
    pub fn take(&self, kind: Kind, actor: &Actor) -> Result<Slot> {
        self.count((actor.tenant.clone(), kind))
    }

    /// Takes one for somebody who has not said yet who they are.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`].
    pub fn greet(&self) -> Result<Slot> {
        self.count((None, Kind::Greeting))
    }

    fn count(&self, key: Key) -> Result<Slot> {
        let (most, what) = match key.1 {
            Kind::Answer => (GRAPHQL_ANSWERS_MAX, "requests under way"),
            Kind::Greeting => (GRAPHQL_GREETINGS_MAX, "connections that have not said who they are"),
            Kind::Socket => (GRAPHQL_SOCKETS_MAX, "connections"),
            Kind::Subscription => (GRAPHQL_SUBSCRIPTIONS_MAX, "subscriptions"),
        };
        let free = self.0.send_if_modified(|counts| {
            let count = counts.entry(key.clone()).or_default();
            let free = *count < most;
            *count += usize::from(free);
            free
        });
        if free {
            return Ok(Slot { slots: self.clone(), key });
        }
        Err(ControlError::LimitExceeded(format!("there are {most} {what} already; end some of them first")))
    }

    /// Waits until so many are taken, of all kinds together.
    #[cfg(test)]
    pub async fn until(&self, taken: usize) {
        let mut counts = self.0.subscribe();
        counts.wait_for(|counts| counts.values().sum::<usize>() == taken).await.unwrap();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.0.send_modify(|counts| {
            if let Some(count) = counts.get_mut(&self.key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&self.key);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::access::Role;

    #[test]
    fn one_tenant_cannot_take_the_others() {
        let of =
            |tenant: &str| Actor { tenant: Some(tenant.into()), role: Role::Viewer, token: None, name: "x".into() };
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
}
