//! Whose component is compiled next.
//!
//! So many at once, one of each tenant. A pipeline that starts comes before uploads; else it is the tenant's turn whose last one
//! is longest ago, and inside a tenant that of the one that came first. So a tenant's many or slow files keep another's waiting
//! for one compilation at most, as long as fewer tenants than slots do so at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::LoadError;

/// For whom a component is loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asker {
    /// The tenant; empty: the host itself.
    pub tenant: String,
    /// A pipeline waits for it to start.
    pub starts: bool,
}

impl Asker {
    /// Somebody of a tenant, or of the host.
    pub fn of(tenant: Option<&str>) -> Self {
        Self { tenant: tenant.unwrap_or_default().to_owned(), starts: false }
    }

    /// A tenant's pipeline that starts.
    pub fn starting(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), starts: true }
    }
}

/// The slots.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

/// A slot, free again when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    tenant: String,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting_max: usize,
    /// Counts arrivals and grants.
    clock: u64,
    tenants: BTreeMap<String, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    running: bool,
    /// [`State::clock`] at its last grant.
    granted: u64,
    /// By arrival.
    waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    starts: bool,
    turn: oneshot::Sender<()>,
}

/// A place in the queue, given up when dropped.
struct Place {
    turns: Turns,
    tenant: String,
    arrival: u64,
    taken: bool,
}

// === impl Turns ===

impl Turns {
    pub(super) fn new(slots: usize, waiting_max: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: slots, waiting_max, clock: 0, tenants: BTreeMap::new() })))
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// [`LoadError::Busy`]: too many of the tenant's wait.
    pub(super) async fn take(&self, asker: &Asker) -> Result<Turn, LoadError> {
        let (mut place, turn) = self.queue_up(asker)?;
        // The other end lies in the queue until it is used: the turn comes, or the place is given up.
        turn.await.ok();
        place.taken = true;
        Ok(Turn { turns: self.clone(), tenant: asker.tenant.clone() })
    }

    fn queue_up(&self, asker: &Asker) -> Result<(Place, oneshot::Receiver<()>), LoadError> {
        let mut state = self.lock();
        let (arrival, most) = (state.tick(), state.waiting_max);
        let tenant = state.tenants.entry(asker.tenant.clone()).or_default();
        if tenant.waiting.len() >= most {
            return Err(LoadError::Busy { waiting: tenant.waiting.len() });
        }
        let (turn, comes) = oneshot::channel();
        tenant.waiting.insert(arrival, Waiter { starts: asker.starts, turn });
        state.grant();
        Ok((Place { turns: self.clone(), tenant: asker.tenant.clone(), arrival, taken: false }, comes))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().release(&self.tenant);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut state = self.turns.lock();
        let waited = state.tenants.get_mut(&self.tenant).and_then(|tenant| tenant.waiting.remove(&self.arrival));
        if waited.is_none() {
            // The turn had come, and nobody was there to take it.
            state.release(&self.tenant);
        }
        state.forget();
    }
}

// === impl State ===

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn release(&mut self, tenant: &str) {
        self.free += 1;
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.running = false;
        }
        self.grant();
        self.forget();
    }

    /// Gives out free slots while somebody may have one.
    fn grant(&mut self) {
        while self.free > 0 {
            let firsts = self.tenants.iter().filter(|(_, tenant)| !tenant.running).filter_map(|(name, tenant)| {
                let (arrival, waiter) =
                    tenant.waiting.iter().min_by_key(|(arrival, waiter)| (!waiter.starts, **arrival))?;
                Some(((!waiter.starts, tenant.granted, *arrival), name.clone(), *arrival))
            });
            let Some((_, name, arrival)) = firsts.min() else { return };
            let now = self.tick();
            let Some(tenant) = self.tenants.get_mut(&name) else { return };
            let Some(waiter) = tenant.waiting.remove(&arrival) else { return };
            (tenant.running, tenant.granted) = (true, now);
            self.free -= 1;
            // The receiver is there: its place is taken out of the queue, under this lock, before it goes.
            waiter.turn.send(()).ok();
        }
    }

    /// Tenants that neither run nor wait are not remembered once nobody waits whom they should come behind.
    fn forget(&mut self) {
        if self.tenants.values().all(|tenant| tenant.waiting.is_empty()) {
            self.tenants.retain(|_, tenant| tenant.running);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    type Waiting = Pin<Box<dyn Future<Output = Result<Turn, LoadError>>>>;

    fn wait(turns: &Turns, tenant: &str, starts: bool) -> Waiting {
        let (turns, asker) = (turns.clone(), Asker { tenant: tenant.to_owned(), starts });
        let mut waiting: Waiting = Box::pin(async move { turns.take(&asker).await });
        // It stands in the queue from its first look on.
        match look(&mut waiting) {
            Some(turn) => Box::pin(std::future::ready(Ok(turn))),
            None => waiting,
        }
    }

    fn look(waiting: &mut Waiting) -> Option<Turn> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_of_each_tenant_and_so_many_in_all() {
        let turns = Turns::new(2, 8);
        let mut a = [(); 3].map(|()| wait(&turns, "a", false));
        let first = look(&mut a[0]).unwrap();
        assert!(look(&mut a[1]).is_none(), "the second slot is not for the same tenant");
        let (mut b, mut c) = (wait(&turns, "b", false), wait(&turns, "c", false));
        let of_b = look(&mut b).unwrap();
        assert!(look(&mut c).is_none(), "both slots are taken");
        drop(first);
        assert!(look(&mut a[1]).is_none(), "it is the turn of one that had none");
        let of_c = look(&mut c).unwrap();
        drop(of_b);
        assert!(look(&mut a[1]).is_some());
        drop((of_c, a));
        assert_eq!(turns.lock().free, 2);
        assert!(turns.lock().tenants.is_empty());
    }

    #[test]
    fn many_of_one_tenant_keep_another_waiting_for_one_only() {
        let turns = Turns::new(1, 8);
        let mut a = [(); 8].map(|()| wait(&turns, "a", false));
        let first = look(&mut a[0]).unwrap();
        let mut b = [(); 2].map(|()| wait(&turns, "b", false));
        drop(first);
        let of_b = look(&mut b[0]).unwrap();
        assert!(look(&mut a[1]).is_none());
        drop(of_b);
        // Turn and turn about.
        let of_a = look(&mut a[1]).unwrap();
        assert!(look(&mut b[1]).is_none());
        drop(of_a);
        assert!(look(&mut b[1]).is_some());
    }

    #[test]
    fn a_pipeline_that_starts_comes_first() {
        let turns = Turns::new(1, 8);
        let mut running = wait(&turns, "a", false);
        let running = look(&mut running).unwrap();
        let (mut upload, mut start) = (wait(&turns, "b", false), wait(&turns, "a", true));
        drop(running);
        let start = look(&mut start).unwrap();
        assert!(look(&mut upload).is_none());
        drop(start);
        assert!(look(&mut upload).is_some());
    }

    #[test]
    fn who_goes_away_gives_the_place_up_before_and_after_the_turn_comes() {
        let turns = Turns::new(1, 2);
        let mut first = wait(&turns, "a", false);
        let first = look(&mut first).unwrap();
        let (gone, late, mut last) = (wait(&turns, "b", false), wait(&turns, "c", false), wait(&turns, "d", false));
        drop(gone);
        drop(first);
        // It is c's turn, but c never looks again.
        assert!(look(&mut last).is_none());
        drop(late);
        assert!(look(&mut last).is_some());
        assert_eq!(turns.lock().free, 1);
    }

    #[test]
    fn too_many_are_refused() {
        let turns = Turns::new(1, 2);
        let held = [(); 3].map(|()| wait(&turns, "a", false));
        let asker = Asker::of(Some("a"));
        let more = Box::pin(turns.take(&asker)).as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(held);
        assert!(matches!(more, Poll::Ready(Err(LoadError::Busy { waiting: 2 }))), "{more:?}");
    }
}
