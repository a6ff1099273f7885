//! Stages: components that can be chosen, and those that run.

use async_graphql::{Enum, SimpleObject};
use serde_json::Value;

use crate::api::graphql::scalars::BigInt;
use crate::control::ComponentOrigin;
use crate::pipeline;
use crate::stage::{self, StageComponent, StageCounts};

/// What a stage decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "stage::StageKind")]
pub enum StageKind {
    /// When a batch is cut.
    Batching,
    /// How a fragment is framed for the processor.
    Framing,
    /// How the returned audio is put back, or what else goes on air.
    RemuxPlanning,
}

/// A component that can be used as a stage.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "StageComponent")]
pub struct StageComponentInfo {
    /// Its identity, for settings: `sha256:` and the SHA-256 of its file.
    digest: String,
    /// What it decides.
    kind: StageKind,
    /// Its name, by its own account.
    name: String,
    /// Its version, by its own account.
    version: String,
    /// What it does, by its own account.
    summary: String,
    /// Size of its file.
    size_bytes: BigInt,
    /// The interfaces that it imports.
    imports: Vec<String>,
    /// JSON schema of its settings.
    settings_schema: Value,
    /// It came with the host.
    bundled: bool,
    /// It is the one of its kind that is used where none is chosen.
    default: bool,
}

/// A stage of a pipeline, and what happened in its calls.
#[derive(Debug, Clone, SimpleObject)]
pub struct RunningStage {
    /// What it decides.
    kind: StageKind,
    /// The component's name.
    name: String,
    /// The component's version.
    version: String,
    /// The component's identity.
    digest: String,
    /// What was counted.
    counters: StageCounters,
}

/// What happened in a stage's calls.
#[derive(Debug, Clone, SimpleObject)]
pub struct StageCounters {
    /// Calls.
    calls: BigInt,
    /// Time in all calls together, in milliseconds.
    call_ms_total: f64,
    /// The longest call, in milliseconds.
    call_ms_max: f64,
    /// Calls that failed, whatever the cause.
    failures: BigInt,
    /// Calls that it answered with an error.
    errors: BigInt,
    /// Calls that trapped.
    traps: BigInt,
    /// Calls over a limit: memory, execution time, wall-clock time, stack, size of a snapshot, instances.
    over_limits: BigInt,
    /// Answers that break the contract.
    invalid_answers: BigInt,
    /// Calls that the host answered in its place.
    defaults: BigInt,
    /// Instances that were started after the first.
    restarts: BigInt,
    /// Restarts that could not go on from a snapshot.
    states_lost: BigInt,
}

// === from the core ===

/// As settings name it.
pub fn digest(component: &StageComponent) -> String {
    format!("sha256:{}", component.digest())
}

impl StageComponentInfo {
    /// Of a component.
    pub fn new(component: &StageComponent, origin: ComponentOrigin) -> Self {
        let description = component.description();
        Self {
            digest: digest(component),
            kind: component.kind().into(),
            name: description.name.clone(),
            version: description.version.clone(),
            summary: description.summary.clone(),
            size_bytes: BigInt(component.size()),
            imports: component.imports().to_vec(),
            settings_schema: serde_json::from_str(&description.settings_schema).unwrap_or_default(),
            bundled: origin != ComponentOrigin::Added,
            default: origin == ComponentOrigin::Default,
        }
    }
}

impl From<&pipeline::RunningStage> for RunningStage {
    fn from(running: &pipeline::RunningStage) -> Self {
        let description = running.component.description();
        Self {
            kind: running.kind.into(),
            name: description.name.clone(),
            version: description.version.clone(),
            digest: digest(&running.component),
            counters: (&running.counters.read()).into(),
        }
    }
}

impl From<&StageCounts> for StageCounters {
    fn from(counts: &StageCounts) -> Self {
        let ms = |ns: u64| ns as f64 / 1e6;
        let over = [
            counts.over_memory,
            counts.over_cpu,
            counts.over_wall_clock,
            counts.over_stack,
            counts.over_snapshot,
            counts.over_instances,
        ];
        Self {
            calls: BigInt(counts.calls),
            call_ms_total: ms(counts.call_ns_total),
            call_ms_max: ms(counts.call_ns_max),
            failures: BigInt(counts.failures()),
            errors: BigInt(counts.errors),
            traps: BigInt(counts.traps),
            over_limits: BigInt(over.iter().sum()),
            invalid_answers: BigInt(counts.invalid_answers),
            defaults: BigInt(counts.defaults),
            restarts: BigInt(counts.restarts),
            states_lost: BigInt(counts.states_lost),
        }
    }
}
