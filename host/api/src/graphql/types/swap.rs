//! The types of swaps, their steps and rollouts.

use async_graphql::{Enum, ID, InputObject, MaybeUndefined, SimpleObject};
use serde_json::Value;

use super::stage_kind::StageKind;
use crate::graphql::scalars::{BigInt, DateTime};
use outboard_control::NewSwap;
use outboard_control::registry::{self, RollOutRow, SwapRow, SwapStepTaken};
use outboard_stage as stage;

/// The state of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::SwapState")]
pub enum SwapState {
    /// The component is being checked and compiled.
    Checking,
    /// The component is given the last inputs of the running version, without effect on the stream.
    Rehearsing,
    /// The component is being opened with the state of the running version.
    CuttingOver,
    /// The new version decides. The old version runs beside it and takes over if the new one fails.
    Probation,
    /// The swap succeeded: the new version stays.
    Done,
    /// The rehearsal is complete and nothing was changed, as requested with `rehearseOnly`.
    Rehearsed,
    /// The component was rejected. Nothing was changed.
    Refused,
    /// The swap was rolled back: the old version decides again.
    RolledBack,
    /// The server or the pipeline stopped during the swap. `reason` says which version stays.
    Interrupted,
}

/// A step that a swap completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::SwapStep")]
pub enum SwapStep {
    /// The component is valid for this kind of stage and compiled.
    Checked,
    /// The component processed the last recorded inputs.
    Rehearsed,
    /// The air clock ran slower, so that the longer batches of the new version are ready in time.
    Stretched,
    /// The new version decides from here on.
    CutOver,
    /// The new version decided one more batch of its probation.
    Batch,
    /// The probation is complete.
    Passed,
    /// The component was rejected.
    Refused,
    /// The old version took over again.
    RolledBack,
}

/// Identity of a component.
#[derive(Debug, Clone, SimpleObject)]
pub struct ComponentRef {
    /// ID of the component: `sha256:` and the SHA-256 of its file.
    digest: String,
    /// Name that the component reports.
    name: String,
    /// Version that the component reports.
    version: String,
}

/// A step that a swap completed.
#[derive(Debug, Clone, SimpleObject)]
pub struct SwapStepRecord {
    /// The step that was completed.
    step: SwapStep,
    /// Time at which the step was completed.
    at: DateTime,
    /// Duration of the step, in milliseconds. For `CUT_OVER`: the time during which no call was possible.
    took_ms: f64,
    /// Details of the step, as a sentence. Null if there are none.
    detail: Option<String>,
}

/// The result of a rehearsal: the new version is given the last inputs of the running version.
#[derive(Debug, Clone, SimpleObject)]
pub struct Rehearsal {
    /// Number of recorded calls that were made.
    calls: u32,
    /// Number of these calls with the same answer as from the running version.
    same: u32,
    /// Reason why the answers cannot be compared with those of the running version, such as `another dialect`. Null if
    /// they were compared.
    not_comparable: Option<String>,
    /// Number of recorded calls that were skipped because the time was up.
    left_out: u32,
    /// Duration of the longest call, in milliseconds.
    slowest_ms: f64,
    /// Memory of the instance after the rehearsal, in bytes.
    memory_bytes: BigInt,
    /// Longest batch that the new version cut of the recorded segments and of further ones like them, in seconds. Null
    /// for stages other than batching.
    longest_batch_seconds: Option<f64>,
    /// Longest batch that the running version cut of the same segments, in seconds. Null for stages other than
    /// batching.
    running_batch_seconds: Option<f64>,
    /// Longest batch that would be ready before its time on air, in seconds. Null while the stream is not on air.
    allowed_batch_seconds: Option<f64>,
    /// How late the longest batch would be ready, in seconds; the stream would be off air for that time. 0 if it would
    /// be in time.
    late_by_seconds: f64,
    /// True if the swap would take the stream off air. Such a swap is rejected without `force`.
    would_go_off_air: bool,
    /// With `force`: how long the air clock runs 5 % slower before the cut-over so that no batch is late, in seconds.
    stretch_seconds: f64,
}

/// A swap of a pipeline's stage to another version or other settings. The pipeline may be on air.
#[derive(Debug, Clone, SimpleObject)]
pub struct Swap {
    /// ID of the swap.
    id: ID,
    /// ID of the pipeline.
    pipeline_id: ID,
    /// The kind of the stage.
    kind: StageKind,
    /// The version before the swap.
    from: ComponentRef,
    /// The version that was requested.
    to: ComponentRef,
    /// True if the swap changes the settings of the stage.
    settings_changed: bool,
    /// True if the new version starts without the state of the running version.
    fresh: bool,
    /// True if the swap proceeds even if the rehearsal shows that it takes the stream off air.
    force: bool,
    /// True if the swap ends after the rehearsal in the state `REHEARSED` and changes nothing.
    rehearse_only: bool,
    /// Name of the caller who requested the swap.
    requested_by: String,
    /// ID of the rollout that the swap belongs to. Null if it belongs to none.
    roll_out: Option<ID>,
    /// State of the swap.
    state: SwapState,
    /// Reason for the outcome, as a sentence. Null if there is none.
    reason: Option<String>,
    /// Time of the request.
    started_at: DateTime,
    /// Time at which the swap ended. Null until then.
    ended_at: Option<DateTime>,
    /// The steps completed so far.
    steps: Vec<SwapStepRecord>,
    /// Result of the rehearsal. Null before the rehearsal.
    rehearsal: Option<Rehearsal>,
    /// Number of batches decided during the probation so far.
    probation_done: u32,
    /// Number of batches that the probation requires.
    probation_wanted: u32,
    /// Number of calls that the old version would have answered differently.
    different: BigInt,
    /// Path of the evidence of a failure, for `outboard stage replay`: input, error, backtrace, limits and timings. It
    /// requires the same token. Null if there is none.
    evidence_url: Option<String>,
}

/// A swap to perform.
#[derive(Debug, InputObject)]
pub struct SwapStageInput {
    /// ID of the pipeline.
    pub pipeline_id: ID,
    /// The kind of the stage.
    pub kind: StageKind,
    /// Digest of a component that the tenant may use, `sha256:…`. Null: the bundled component.
    pub component: Option<String>,
    /// Complete settings object. Null: the component's defaults. Not set: the current settings.
    pub settings: MaybeUndefined<Value>,
    /// True: start without the state of the running version, for a component that cannot read it.
    #[graphql(default)]
    pub fresh: bool,
    /// True: proceed even if the rehearsal shows that the batches of the new version are longer than the delay between
    /// source and air, which takes the stream off air. The air clock first runs 5 % slower to increase the delay, for
    /// at most 10 minutes.
    #[graphql(default)]
    pub force: bool,
    /// True: end after the rehearsal, report its result and change nothing.
    #[graphql(default)]
    pub rehearse_only: bool,
    /// Number of batches that the new version decides before the old version is released, 1 to 1000. Default: 3.
    pub probation_batches: Option<u32>,
}

/// The state of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::RollOutState")]
pub enum RollOutState {
    /// Swaps are in progress.
    Running,
    /// Every pipeline runs the new version.
    Done,
    /// A swap failed. The remaining pipelines were not changed.
    Stopped,
    /// The server stopped during the rollout.
    Interrupted,
}

/// The same swap in all pipelines of a tenant, one after the other. The subscription `swapChanged` sends each step of
/// its swaps.
#[derive(Debug, Clone, SimpleObject)]
pub struct RollOut {
    /// ID of the rollout.
    id: ID,
    /// The tenant that owns the pipelines.
    tenant: ID,
    /// The kind of the stage.
    kind: StageKind,
    /// The version that was requested.
    to: ComponentRef,
    /// Name of the caller who requested the rollout.
    requested_by: String,
    /// State of the rollout.
    state: RollOutState,
    /// Reason for the outcome, as a sentence. Null if there is none.
    reason: Option<String>,
    /// IDs of the swaps so far, oldest first.
    swaps: Vec<ID>,
    /// IDs of the pipelines whose swap has not started yet.
    waiting: Vec<ID>,
    /// Time of the request.
    started_at: DateTime,
    /// Time at which the rollout ended. Null until then.
    ended_at: Option<DateTime>,
}

/// A rollout to perform.
#[derive(Debug, InputObject)]
pub struct RollOutStageInput {
    /// The tenant that owns the pipelines. Default: the caller's tenant.
    pub tenant: Option<ID>,
    /// The kind of the stage.
    pub kind: StageKind,
    /// Digest of a component that the tenant may use, `sha256:…`. Null: the bundled component.
    pub component: Option<String>,
    /// Complete settings object. Null: the component's defaults. Not set: the current settings of each pipeline.
    pub settings: MaybeUndefined<Value>,
    /// True: start without the state of the running version, for a component that cannot read it.
    #[graphql(default)]
    pub fresh: bool,
    /// True: proceed even if a rehearsal shows that the swap takes a stream off air.
    #[graphql(default)]
    pub force: bool,
    /// Number of batches that the new version decides in each pipeline before the old version is released, 1 to 1000.
    /// Default: 3.
    pub probation_batches: Option<u32>,
}

/// Where a pipeline's recording or evidence is fetched.
pub fn evidence_url(pipeline: &str, id: &str) -> String {
    format!("/evidence/{pipeline}/{id}.json")
}

impl SwapStageInput {
    /// The input for the control plane.
    pub fn wanted(self) -> NewSwap {
        let Self { component, settings, fresh, force, rehearse_only, probation_batches: probation, .. } = self;
        NewSwap { component, settings: settings.into(), fresh, force, rehearse_only, probation }
    }
}

impl RollOutStageInput {
    /// The input for the control plane.
    pub fn wanted(self) -> NewSwap {
        let Self { component, settings, fresh, force, probation_batches: probation, .. } = self;
        NewSwap { component, settings: settings.into(), fresh, force, rehearse_only: false, probation }
    }
}

impl From<RollOutRow> for RollOut {
    fn from(RollOutRow { id, tenant, roll_out }: RollOutRow) -> Self {
        let waiting = roll_out.waiting.into_iter().map(|stream| ID(format!("{tenant}:{stream}"))).collect();
        Self {
            id: id.into(),
            tenant: tenant.into(),
            kind: roll_out.kind.into(),
            to: roll_out.to.into(),
            requested_by: roll_out.requested_by,
            state: roll_out.state.into(),
            reason: roll_out.reason,
            swaps: roll_out.swaps.into_iter().map(Into::into).collect(),
            waiting,
            started_at: DateTime(roll_out.started_ms),
            ended_at: roll_out.ended_ms.map(DateTime),
        }
    }
}

impl From<stage::ComponentLabel> for ComponentRef {
    fn from(label: stage::ComponentLabel) -> Self {
        let stage::ComponentLabel { digest, name, version } = label;
        Self { digest, name, version }
    }
}

impl From<SwapStepTaken> for SwapStepRecord {
    fn from(taken: SwapStepTaken) -> Self {
        Self {
            step: taken.step.into(),
            at: DateTime(taken.at_ms),
            took_ms: taken.took_us as f64 / 1e3,
            detail: taken.detail,
        }
    }
}

impl From<stage::rehearsal::Rehearsal> for Rehearsal {
    fn from(rehearsal: stage::rehearsal::Rehearsal) -> Self {
        let seconds = |ms: u64| ms as f64 / 1e3;
        Self {
            calls: rehearsal.calls,
            same: rehearsal.same,
            would_go_off_air: rehearsal.would_go_off_air(),
            longest_batch_seconds: rehearsal.longest_batch_ms.map(seconds),
            running_batch_seconds: rehearsal.running_batch_ms.map(seconds),
            allowed_batch_seconds: rehearsal.allowed_batch_ms.map(seconds),
            late_by_seconds: seconds(rehearsal.late_by_ms),
            stretch_seconds: seconds(rehearsal.stretch_ms),
            not_comparable: rehearsal.not_comparable,
            left_out: rehearsal.left_out,
            slowest_ms: rehearsal.slowest_us as f64 / 1e3,
            memory_bytes: BigInt(rehearsal.memory_bytes),
        }
    }
}

impl From<SwapRow> for Swap {
    fn from(SwapRow { id, pipeline, swap }: SwapRow) -> Self {
        let pipeline = pipeline.to_string();
        Self {
            id: id.into(),
            kind: swap.kind.into(),
            from: swap.from.into(),
            to: swap.to.into(),
            settings_changed: swap.settings_changed,
            fresh: swap.fresh,
            force: swap.force,
            rehearse_only: swap.rehearse_only,
            requested_by: swap.requested_by,
            roll_out: swap.roll_out.map(Into::into),
            state: swap.state.into(),
            reason: swap.reason,
            started_at: DateTime(swap.started_ms),
            ended_at: swap.ended_ms.map(DateTime),
            steps: swap.steps.into_iter().map(Into::into).collect(),
            rehearsal: swap.rehearsal.map(Into::into),
            probation_done: swap.probation_done,
            probation_wanted: swap.probation_wanted,
            different: BigInt(swap.different),
            evidence_url: swap.evidence.map(|id| evidence_url(&pipeline, &id)),
            pipeline_id: pipeline.into(),
        }
    }
}
