//! The sandbox of an instance: an empty WASI, a memory limit and a share of time.
//!
//! WASI is linked only because guests compiled for wasm32-wasip2 import it. There is no environment and there are no files; every
//! use of a socket is denied; the wall clock stands still, the monotonic clock counts its own calls, and random numbers are the same
//! in every run. Output goes to the pipeline's log.

use super::guest_log::GuestLog;
use crate::limits::{STAGE_ANSWER_BYTES_MAX, STAGE_HANDLES_MAX, STAGE_TABLE_ELEMENTS, STAGE_TABLES_PER_COMPONENT};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

/// The time on a guest's wall clock, always: 2020-01-01T00:00:00Z.
const WALL_CLOCK: Duration = Duration::from_secs(1_577_836_800);
/// The seed of every guest's random numbers.
const RANDOM_SEED: u64 = 0x6f75_7462_6f61_7264;
/// Most random bytes in one call of the guest.
const RANDOM_BYTES: u64 = 64 << 10;

/// Interfaces that a component may import, all of package `wasi`, version 0.2.
const ALLOWED_IMPORTS: [&str; 27] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    // Runtimes such as Python's import these whether they use them or not.
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Whether a stage may import this interface.
pub(super) fn is_allowed(import: &str) -> bool {
    if import == concat!("outboard:stage/types@", "0.1.0") {
        return true;
    }
    import
        .split_once('@')
        .is_some_and(|(interface, version)| ALLOWED_IMPORTS.contains(&interface) && version.starts_with("0.2."))
}

/// A linker that has what [`is_allowed`] allows.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Sandbox>> {
    let mut linker = Linker::new(engine);
    // This links sockets too; the context of each store denies their use.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// The state of one instance's store.
pub(super) struct Sandbox {
    wasi: WasiCtx,
    table: ResourceTable,
    memory: Memory,
    /// Epoch ticks that the running call may still take.
    ticks_left: u64,
    /// True if the running call used all of its ticks.
    out_of_time: bool,
    log: GuestLog,
    slow_calls: SlowCallQueue,
}

/// The queue of slow calls: those that have run for longer than a tick. Each runs for one tick, then queues up again.
#[derive(Debug, Clone)]
struct SlowCallQueue {
    running: Arc<Semaphore>,
    /// The permit of this instance's call, while it runs as a slow call.
    mine: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl SlowCallQueue {
    /// Gives the permit back and waits for the next one.
    async fn next_turn(self) {
        self.release();
        // Yields even if no other slow call waits: other tasks need this thread.
        tokio::task::yield_now().await;
        let turn = self.running.clone().acquire_owned().await.ok();
        *self.mine.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    fn release(&self) {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A running call; its permit is given back when this is dropped.
#[derive(Debug)]
pub(super) struct SlowCallGuard(SlowCallQueue);

impl Drop for SlowCallGuard {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Sandbox {
    /// A store with a new sandbox. `slow`: the permits of slow calls, shared by the host.
    pub(super) fn store(engine: &Engine, memory_bytes: u64, log: GuestLog, slow: &Arc<Semaphore>) -> Store<Sandbox> {
        let wasi = WasiCtx::builder()
            .stdout(log.clone())
            .stderr(log.clone())
            .wall_clock(FrozenClock)
            .monotonic_clock(CountingClock(AtomicU64::new(0)))
            .secure_random(StdRng::seed_from_u64(RANDOM_SEED))
            .insecure_random(StdRng::seed_from_u64(RANDOM_SEED))
            .insecure_random_seed(u128::from(RANDOM_SEED))
            .max_random_size(RANDOM_BYTES)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let memory = Memory { limit: memory_bytes, used: 0, asked: 0, refused: false };
        let slow_calls = SlowCallQueue { running: Arc::clone(slow), mine: Arc::default() };
        let mut table = ResourceTable::new();
        table.set_max_capacity(STAGE_HANDLES_MAX);
        let sandbox = Sandbox { wasi, table, memory, ticks_left: 0, out_of_time: false, log, slow_calls };
        let mut store = Store::new(engine, sandbox);
        store.set_max_component_handles(STAGE_HANDLES_MAX);
        // The lists of an answer may point to the same memory many times, so an answer can be larger than the guest's memory.
        store.set_hostcall_fuel(usize::try_from(memory_bytes.min(STAGE_ANSWER_BYTES_MAX)).unwrap_or(usize::MAX));
        store.limiter(|sandbox| &mut sandbox.memory);
        store.epoch_deadline_callback(|mut context| {
            let sandbox = context.data_mut();
            match sandbox.ticks_left.checked_sub(1) {
                // Yielding lets other tasks run on this thread, and the wall-clock limit take effect.
                Some(left) => {
                    sandbox.ticks_left = left;
                    Ok(UpdateDeadline::YieldCustom(1, Box::pin(sandbox.slow_calls.clone().next_turn())))
                }
                None => {
                    sandbox.out_of_time = true;
                    Ok(UpdateDeadline::Interrupt)
                }
            }
        });
        store
    }

    /// Prepares the store for a call that may run for this many ticks.
    pub(super) fn begin(store: &mut Store<Sandbox>, ticks: u64) {
        store.set_epoch_deadline(1);
        let sandbox = store.data_mut();
        sandbox.ticks_left = ticks;
        sandbox.out_of_time = false;
        sandbox.memory.refused = false;
        sandbox.log.begin_call();
    }

    /// The guard that must live as long as the call runs.
    pub(super) fn slow_call(&self) -> SlowCallGuard {
        SlowCallGuard(self.slow_calls.clone())
    }

    pub(super) fn out_of_time(&self) -> bool {
        self.out_of_time
    }

    /// True if the running call was refused memory, because of the limit.
    pub(super) fn memory_refused(&self) -> bool {
        self.memory.refused
    }

    /// Size of the instance's memories and tables, in bytes.
    pub(super) fn memory_used(&self) -> u64 {
        self.memory.used
    }

    pub(super) fn log(&self) -> &GuestLog {
        &self.log
    }
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Counts the bytes of all memories and tables of an instance, and limits their sum.
struct Memory {
    limit: u64,
    used: u64,
    /// Size of the last growth that was allowed, to be subtracted if it fails.
    asked: u64,
    refused: bool,
}

impl Memory {
    fn grow(&mut self, bytes: u64) -> bool {
        let wanted = self.used.saturating_add(bytes);
        let allowed = wanted <= self.limit;
        if allowed {
            (self.used, self.asked) = (wanted, bytes);
        } else {
            self.refused = true;
        }
        allowed
    }

    fn failed(&mut self) {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.asked));
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        tracing::debug!(%error, "a stage's memory could not grow");
        self.failed();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > STAGE_TABLE_ELEMENTS {
            self.refused = true;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>()) as u64))
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        tracing::debug!(%error, "a stage's table could not grow");
        self.failed();
        Ok(())
    }

    fn tables(&self) -> usize {
        STAGE_TABLES_PER_COMPONENT as usize
    }
}

/// A wall clock that stands still at [`WALL_CLOCK`].
struct FrozenClock;

impl HostWallClock for FrozenClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        WALL_CLOCK
    }
}

/// A monotonic clock that counts its own calls, as nanoseconds from 1 on: the same in each run, never 0 (which Go's runtime takes
/// for a broken clock), and always later than before.
struct CountingClock(AtomicU64);

impl HostMonotonicClock for CountingClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_harmless_part_of_wasi_is_allowed() {
        for import in
            ["wasi:io/streams@0.2.0", "wasi:cli/stderr@0.2.6", "wasi:sockets/tcp@0.2.0", "outboard:stage/types@0.1.0"]
        {
            assert!(is_allowed(import), "{import}");
        }
        for import in [
            "wasi:sockets/raw@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:io/streams@0.3.0",
            "wasi:io/streams",
            "outboard:stage/types@0.2.0",
            "acme:db/query",
            "",
        ] {
            assert!(!is_allowed(import), "{import}");
        }
    }

    #[test]
    fn the_monotonic_clock_counts_looks_from_one_on() {
        let (clock, again) = (CountingClock(AtomicU64::new(0)), CountingClock(AtomicU64::new(0)));
        let three = |clock: &CountingClock| [clock.now(), clock.now(), clock.now()];
        assert_eq!(three(&clock), [1, 2, 3]);
        assert_eq!(three(&again), [1, 2, 3], "the same in each instance");
    }

    #[test]
    fn memory_is_counted_over_all_memories_and_tables() {
        let mut memory = Memory { limit: 1000, used: 0, asked: 0, refused: false };
        assert!(memory.memory_growing(0, 600, None).unwrap());
        assert!(memory.table_growing(0, 10, None).unwrap());
        assert!(!memory.memory_growing(0, 400, None).unwrap());
        assert!(memory.refused);
        assert!(memory.memory_growing(600, 900, None).unwrap());
        memory.memory_grow_failed(wasmtime::Error::msg("no pages")).unwrap();
        assert_eq!(memory.used, 680);
        assert!(!memory.table_growing(0, STAGE_TABLE_ELEMENTS + 1, None).unwrap());
        memory.table_grow_failed(wasmtime::Error::msg("again")).unwrap();
        assert_eq!(memory.used, 680, "one growth fails once");
    }
}
