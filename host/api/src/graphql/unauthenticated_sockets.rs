//! WebSocket connections whose client is not authenticated yet.
//!
//! Their number is limited. A connection above the limit closes the oldest one of the address that has the most. So a client that
//! opens many and does not authenticate loses its own first, and others, which need one message to authenticate, are accepted.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::limits::GRAPHQL_UNAUTHENTICATED_SOCKETS_MAX;
use crate::peers::{Peer, network};

/// All such connections, the oldest first. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct UnauthenticatedSockets(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    there: VecDeque<One>,
}

#[derive(Debug)]
struct One {
    id: u64,
    from: Option<IpAddr>,
    end: CancellationToken,
}

/// One such connection; no longer counted when dropped.
#[derive(Debug)]
pub struct UnauthenticatedSocket {
    sockets: UnauthenticatedSockets,
    id: u64,
    end: CancellationToken,
}

impl UnauthenticatedSockets {
    /// Counts a new connection; above the limit, closes the oldest one of the address with the most.
    pub fn enter(&self, Peer(from): Peer) -> UnauthenticatedSocket {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.there.len() >= GRAPHQL_UNAUTHENTICATED_SOCKETS_MAX {
            waiting.make_room();
        }
        let (id, end) = (waiting.next, CancellationToken::new());
        waiting.next += 1;
        waiting.there.push_back(One { id, from: from.map(network), end: end.clone() });
        UnauthenticatedSocket { sockets: self.clone(), id, end }
    }
}

impl Waiting {
    fn make_room(&mut self) {
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for one in &self.there {
            *counts.entry(one.from).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or_default();
        let oldest = self.there.iter().position(|one| counts.get(&one.from) == Some(&most));
        if let Some(one) = oldest.and_then(|at| self.there.remove(at)) {
            one.end.cancel();
        }
    }
}

impl UnauthenticatedSocket {
    /// Completes when this connection must be closed, because a new one exceeds the limit.
    pub async fn must_close(&self) {
        self.end.cancelled().await;
    }
}

impl Drop for UnauthenticatedSocket {
    fn drop(&mut self) {
        let mut waiting = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.there.retain(|one| one.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(sockets: &[UnauthenticatedSocket]) -> Vec<u64> {
        sockets.iter().filter(|one| one.end.is_cancelled()).map(|one| one.id).collect()
    }

    #[test]
    fn one_more_ends_the_oldest_of_the_address_that_has_most() {
        let from = |last: u8| Peer(Some(IpAddr::from([192, 0, 2, last])));
        let sockets = UnauthenticatedSockets::default();
        let mut held = vec![sockets.enter(from(1))];
        held.extend((1..GRAPHQL_UNAUTHENTICATED_SOCKETS_MAX).map(|_| sockets.enter(from(2))));
        assert_eq!(ended(&held), [0; 0]);
        held.push(sockets.enter(from(3)));
        held.push(sockets.enter(from(2)));
        assert_eq!(ended(&held), [1, 2], "of the second address, and its oldest");
        drop(held);
        assert!(sockets.0.lock().unwrap().there.is_empty());
    }
}
