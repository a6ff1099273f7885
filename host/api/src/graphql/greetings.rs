//! WebSocket connections of callers who have not said yet who they are.
//!
//! There are so many at once. One more does not wait: it ends the oldest of the address that has most. So whoever opens many of
//! them and says nothing loses its own first, and a client that says who it is, which takes one message, always gets in.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::limits::GRAPHQL_GREETINGS_MAX;
use crate::peers::{Peer, network};

/// All of them, the oldest first. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Greetings(Arc<Mutex<Waiting>>);

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

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Greeting {
    greetings: Greetings,
    id: u64,
    end: CancellationToken,
}

impl Greetings {
    /// Admits one more unauthenticated WebSocket; the oldest of the busiest address is ended if there are too many.
    pub fn enter(&self, Peer(from): Peer) -> Greeting {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.there.len() >= GRAPHQL_GREETINGS_MAX {
            waiting.make_room();
        }
        let (id, end) = (waiting.next, CancellationToken::new());
        waiting.next += 1;
        waiting.there.push_back(One { id, from: from.map(network), end: end.clone() });
        Greeting { greetings: self.clone(), id, end }
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

impl Greeting {
    /// Until it has to make room for others.
    pub async fn until_its_end(&self) {
        self.end.cancelled().await;
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        let mut waiting = self.greetings.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.there.retain(|one| one.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(greetings: &[Greeting]) -> Vec<u64> {
        greetings.iter().filter(|one| one.end.is_cancelled()).map(|one| one.id).collect()
    }

    #[test]
    fn one_more_ends_the_oldest_of_the_address_that_has_most() {
        let from = |last: u8| Peer(Some(IpAddr::from([192, 0, 2, last])));
        let greetings = Greetings::default();
        let mut held = vec![greetings.enter(from(1))];
        held.extend((1..GRAPHQL_GREETINGS_MAX).map(|_| greetings.enter(from(2))));
        assert_eq!(ended(&held), [0; 0]);
        held.push(greetings.enter(from(3)));
        held.push(greetings.enter(from(2)));
        assert_eq!(ended(&held), [1, 2], "of the second address, and its oldest");
        drop(held);
        assert!(greetings.0.lock().unwrap().there.is_empty());
    }
}
