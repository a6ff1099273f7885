//! What all instances of a host share.

use super::ticker::Ticker;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime::Engine;

/// The engine, the ticker that ends calls, and the limits of instances and slow calls.
pub(super) struct InstanceHost {
    pub(super) engine: Engine,
    pub(super) ticker: Ticker,
    /// One permit for each instance that may still be started.
    pub(super) instances: Arc<Semaphore>,
    /// Most instances at once.
    pub(super) instances_max: u32,
    /// One permit for each slow call that may run; see [`Sandbox`](super::sandbox::Sandbox).
    pub(super) slow_calls: Arc<Semaphore>,
}
