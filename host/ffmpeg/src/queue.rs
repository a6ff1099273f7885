//! The fair queue of ffmpeg runs: how many run at once, and which is next.
//!
//! A free slot goes to the tenant with the fewest runs (then to the one whose last grant is longest ago), and within a tenant to the
//! run that is due first. The last free slot is reserved while some tenant runs nothing, so that a burst of one tenant never makes
//! another wait for a whole run. A wait has no separate limit: it ends within [`crate::limits::FFMPEG_TIMEOUT`] times the runs before
//! it, whose number is limited.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::FfmpegError;
use crate::limits::{
    FFMPEG_PROCESSES_MAX, FFMPEG_PROCESSES_MIN, FFMPEG_PROCESSES_PER_CORE, FFMPEG_SOFT_WAIT, FFMPEG_WAITING_MAX,
};

/// The queue of a host. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Mutex<State>>);

/// A tenant's access to the queue; each pipeline has one. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slots(Arc<TenantHandle>);

/// A granted slot; free again when dropped.
#[derive(Debug)]
pub struct Permit(Arc<TenantHandle>);

/// Counts of the whole queue, or of one tenant's runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Most runs at once.
    pub slots: usize,
    /// Runs that are running now.
    pub running: usize,
    /// Runs that wait for a slot.
    pub waiting: usize,
    /// Slots granted since the host started.
    pub granted: u64,
    /// How long the run that waits longest has waited until now.
    pub waiting_for: Duration,
    /// The longest wait of any run since the host started.
    pub longest_wait: Duration,
}

/// Keeps a tenant's entry in the queue until the last handle is dropped.
#[derive(Debug)]
struct TenantHandle {
    queue: Queue,
    tenant: String,
}

#[derive(Debug)]
struct State {
    slots: usize,
    running: usize,
    /// Counts requests, so that those with equal deadlines keep their order.
    arrivals: u64,
    granted: u64,
    longest_wait: Duration,
    tenants: BTreeMap<String, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    most: usize,
    /// Number of handles; the tenant's entry is removed with the last one.
    handles: usize,
    running: usize,
    granted: u64,
    /// [`State::granted`] at its last grant.
    last_grant: u64,
    longest_wait: Duration,
    waiting: BTreeMap<Key, Waiter>,
}

/// The time at which a run is due, then its order of arrival.
type Key = (Instant, u64);

#[derive(Debug)]
struct Waiter {
    since: Instant,
    granted: oneshot::Sender<()>,
}

impl Default for Queue {
    /// A queue with [`FFMPEG_PROCESSES_PER_CORE`] slots per core.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores * FFMPEG_PROCESSES_PER_CORE)
    }
}

impl Queue {
    /// A queue with this many slots, limited to [`FFMPEG_PROCESSES_MIN`] to [`FFMPEG_PROCESSES_MAX`].
    pub fn new(slots: usize) -> Self {
        let slots = slots.clamp(FFMPEG_PROCESSES_MIN, FFMPEG_PROCESSES_MAX);
        Self(Arc::new(Mutex::new(State {
            slots,
            running: 0,
            arrivals: 0,
            granted: 0,
            longest_wait: Duration::ZERO,
            tenants: BTreeMap::new(),
        })))
    }

    /// A tenant's access to the queue, for at most `most` runs at once (at least one). The last value applies to all its pipelines.
    pub fn tenant(&self, name: &str, most: usize) -> Slots {
        let mut state = self.lock();
        let tenant = state.tenants.entry(name.to_owned()).or_default();
        tenant.most = most.max(1);
        tenant.handles += 1;
        state.grant();
        drop(state);
        Slots(Arc::new(TenantHandle { queue: self.clone(), tenant: name.to_owned() }))
    }

    /// Counts of all tenants together.
    pub fn counts(&self) -> Counts {
        let state = self.lock();
        let waiting = state.tenants.values().flat_map(|tenant| tenant.waiting.values());
        Counts {
            slots: state.slots,
            running: state.running,
            waiting: waiting.clone().count(),
            granted: state.granted,
            waiting_for: waiting.map(|waiter| waiter.since.elapsed()).max().unwrap_or_default(),
            longest_wait: state.longest_wait,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// Waits for a slot. `by`: when the run should begin at the latest; `None`: after all runs that are due within
    /// [`FFMPEG_SOFT_WAIT`]. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// [`FfmpegError::Busy`] if too many runs of the tenant wait.
    pub async fn acquire(&self, by: Option<Instant>) -> Result<Permit, FfmpegError> {
        let (place, granted) = self.queue_up(by)?;
        // The sender stays in the queue until the slot is granted, so this cannot fail before.
        granted.await.ok();
        Ok(place.take())
    }

    /// Counts of this tenant.
    pub fn counts(&self) -> Counts {
        let state = self.0.queue.lock();
        let Some(tenant) = state.tenants.get(&self.0.tenant) else { return Counts::default() };
        Counts {
            slots: tenant.most.min(state.slots),
            running: tenant.running,
            waiting: tenant.waiting.len(),
            granted: tenant.granted,
            waiting_for: tenant.waiting.values().map(|waiter| waiter.since.elapsed()).max().unwrap_or_default(),
            longest_wait: tenant.longest_wait,
        }
    }

    fn queue_up(&self, by: Option<Instant>) -> Result<(QueuePlace, oneshot::Receiver<()>), FfmpegError> {
        let mut state = self.0.queue.lock();
        state.arrivals += 1;
        let since = Instant::now();
        let key = (by.unwrap_or(since + FFMPEG_SOFT_WAIT), state.arrivals);
        let tenant = state.tenants.entry(self.0.tenant.clone()).or_default();
        if tenant.waiting.len() >= FFMPEG_WAITING_MAX {
            return Err(FfmpegError::Busy { waiting: tenant.waiting.len() });
        }
        let (granted, grant) = oneshot::channel();
        tenant.waiting.insert(key, Waiter { since, granted });
        state.grant();
        Ok((QueuePlace { tenant_handle: self.0.clone(), key, taken: false }, grant))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.queue.lock().release(&self.0.tenant);
    }
}

impl Drop for TenantHandle {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        let Some(tenant) = state.tenants.get_mut(&self.tenant) else { return };
        tenant.handles = tenant.handles.saturating_sub(1);
        if tenant.handles == 0 {
            state.tenants.remove(&self.tenant);
            // A slot may have been reserved for it.
            state.grant();
        }
    }
}

/// A place in the queue; removed from it when dropped, unless it was granted.
struct QueuePlace {
    tenant_handle: Arc<TenantHandle>,
    key: Key,
    taken: bool,
}

impl QueuePlace {
    fn take(mut self) -> Permit {
        self.taken = true;
        Permit(self.tenant_handle.clone())
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let tenant = &self.tenant_handle.tenant;
        let mut state = self.tenant_handle.queue.lock();
        let waited = state.tenants.get_mut(tenant).and_then(|tenant| tenant.waiting.remove(&self.key));
        if waited.is_none() {
            // A slot was granted after the last poll, and is not used.
            state.release(tenant);
        }
    }
}

// === impl State ===

impl State {
    fn release(&mut self, tenant: &str) {
        self.running = self.running.saturating_sub(1);
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.running = tenant.running.saturating_sub(1);
        }
        self.grant();
    }

    /// Grants free slots to the runs that come next.
    fn grant(&mut self) {
        while let Some(free) = self.slots.checked_sub(self.running).filter(|free| *free > 0) {
            let keep = free == 1 && self.slots > 1 && self.tenants.values().any(|tenant| tenant.running == 0);
            let may = |tenant: &&mut Tenant| {
                !tenant.waiting.is_empty() && tenant.running < tenant.most && (tenant.running == 0 || !keep)
            };
            let next = self.tenants.values_mut().filter(may).min_by_key(|tenant| (tenant.running, tenant.last_grant));
            let Some((tenant, (_, waiter))) = next.and_then(|tenant| {
                let first = tenant.waiting.pop_first()?;
                Some((tenant, first))
            }) else {
                return;
            };
            self.running += 1;
            self.granted += 1;
            tenant.running += 1;
            tenant.granted += 1;
            tenant.last_grant = self.granted;
            let waited = waiter.since.elapsed();
            tenant.longest_wait = tenant.longest_wait.max(waited);
            self.longest_wait = self.longest_wait.max(waited);
            // The receiver exists: it is dropped after its place, which needs this lock.
            waiter.granted.send(()).ok();
        }
    }
}

#[cfg(test)]
mod tests;
