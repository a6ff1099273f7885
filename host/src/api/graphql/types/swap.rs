//! Swaps of stages, step by step.

use async_graphql::{Enum, ID, InputObject, MaybeUndefined, SimpleObject};
use serde_json::Value;

use super::stage::StageKind;
use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::NewSwap;
use crate::control::registry::{self, RollOutRow, SwapRow, SwapStepTaken};
use crate::stage;

/// How far a swap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::SwapState")]
pub enum SwapState {
    /// The component is checked and compiled.
    Checking,
    /// It is given the running version's last inputs, apart from the stream.
    Rehearsing,
    /// It is opened with the running version's state.
    CuttingOver,
    /// It decides; the old version runs beside it and takes over if it fails.
    Probation,
    /// It stays.
    Done,
    /// It was only rehearsed, as asked (`rehearseOnly`); nothing changed.
    Rehearsed,
    /// It was not fit; nothing changed.
    Refused,
    /// The old version decides again.
    RolledBack,
    /// The server or the pipeline ended in the middle; `reason` says which version stays.
    Interrupted,
}

/// A step of a swap that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::SwapStep")]
pub enum SwapStep {
    /// It is a component of the kind, and compiled.
    Checked,
    /// It took the last recorded inputs.
    Rehearsed,
    /// The air clock ran slower until the longer batches of the new version come in time.
    Stretched,
    /// It decides from here on.
    CutOver,
    /// It decided one more batch of its probation.
    Batch,
    /// The probation is over.
    Passed,
    /// It was not fit.
    Refused,
    /// The old version took over again.
    RolledBack,
}

/// A component's identity, and what it calls itself.
#[derive(Debug, Clone, SimpleObject)]
pub struct ComponentRef {
    /// Its identity: `sha256:` and the SHA-256 of its file.
    digest: String,
    /// Its name, by its own account.
    name: String,
    /// Its version, by its own account.
    version: String,
}

/// A step that a swap took.
#[derive(Debug, Clone, SimpleObject)]
pub struct SwapStepRecord {
    /// Which.
    step: SwapStep,
    /// When it was done.
    at: DateTime,
    /// How long it took, in milliseconds; for `CUT_OVER` how long no call could be made.
    took_ms: f64,
    /// More, in a sentence.
    detail: Option<String>,
}

/// How a version did with the running version's last inputs.
#[derive(Debug, Clone, SimpleObject)]
pub struct Rehearsal {
    /// Recorded calls that were made.
    calls: u32,
    /// Of them, those that were answered as by the running version.
    same: u32,
    /// Why the answers cannot be compared with the running version's, such as `another dialect`; null: they were.
    not_comparable: Option<String>,
    /// Recorded calls for which there was no time.
    left_out: u32,
    /// The longest call, in milliseconds.
    slowest_ms: f64,
    /// Memory of the instance afterwards.
    memory_bytes: BigInt,
    /// The longest batch that a batching stage cut of the recorded segments and of more like them, in seconds; null for other
    /// stages.
    longest_batch_seconds: Option<f64>,
    /// The longest batch that the running version cut of them, in seconds.
    running_batch_seconds: Option<f64>,
    /// The longest batch that would be ready before it is due on air, in seconds; null while the stream is not on air.
    allowed_batch_seconds: Option<f64>,
    /// How much too late the longest batch would be ready: so many seconds nothing would go on air; 0: it comes in time.
    late_by_seconds: f64,
    /// The swap would take the stream off air: it is refused without `force`.
    would_go_off_air: bool,
    /// How long the air clock runs 5 % slower before the cut-over, with `force`, so that no batch comes late, in seconds.
    stretch_seconds: f64,
}

/// Another version of a stage, or other settings, for a pipeline that may be on air.
#[derive(Debug, Clone, SimpleObject)]
pub struct Swap {
    /// Its id.
    id: ID,
    /// The pipeline.
    pipeline_id: ID,
    /// Which stage.
    kind: StageKind,
    /// The version that ran, or would have.
    from: ComponentRef,
    /// The version that is wanted.
    to: ComponentRef,
    /// Its settings are others than before.
    settings_changed: bool,
    /// It starts from nothing, not from the running version's state.
    fresh: bool,
    /// It is carried out even where the rehearsal finds that it takes the stream off air.
    force: bool,
    /// It ends after the rehearsal, in the state `REHEARSED`, and changes nothing.
    rehearse_only: bool,
    /// Who asked for it.
    requested_by: String,
    /// The roll-out that it is part of.
    roll_out: Option<ID>,
    /// How far it is.
    state: SwapState,
    /// Why it ended as it did, in a sentence.
    reason: Option<String>,
    /// When it was asked for.
    started_at: DateTime,
    /// When it was over.
    ended_at: Option<DateTime>,
    /// The steps taken so far.
    steps: Vec<SwapStepRecord>,
    /// How the rehearsal went.
    rehearsal: Option<Rehearsal>,
    /// Batches of its probation that it decided.
    probation_done: u32,
    /// Batches that it has to decide.
    probation_wanted: u32,
    /// Calls that the old version would have answered otherwise.
    different: BigInt,
    /// Where the evidence of its failure is fetched, with the same token: input, error, backtrace, limits, timings; for
    /// `outboard stage replay`.
    evidence_url: Option<String>,
}

/// What to swap.
#[derive(Debug, InputObject)]
pub struct SwapStageInput {
    /// The pipeline.
    pub pipeline_id: ID,
    /// Which stage.
    pub kind: StageKind,
    /// Digest of a component that the tenant may use, `sha256:…`; null: the bundled one.
    pub component: Option<String>,
    /// Its settings, a whole object; null: its defaults; left out: as they are set now.
    pub settings: MaybeUndefined<Value>,
    /// True: it starts from nothing, where it cannot read the running version's state.
    #[graphql(default)]
    pub fresh: bool,
    /// True: the swap is carried out even where the rehearsal finds that its batches are longer than what the stream is behind
    /// its source, which takes it off air. The air clock first runs 5 % slower to make room, for 10 minutes at most.
    #[graphql(default)]
    pub force: bool,
    /// True: the swap ends after the rehearsal with what it found, and nothing is changed.
    #[graphql(default)]
    pub rehearse_only: bool,
    /// Batches that it decides before the old version is let go, 1 to 1000; 3 if left out.
    pub probation_batches: Option<u32>,
}

/// How far a roll-out is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::RollOutState")]
pub enum RollOutState {
    /// Swaps are under way.
    Running,
    /// Every pipeline has it.
    Done,
    /// A swap did not end well; the pipelines after it were left as they are.
    Stopped,
    /// The server ended in the middle.
    Interrupted,
}

/// The same swap in all pipelines of a tenant, one after the other. `swapChanged` follows the swaps.
#[derive(Debug, Clone, SimpleObject)]
pub struct RollOut {
    /// Its id.
    id: ID,
    /// In whose pipelines.
    tenant: ID,
    /// Which stage.
    kind: StageKind,
    /// The version that is wanted.
    to: ComponentRef,
    /// Who asked for it.
    requested_by: String,
    /// How far it is.
    state: RollOutState,
    /// Why it ended as it did, in a sentence.
    reason: Option<String>,
    /// Ids of its swaps so far, oldest first.
    swaps: Vec<ID>,
    /// Pipelines whose turn is still to come.
    waiting: Vec<ID>,
    /// When it was asked for.
    started_at: DateTime,
    /// When it was over.
    ended_at: Option<DateTime>,
}

/// What to roll out.
#[derive(Debug, InputObject)]
pub struct RollOutStageInput {
    /// In whose pipelines; left out: the caller's own tenant.
    pub tenant: Option<ID>,
    /// Which stage.
    pub kind: StageKind,
    /// Digest of a component that the tenant may use, `sha256:…`; null: the bundled one.
    pub component: Option<String>,
    /// Its settings, a whole object; null: its defaults; left out: as they are set in each pipeline.
    pub settings: MaybeUndefined<Value>,
    /// True: it starts from nothing, where it cannot read the running version's state.
    #[graphql(default)]
    pub fresh: bool,
    /// True: it is carried out even where the rehearsal finds that it takes a stream off air.
    #[graphql(default)]
    pub force: bool,
    /// Batches that it decides in each pipeline before the old version is let go, 1 to 1000; 3 if left out.
    pub probation_batches: Option<u32>,
}

/// Where a pipeline's recording or evidence is fetched.
pub fn evidence_url(pipeline: &str, id: &str) -> String {
    format!("/evidence/{pipeline}/{id}.json")
}

impl SwapStageInput {
    /// For the core.
    pub fn wanted(self) -> NewSwap {
        let Self { component, settings, fresh, force, rehearse_only, probation_batches: probation, .. } = self;
        NewSwap { component, settings: settings.into(), fresh, force, rehearse_only, probation }
    }
}

impl RollOutStageInput {
    /// For the core.
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
