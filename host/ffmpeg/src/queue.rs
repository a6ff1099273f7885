//! The fair queue: how many ffmpeg processes run at once, and whose turn is next.
//!
//! A free slot goes to the tenant that runs the fewest (then to the one that waited longest for its last grant), inside a
//! tenant to the run that is due first. Of several slots the last free one is kept while some tenant runs nothing, so
//! that a burst never makes another tenant wait for a whole run. A wait has no limit of its own: it ends within
//! [`crate::limits::FFMPEG_TIMEOUT`] times the runs before it, and those are bounded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::FfmpegError;
use crate::limits::{
    FFMPEG_PROCESSES_MAX, FFMPEG_PROCESSES_MIN, FFMPEG_PROCESSES_PER_CORE, FFMPEG_SOFT_WAIT, FFMPEG_WAITING_MAX,
};

/// The slots of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Mutex<State>>);

/// A tenant's way into the queue; each pipeline holds one. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Seat>);

/// A slot, free again when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Seat>);

/// What is told of a queue, or of one tenant's part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs that may be under way at once.
    pub slots: usize,
    /// Runs under way.
    pub running: usize,
    /// Runs that wait for a slot.
    pub waiting: usize,
    /// Slots given out since the start.
    pub granted: u64,
    /// How long the one that waits longest has waited by now.
    pub waiting_for: Duration,
    /// The longest that any run waited since the start.
    pub longest_wait: Duration,
}

/// Keeps a tenant known to the queue.
#[derive(Debug)]
struct Seat {
    queue: Queue,
    tenant: String,
}

#[derive(Debug)]
struct State {
    slots: usize,
    running: usize,
    /// Counts waits, so that equal deadlines keep their order.
    arrivals: u64,
    granted: u64,
    longest_wait: Duration,
    tenants: BTreeMap<String, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    most: usize,
    /// Seats that are held; a tenant without any is forgotten.
    seats: usize,
    running: usize,
    granted: u64,
    /// [`State::granted`] when it last got a slot.
    last_grant: u64,
    longest_wait: Duration,
    waiting: BTreeMap<Key, Waiter>,
}

/// When it is due, then in the order of arrival.
type Key = (Instant, u64);

#[derive(Debug)]
struct Waiter {
    since: Instant,
    turn: oneshot::Sender<()>,
}

impl Default for Queue {
    /// As many slots as the machine is for: [`FFMPEG_PROCESSES_PER_CORE`].
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores * FFMPEG_PROCESSES_PER_CORE)
    }
}

impl Queue {
    /// A queue of so many slots, within [`FFMPEG_PROCESSES_MIN`] and [`FFMPEG_PROCESSES_MAX`].
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

    /// A tenant's way in. It runs at most `most` at once (at least one); what was said last counts for all its pipelines.
    pub fn tenant(&self, name: &str, most: usize) -> Slots {
        let mut state = self.lock();
        let tenant = state.tenants.entry(name.to_owned()).or_default();
        tenant.most = most.max(1);
        tenant.seats += 1;
        state.grant();
        drop(state);
        Slots(Arc::new(Seat { queue: self.clone(), tenant: name.to_owned() }))
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
    /// Waits for a slot. `by`: when the run should begin at the latest; without it, it comes after all that are due
    /// within [`FFMPEG_SOFT_WAIT`]. Dropping the future gives the place up.
    pub async fn acquire(&self, by: Option<Instant>) -> Result<Permit, FfmpegError> {
        let (place, turn) = self.queue_up(by)?;
        // The other end lies in the queue until it is used: the turn comes, or the place is given up.
        turn.await.ok();
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

    fn queue_up(&self, by: Option<Instant>) -> Result<(Place, oneshot::Receiver<()>), FfmpegError> {
        let mut state = self.0.queue.lock();
        state.arrivals += 1;
        let since = Instant::now();
        let key = (by.unwrap_or(since + FFMPEG_SOFT_WAIT), state.arrivals);
        let tenant = state.tenants.entry(self.0.tenant.clone()).or_default();
        if tenant.waiting.len() >= FFMPEG_WAITING_MAX {
            return Err(FfmpegError::Busy { waiting: tenant.waiting.len() });
        }
        let (turn, comes) = oneshot::channel();
        tenant.waiting.insert(key, Waiter { since, turn });
        state.grant();
        Ok((Place { seat: self.0.clone(), key, taken: false }, comes))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.queue.lock().release(&self.0.tenant);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        let Some(tenant) = state.tenants.get_mut(&self.tenant) else { return };
        tenant.seats = tenant.seats.saturating_sub(1);
        if tenant.seats == 0 {
            state.tenants.remove(&self.tenant);
            // A slot may have been kept for it.
            state.grant();
        }
    }
}

/// A place in the queue, given up when dropped.
struct Place {
    seat: Arc<Seat>,
    key: Key,
    taken: bool,
}

impl Place {
    fn take(mut self) -> Permit {
        self.taken = true;
        Permit(self.seat.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let tenant = &self.seat.tenant;
        let mut state = self.seat.queue.lock();
        let waited = state.tenants.get_mut(tenant).and_then(|tenant| tenant.waiting.remove(&self.key));
        if waited.is_none() {
            // The turn had come, and nobody was there to take it.
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

    /// Gives out free slots while somebody may have one.
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
            // The receiver is there: its place is taken out of the queue, under this lock, before it goes.
            waiter.turn.send(()).ok();
        }
    }
}

#[cfg(test)]
mod tests;
