//! One instance of a stage, and the limits of each of its calls.
//!
//! [`Instance::begin`] begins a call, a [`Meter`] runs it within its limits, and [`Instance::judge`] tells from the outcome whether
//! the guest answered, the guest broke, or the host failed. The owner drops a broken instance together with its store.

use super::calls::StageInterface;
use super::component::{KindIndices, Linked};
use super::contract::{self, exports};
use super::error::{Limit, LoadError, StageError, clipped};
use super::guest_log::GuestLog;
use super::instance_host::InstanceHost;
use super::sandbox::{Sandbox, SlowCallGuard};
use super::ticker::TickerGuard;
use crate::limits::{
    STAGE_CALL_CPU_DEFAULT, STAGE_CALL_TIMEOUT_DEFAULT, STAGE_EPOCH_TICK, STAGE_MEMORY_BYTES_DEFAULT,
    STAGE_OPEN_TIMEOUT_DEFAULT, STAGE_SNAPSHOT_BYTES_DEFAULT,
};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::Instance as WasmInstance;
use wasmtime::{Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// The name of an instance's start in errors, in place of a function's name.
const START: &str = "instantiate";
/// Most frames of a trap's stack that are kept.
const FRAMES_MAX: usize = 32;

/// The limits of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageLimits {
    /// Size of all linear memories and tables together, in bytes.
    pub memory_bytes: u64,
    /// Processor time of one call.
    pub call_cpu: Duration,
    /// Wall-clock time of one call.
    pub call_timeout: Duration,
    /// Wall-clock and processor time of an instance's start, and of `open`, each.
    pub open_timeout: Duration,
    /// Size of a snapshot, in bytes.
    pub snapshot_bytes: u64,
}

impl Default for StageLimits {
    fn default() -> Self {
        Self {
            memory_bytes: STAGE_MEMORY_BYTES_DEFAULT,
            call_cpu: STAGE_CALL_CPU_DEFAULT,
            call_timeout: STAGE_CALL_TIMEOUT_DEFAULT,
            open_timeout: STAGE_OPEN_TIMEOUT_DEFAULT,
            snapshot_bytes: STAGE_SNAPSHOT_BYTES_DEFAULT,
        }
    }
}

/// An instance whose functions are not looked up yet.
pub(super) struct UncheckedInstance {
    store: Store<Sandbox>,
    instance: WasmInstance,
    limits: StageLimits,
    permit: OwnedSemaphorePermit,
}

/// An instance with its store.
pub(super) struct Instance<G> {
    store: Store<Sandbox>,
    lifecycle: exports::lifecycle::Guest,
    guest: G,
    limits: StageLimits,
    _permit: OwnedSemaphorePermit,
}

/// Starts an instance without opening it.
///
/// # Errors
/// [`StageError`] of the call `instantiate`.
pub(super) async fn start(
    host: &InstanceHost,
    linked: &Linked,
    limits: StageLimits,
    log: GuestLog,
) -> Result<UncheckedInstance, StageError> {
    let no_instance = || StageError::Limit { call: START, limit: Limit::Instances(host.instances_max) };
    let permit = host.instances.clone().try_acquire_owned().map_err(|_| no_instance())?;
    let mut store = Sandbox::store(&host.engine, limits.memory_bytes, log, &host.slow_calls);
    let meter = Meter::start(host, START, &mut store, limits.open_timeout, limits.open_timeout);
    let outcome = meter.run(linked.pre.instantiate_async(&mut store)).await;
    let by_host = matches!(&outcome.result, Ok(Err(error)) if !error.is::<Trap>() && !error.is::<I32Exit>());
    let pool_empty = matches!(&outcome.result, Ok(Err(error)) if error.is::<wasmtime::PoolConcurrencyLimitError>());
    let instance = judge(&store, &limits, outcome).map_err(|error| match error {
        StageError::Trap { .. } if pool_empty => no_instance(),
        StageError::Trap { call, message, .. } if by_host => StageError::Host { call, reason: message },
        other => other,
    })?;
    Ok(UncheckedInstance { store, instance, limits, permit })
}

impl UncheckedInstance {
    /// Looks up the functions of a kind.
    pub(super) fn of_kind<K: StageInterface>(mut self, linked: &Linked) -> Result<Instance<K::Guest>, StageError> {
        let host = |reason: String| StageError::Host { call: START, reason };
        let found = |error: wasmtime::Error| host(format!("{error:#}"));
        let lifecycle = linked.lifecycle.load(&mut self.store, &self.instance).map_err(found)?;
        let guest = K::find(&linked.kind, &mut self.store, &self.instance)
            .ok_or_else(|| host(format!("this is a {} stage, not a {} stage", linked.kind.kind(), K::KIND)))?
            .map_err(found)?;
        Ok(Instance { store: self.store, lifecycle, guest, limits: self.limits, _permit: self.permit })
    }

    /// Checks the types of all functions against the contract.
    pub(super) fn checked(mut self, linked: &Linked) -> Result<Instance<()>, LoadError> {
        let (store, instance) = (&mut self.store, &self.instance);
        let misfit = |name: &str, error: wasmtime::Error| {
            LoadError::World(format!("its {name} does not fit the contract: {error:#}"))
        };
        let lifecycle = linked.lifecycle.load(&mut *store, instance).map_err(|error| misfit("lifecycle", error))?;
        match &linked.kind {
            KindIndices::Batching(indices) => indices.load(store, instance).map(drop),
            KindIndices::Framing(indices) => indices.load(store, instance).map(drop),
            KindIndices::RemuxPlanning(indices) => indices.load(store, instance).map(drop),
        }
        .map_err(|error| misfit(linked.kind.kind().name(), error))?;
        Ok(Instance { store: self.store, lifecycle, guest: (), limits: self.limits, _permit: self.permit })
    }
}

impl<G> Instance<G> {
    /// Size of its linear memories and tables, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.store.data().memory_used()
    }

    /// Begins a call: returns what limits it, the kind's functions, and the store to call them with.
    pub(super) fn begin(&mut self, host: &InstanceHost, call: &'static str) -> (Meter, &G, &mut Store<Sandbox>) {
        let Instance { store, guest, limits, .. } = self;
        let meter = Meter::start(host, call, store, limits.call_cpu, limits.call_timeout);
        (meter, guest, store)
    }

    /// Returns the answer of a call, or how the call failed.
    pub(super) fn judge<T>(&self, outcome: Outcome<T>) -> Result<T, StageError> {
        judge(&self.store, &self.limits, outcome)
    }

    pub(super) async fn describe(&mut self, host: &InstanceHost) -> Result<contract::Description, StageError> {
        let Instance { store, lifecycle, limits, .. } = self;
        let meter = Meter::start(host, "describe", store, limits.open_timeout, limits.open_timeout);
        let outcome = meter.run(lifecycle.call_describe(store)).await;
        self.judge(outcome)
    }

    pub(super) async fn open(
        &mut self,
        host: &InstanceHost,
        settings: &str,
        state: Option<&[u8]>,
    ) -> Result<(), StageError> {
        let Instance { store, lifecycle, limits, .. } = self;
        let meter = Meter::start(host, "open", store, limits.open_timeout, limits.open_timeout);
        let outcome = meter.run(lifecycle.call_open(store, settings, state)).await;
        self.judge(outcome)?.map_err(|error| StageError::answered("open", error))
    }

    /// Takes a snapshot.
    ///
    /// # Errors
    /// [`StageError`]; a snapshot that is too large is [`Limit::Snapshot`].
    pub(super) async fn snapshot(&mut self, host: &InstanceHost) -> Result<Vec<u8>, StageError> {
        const CALL: &str = "snapshot";
        let Instance { store, lifecycle, limits, .. } = self;
        let meter = Meter::start(host, CALL, store, limits.call_cpu, limits.call_timeout);
        let outcome = meter.run(lifecycle.call_snapshot(store)).await;
        let snapshot = self.judge(outcome)?;
        let (size, limit) = (snapshot.len() as u64, self.limits.snapshot_bytes);
        if size > limit {
            return Err(StageError::Limit { call: CALL, limit: Limit::Snapshot { size, limit } });
        }
        Ok(snapshot)
    }
}

/// Enforces the limits of one call.
pub(super) struct Meter {
    call: &'static str,
    cpu: Duration,
    wall_clock: Duration,
    started: Instant,
    _ticker: TickerGuard,
    _slow_call: SlowCallGuard,
}

/// How a call ended, and how long it took.
pub(super) struct Outcome<T> {
    pub(super) call: &'static str,
    pub(super) took: Duration,
    cpu: Duration,
    wall_clock: Duration,
    /// `Err`: the call reached its wall-clock limit.
    result: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
}

impl Meter {
    fn start(
        host: &InstanceHost,
        call: &'static str,
        store: &mut Store<Sandbox>,
        cpu: Duration,
        wall_clock: Duration,
    ) -> Self {
        let ticks = cpu.as_nanos().div_ceil(STAGE_EPOCH_TICK.as_nanos());
        Sandbox::begin(store, u64::try_from(ticks).unwrap_or(u64::MAX));
        let (ticker, slow_call) = (host.ticker.guard(), store.data().slow_call());
        Self { call, cpu, wall_clock, started: Instant::now(), _ticker: ticker, _slow_call: slow_call }
    }

    /// Runs the call. If this future is dropped before it is done, the instance must be dropped too.
    pub(super) async fn run<T>(self, call: impl Future<Output = wasmtime::Result<T>>) -> Outcome<T> {
        let result = tokio::time::timeout(self.wall_clock, call).await;
        Outcome { call: self.call, took: self.started.elapsed(), cpu: self.cpu, wall_clock: self.wall_clock, result }
    }
}

fn judge<T>(store: &Store<Sandbox>, limits: &StageLimits, outcome: Outcome<T>) -> Result<T, StageError> {
    let call = outcome.call;
    let error = match outcome.result {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => error,
        Err(_) => return Err(StageError::Limit { call, limit: Limit::WallClock(outcome.wall_clock) }),
    };
    let sandbox = store.data();
    let limit = if sandbox.out_of_time() {
        Some(Limit::Cpu(outcome.cpu))
    } else if error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
        Some(Limit::Stack)
    } else if sandbox.memory_refused() {
        Some(Limit::Memory(limits.memory_bytes))
    } else {
        None
    };
    Err(match limit {
        Some(limit) => StageError::Limit { call, limit },
        None => trap(call, &error, sandbox),
    })
}

fn trap(call: &'static str, error: &wasmtime::Error, sandbox: &Sandbox) -> StageError {
    let what = match (error.downcast_ref::<Trap>(), error.downcast_ref::<I32Exit>()) {
        (Some(trap), _) => trap.to_string(),
        (None, Some(I32Exit(code))) => format!("it left with exit code {code}"),
        (None, None) => error.root_cause().to_string(),
    };
    let written = sandbox.log().written();
    // The guest's own message says more than the kind of trap.
    let message = if written.is_empty() { what } else { format!("{}; then {what}", written.join(" | ")) };
    StageError::Trap { call, message, frames: frames(error) }
}

/// The function names of a backtrace. wasmtime demangles them only in its text, one frame per line: `  0: 0x1f - module!name`.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let text = backtrace.to_string();
    let names = text.lines().filter_map(|line| line.split_once('!').map(|(_, name)| clipped(name.to_owned())));
    names.take(FRAMES_MAX).collect()
}
