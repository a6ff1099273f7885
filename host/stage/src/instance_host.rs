//! What all instances of a host run on.

use super::ticker::Ticker;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime::Engine;

/// The engine, the clock that ends calls, and how many may run.
pub(super) struct InstanceHost {
    pub(super) engine: Engine,
    pub(super) ticker: Ticker,
    /// Instances that may still be started.
    pub(super) instances: Arc<Semaphore>,
    /// Instances that may be there at once.
    pub(super) instances_max: u32,
    /// Turns of calls that take long.
    pub(super) slow_calls: Arc<Semaphore>,
}
