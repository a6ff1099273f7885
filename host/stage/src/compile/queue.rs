//! The queue of components that wait to be compiled.
//!
//! A fixed number is compiled at once, at most one of each tenant. A pipeline that starts comes before uploads; otherwise the next
//! tenant is the one whose last compilation was longest ago, and within a tenant the order is that of arrival. So many or slow
//! files of a tenant delay another tenant's by one compilation at most, unless as many tenants as there are slots send such files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::LoadError;

/// Who needs a component to be loaded; decides its place in the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompileRequester {
    /// The tenant's name; empty: the host itself.
    pub tenant: String,
    /// True: a pipeline waits for the component before it can start.
    pub starts: bool,
}

impl CompileRequester {
    /// A request of a tenant, or of the host itself (`None`), that no pipeline waits for.
    pub fn of(tenant: Option<&str>) -> Self {
        Self { tenant: tenant.unwrap_or_default().to_owned(), starts: false }
    }

    /// A request of a tenant's pipeline that is starting.
    pub fn starting(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), starts: true }
    }
}

/// The queue. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct CompileQueue(Arc<Mutex<State>>);

/// Permission to compile one component; given back when dropped.
#[derive(Debug)]
pub(super) struct CompileSlot {
    queue: CompileQueue,
    tenant: String,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting_max: usize,
    /// Counts arrivals and grants; orders both.
    clock: u64,
    tenants: BTreeMap<String, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    running: bool,
    /// [`State::clock`] at its last grant.
    granted: u64,
    /// Requests that wait, by [`State::clock`] at their arrival.
    waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    starts: bool,
    granted: oneshot::Sender<()>,
}

/// A place in the queue; removed from it when dropped, unless it was granted.
struct QueuePlace {
    queue: CompileQueue,
    tenant: String,
    arrival: u64,
    granted: bool,
}

// === impl CompileQueue ===

impl CompileQueue {
    /// A queue with this many slots, for at most `waiting_max` waiting requests of each tenant.
    pub(super) fn new(slots: usize, waiting_max: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: slots, waiting_max, clock: 0, tenants: BTreeMap::new() })))
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// [`LoadError::Busy`] if too many requests of the tenant wait.
    pub(super) async fn take(&self, requester: &CompileRequester) -> Result<CompileSlot, LoadError> {
        let (mut place, granted) = self.queue_up(requester)?;
        // The sender stays in the queue until the slot is granted, so this cannot fail before.
        granted.await.ok();
        place.granted = true;
        Ok(CompileSlot { queue: self.clone(), tenant: requester.tenant.clone() })
    }

    fn queue_up(&self, requester: &CompileRequester) -> Result<(QueuePlace, oneshot::Receiver<()>), LoadError> {
        let mut state = self.lock();
        let (arrival, most) = (state.tick(), state.waiting_max);
        let tenant = state.tenants.entry(requester.tenant.clone()).or_default();
        if tenant.waiting.len() >= most {
            return Err(LoadError::Busy { waiting: tenant.waiting.len() });
        }
        let (granted, grant) = oneshot::channel();
        tenant.waiting.insert(arrival, Waiter { starts: requester.starts, granted });
        state.grant();
        Ok((QueuePlace { queue: self.clone(), tenant: requester.tenant.clone(), arrival, granted: false }, grant))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CompileSlot {
    fn drop(&mut self) {
        self.queue.lock().release(&self.tenant);
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        if self.granted {
            return;
        }
        let mut state = self.queue.lock();
        let waited = state.tenants.get_mut(&self.tenant).and_then(|tenant| tenant.waiting.remove(&self.arrival));
        if waited.is_none() {
            // A slot was granted after the last poll, and is not used.
            state.release(&self.tenant);
        }
        state.remove_idle();
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
        self.remove_idle();
    }

    /// Grants free slots to the requests that come next.
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
            // The receiver exists: it is dropped after its place, which needs this lock.
            waiter.granted.send(()).ok();
        }
    }

    /// Removes tenants that neither run nor wait; their last grants matter only while other requests wait.
    fn remove_idle(&mut self) {
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

    type Waiting = Pin<Box<dyn Future<Output = Result<CompileSlot, LoadError>>>>;

    fn wait(queue: &CompileQueue, tenant: &str, starts: bool) -> Waiting {
        let (queue, requester) = (queue.clone(), CompileRequester { tenant: tenant.to_owned(), starts });
        let mut waiting: Waiting = Box::pin(async move { queue.take(&requester).await });
        // It enters the queue at its first poll.
        match look(&mut waiting) {
            Some(slot) => Box::pin(std::future::ready(Ok(slot))),
            None => waiting,
        }
    }

    fn look(waiting: &mut Waiting) -> Option<CompileSlot> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(slot) => Some(slot.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_of_each_tenant_and_so_many_in_all() {
        let queue = CompileQueue::new(2, 8);
        let mut a = [(); 3].map(|()| wait(&queue, "a", false));
        let first = look(&mut a[0]).unwrap();
        assert!(look(&mut a[1]).is_none(), "the second slot is not for the same tenant");
        let (mut b, mut c) = (wait(&queue, "b", false), wait(&queue, "c", false));
        let of_b = look(&mut b).unwrap();
        assert!(look(&mut c).is_none(), "both slots are taken");
        drop(first);
        assert!(look(&mut a[1]).is_none(), "the next slot is for a tenant that had none");
        let of_c = look(&mut c).unwrap();
        drop(of_b);
        assert!(look(&mut a[1]).is_some());
        drop((of_c, a));
        assert_eq!(queue.lock().free, 2);
        assert!(queue.lock().tenants.is_empty());
    }

    #[test]
    fn many_of_one_tenant_keep_another_waiting_for_one_only() {
        let queue = CompileQueue::new(1, 8);
        let mut a = [(); 8].map(|()| wait(&queue, "a", false));
        let first = look(&mut a[0]).unwrap();
        let mut b = [(); 2].map(|()| wait(&queue, "b", false));
        drop(first);
        let of_b = look(&mut b[0]).unwrap();
        assert!(look(&mut a[1]).is_none());
        drop(of_b);
        // The tenants alternate.
        let of_a = look(&mut a[1]).unwrap();
        assert!(look(&mut b[1]).is_none());
        drop(of_a);
        assert!(look(&mut b[1]).is_some());
    }

    #[test]
    fn a_pipeline_that_starts_comes_first() {
        let queue = CompileQueue::new(1, 8);
        let mut running = wait(&queue, "a", false);
        let running = look(&mut running).unwrap();
        let (mut upload, mut start) = (wait(&queue, "b", false), wait(&queue, "a", true));
        drop(running);
        let start = look(&mut start).unwrap();
        assert!(look(&mut upload).is_none());
        drop(start);
        assert!(look(&mut upload).is_some());
    }

    #[test]
    fn a_dropped_request_leaves_the_queue_before_and_after_its_slot_is_granted() {
        let queue = CompileQueue::new(1, 2);
        let mut first = wait(&queue, "a", false);
        let first = look(&mut first).unwrap();
        let (gone, late, mut last) = (wait(&queue, "b", false), wait(&queue, "c", false), wait(&queue, "d", false));
        drop(gone);
        drop(first);
        // The slot is granted to c, which is never polled again.
        assert!(look(&mut last).is_none());
        drop(late);
        assert!(look(&mut last).is_some());
        assert_eq!(queue.lock().free, 1);
    }

    #[test]
    fn too_many_are_refused() {
        let queue = CompileQueue::new(1, 2);
        let held = [(); 3].map(|()| wait(&queue, "a", false));
        let requester = CompileRequester::of(Some("a"));
        let more = Box::pin(queue.take(&requester)).as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(held);
        assert!(matches!(more, Poll::Ready(Err(LoadError::Busy { waiting: 2 }))), "{more:?}");
    }
}
