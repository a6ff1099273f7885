//! Threads that probe returned audio, shared fairly between tenants.
//!
//! Probing a reply blocks a thread and keeps the reply's bytes in memory. A process has [`PROBES_PER_CORE`] slots per
//! core, of which a tenant may use [`PROBES_PER_TENANT`] and a rendition [`PROBES_AT_ONCE`]. A free slot goes to the
//! tenant that uses the fewest, and the last slot is kept while another tenant has none ([`Queue`]). The bytes of
//! replies in progress or waiting are limited to [`PROBE_BYTES_PER_TENANT`] and [`PROBE_BYTES_MAX`] in total; a tenant
//! may use at most half of what others have left, so that a few tenants cannot use all of it. A reply that exceeds a
//! limit is refused at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::limits::{PROBE_BYTES_MAX, PROBE_BYTES_PER_TENANT, PROBES_AT_ONCE, PROBES_PER_CORE, PROBES_PER_TENANT};
use outboard_ffmpeg::{Queue, Slots};
use outboard_media::limits::PROBE_WAIT_MAX;

/// The slots of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReadPool {
    places: Queue,
    held: Arc<Mutex<Held>>,
}

/// A rendition's handle to the slots. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers {
    tenant: String,
    held: Arc<Mutex<Held>>,
    slots: Slots,
    own: Arc<Semaphore>,
}

/// Bytes of replies that are being probed or wait.
#[derive(Debug, Default)]
struct Held {
    all: u64,
    tenants: HashMap<String, u64>,
}

/// A reply's share of the bytes; released on drop.
#[derive(Debug)]
struct Claim {
    held: Arc<Mutex<Held>>,
    tenant: String,
    bytes: u64,
}

impl Default for ReadPool {
    /// As many slots as the machine's cores allow.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores * PROBES_PER_CORE)
    }
}

impl Default for Readers {
    /// For an exchange that shares its slots with no other.
    fn default() -> Self {
        ReadPool::default().rendition("default")
    }
}

impl ReadPool {
    fn new(places: usize) -> Self {
        Self { places: Queue::new(places), held: Arc::default() }
    }

    /// The handle for one more rendition of this tenant.
    pub fn rendition(&self, tenant: &str) -> Readers {
        Readers {
            tenant: tenant.to_owned(),
            held: self.held.clone(),
            slots: self.places.tenant(tenant, PROBES_PER_TENANT),
            own: Arc::new(Semaphore::new(PROBES_AT_ONCE)),
        }
    }
}

impl Readers {
    /// Runs `work`, which probes a reply of this many bytes, on a blocking thread once a slot is free; fails if it has
    /// not ended at `until`. Work that has begun continues without the caller, and keeps its slot and bytes.
    ///
    /// # Errors
    /// For people: too many bytes are being probed, it took too long, or `work` panicked.
    pub async fn read<T: Send + 'static>(
        &self,
        until: Instant,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let claim = self.claim(bytes as u64)?;
        let late = |_| format!("other replies were still being read after {PROBE_WAIT_MAX:?}");
        let own = timeout_at(until, self.own.clone().acquire_owned()).await.map_err(late)?;
        let slot = timeout_at(until, self.slots.acquire(Some(until))).await.map_err(late)?;
        let slot = slot.map_err(|_| "too many replies of this tenant wait to be read already".to_owned())?;
        let reading = tokio::task::spawn_blocking(move || {
            let _held = (claim, own, slot);
            work()
        });
        match timeout_at(until, reading).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(_)) => Err("reading it failed".to_owned()),
            Err(_) => Err(format!("it was not read within {PROBE_WAIT_MAX:?}")),
        }
    }

    fn claim(&self, bytes: u64) -> Result<Claim, String> {
        let mut held = locked(&self.held);
        let own = held.tenants.get(&self.tenant).copied().unwrap_or_default();
        let others = held.all.saturating_sub(own);
        let most = PROBE_BYTES_PER_TENANT.min(PROBE_BYTES_MAX.saturating_sub(others) / 2);
        if own + bytes > most {
            // The use of other tenants is not shown to a tenant.
            return Err("too many bytes of replies are being read already".to_owned());
        }
        held.all += bytes;
        *held.tenants.entry(self.tenant.clone()).or_default() += bytes;
        Ok(Claim { held: self.held.clone(), tenant: self.tenant.clone(), bytes })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = locked(&self.held);
        held.all = held.all.saturating_sub(self.bytes);
        if let Some(own) = held.tenants.get_mut(&self.tenant) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                held.tenants.remove(&self.tenant);
            }
        }
    }
}

fn locked(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
