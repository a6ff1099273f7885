//! Counts of a stage's calls, by outcome.

use super::error::{Limit, StageError};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of one version of a pipeline's stage; they continue when its instance is restarted.
#[derive(Debug, Default)]
pub struct StageCounters {
    calls: AtomicU64,
    call_ns_total: AtomicU64,
    call_ns_max: AtomicU64,
    errors: AtomicU64,
    traps: AtomicU64,
    over_memory: AtomicU64,
    over_cpu: AtomicU64,
    over_wall_clock: AtomicU64,
    over_stack: AtomicU64,
    over_snapshot: AtomicU64,
    over_instances: AtomicU64,
    invalid_answers: AtomicU64,
    host_failures: AtomicU64,
    cancelled: AtomicU64,
    defaults: AtomicU64,
    restarts: AtomicU64,
    states_lost: AtomicU64,
}

/// The values of [`StageCounters`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCounts {
    /// Calls of the contract's functions, except `snapshot`.
    pub calls: u64,
    /// Total time of those calls, in nanoseconds.
    pub call_ns_total: u64,
    /// Time of the longest of them, in nanoseconds.
    pub call_ns_max: u64,
    /// Calls that returned an error value.
    pub errors: u64,
    /// Calls that ended in a trap.
    pub traps: u64,
    /// Calls that exceeded the memory limit.
    pub over_memory: u64,
    /// Calls that exceeded the limit of processor time.
    pub over_cpu: u64,
    /// Calls that exceeded the limit of wall-clock time.
    pub over_wall_clock: u64,
    /// Calls that overflowed the call stack.
    pub over_stack: u64,
    /// Snapshots that exceeded the size limit.
    pub over_snapshot: u64,
    /// Starts that failed because the host runs its maximum of instances.
    pub over_instances: u64,
    /// Calls whose answer breaks the contract's rules.
    pub invalid_answers: u64,
    /// Calls that failed in the host.
    pub host_failures: u64,
    /// Calls that the host cancelled before they ended.
    pub cancelled: u64,
    /// Calls that were answered by the host's default.
    pub defaults: u64,
    /// Instances started after the first one.
    pub restarts: u64,
    /// Restarts that lost the state, because the snapshot could not be used.
    pub states_lost: u64,
}

impl StageCounts {
    /// Failed calls, whatever the cause; cancelled calls do not count.
    pub fn failures(&self) -> u64 {
        self.errors
            + self.traps
            + self.over_memory
            + self.over_cpu
            + self.over_wall_clock
            + self.over_stack
            + self.over_snapshot
            + self.over_instances
            + self.invalid_answers
            + self.host_failures
    }
}

impl StageCounters {
    /// Reads all counters. Not atomic: a call that ends meanwhile may be in some of them.
    pub fn read(&self) -> StageCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StageCounts {
            calls: read(&self.calls),
            call_ns_total: read(&self.call_ns_total),
            call_ns_max: read(&self.call_ns_max),
            errors: read(&self.errors),
            traps: read(&self.traps),
            over_memory: read(&self.over_memory),
            over_cpu: read(&self.over_cpu),
            over_wall_clock: read(&self.over_wall_clock),
            over_stack: read(&self.over_stack),
            over_snapshot: read(&self.over_snapshot),
            over_instances: read(&self.over_instances),
            invalid_answers: read(&self.invalid_answers),
            host_failures: read(&self.host_failures),
            cancelled: read(&self.cancelled),
            defaults: read(&self.defaults),
            restarts: read(&self.restarts),
            states_lost: read(&self.states_lost),
        }
    }

    pub(super) fn call(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        add(&self.calls, 1);
        add(&self.call_ns_total, ns);
        self.call_ns_max.fetch_max(ns, Ordering::Relaxed);
    }

    /// Counts a failure by its cause. A call made during the wait before a restart is not counted.
    pub(super) fn failure(&self, error: &StageError) {
        let counter = match error {
            StageError::Answered { .. } => &self.errors,
            StageError::Trap { .. } => &self.traps,
            StageError::Limit { limit, .. } => match limit {
                Limit::Memory(_) => &self.over_memory,
                Limit::Cpu(_) => &self.over_cpu,
                Limit::WallClock(_) => &self.over_wall_clock,
                Limit::Stack => &self.over_stack,
                Limit::Snapshot { .. } => &self.over_snapshot,
                Limit::Instances(_) => &self.over_instances,
            },
            StageError::Invalid { .. } => &self.invalid_answers,
            StageError::Host { .. } => &self.host_failures,
            StageError::BackingOff { .. } => return,
        };
        add(counter, 1);
    }

    pub(super) fn cancelled(&self) {
        add(&self.cancelled, 1);
    }

    pub(super) fn default_answered(&self) {
        add(&self.defaults, 1);
    }

    pub(super) fn restarted(&self) {
        add(&self.restarts, 1);
    }

    pub(super) fn state_lost(&self) {
        add(&self.states_lost, 1);
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
