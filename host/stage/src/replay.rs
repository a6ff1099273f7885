//! Makes recorded calls again to a component, apart from any pipeline: for `outboard stage test` and `outboard stage replay`.

use super::batching::Batching;
use super::component::StageComponent;
use super::error::StageError;
use super::evidence::Evidence;
use super::framing::Framing;
use super::instance::StageLimits;
use super::kind::StageKind;
use super::labels::StageLabels;
use super::recording::{RecordedCall, Recording, read_inputs};
use super::remux::RemuxPlanning;
use super::runtime::StageRuntime;
use super::supervised_instance::{CallableStage, InstanceSpec, SupervisedInstance};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The options a component is opened with.
#[derive(Debug, Clone, Default)]
pub struct ReplayStart {
    /// Its settings, a JSON object as text; empty: the defaults.
    pub settings: String,
    /// The snapshot to resume from; `None`: it starts without state.
    pub state: Option<Vec<u8>>,
    /// Limits of memory, time and snapshot size.
    pub limits: StageLimits,
}

/// A call that was made again, and its result.
#[derive(Debug)]
pub struct ReplayedCall {
    /// The contract's function that was called.
    pub call: String,
    /// The answer, as Rust debug text of the contract's types, or the error.
    pub result: Result<String, StageError>,
    /// How long the call took.
    pub took: Duration,
    /// Memory of the instance after the call, in bytes.
    pub memory_bytes: u64,
}

/// Why recorded calls could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The calls are those of another kind of stage.
    #[error("these are calls of a {calls} stage; the component is a {component} stage")]
    Kind {
        /// The kind of stage of the calls.
        calls: StageKind,
        /// The kind of the component.
        component: StageKind,
    },
    /// The calls cannot be read; the sentence says which.
    #[error("{0}")]
    Calls(String),
    /// The component could not be opened.
    #[error(transparent)]
    Open(#[from] StageError),
}

/// Makes the calls of a recording to a component. Ends after the first call that fails; that call is the last of the result.
///
/// # Errors
/// [`ReplayError`] if no call could be made.
pub async fn recording(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    start: ReplayStart,
    recording: &Recording,
) -> Result<Vec<ReplayedCall>, ReplayError> {
    replay(runtime, component, start, recording.kind, &recording.calls).await
}

/// Makes the failed call of an evidence bundle again: first from the state before it; if it does not fail, after all recorded calls,
/// without state. Returns the calls, and true if one failed again.
///
/// # Errors
/// [`ReplayError`] if no call could be made.
pub async fn evidence(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    evidence: &Evidence,
) -> Result<(Vec<ReplayedCall>, bool), ReplayError> {
    let start = |state| ReplayStart { settings: evidence.settings.clone(), state, limits: StageLimits::default() };
    let state = evidence.state_bytes().map_err(ReplayError::Calls)?;
    let last = evidence.calls.last().map(std::slice::from_ref).unwrap_or_default();
    let tries = [(state, last), (None, &evidence.calls[..])];
    let mut replayed = Vec::new();
    for (state, calls) in tries {
        match replay(runtime, component.clone(), start(state), evidence.kind, calls).await {
            Ok(now) => replayed.extend(now),
            // A failure of `open` counts as a failure that was reproduced.
            Err(ReplayError::Open(error)) => replayed.push(ReplayedCall {
                call: error.call().to_owned(),
                result: Err(error),
                took: Duration::ZERO,
                memory_bytes: 0,
            }),
            Err(error) => return Err(error),
        }
        if replayed.last().is_some_and(|last| last.result.is_err()) {
            return Ok((replayed, true));
        }
    }
    Ok((replayed, false))
}

async fn replay(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    start: ReplayStart,
    kind: StageKind,
    calls: &[RecordedCall],
) -> Result<Vec<ReplayedCall>, ReplayError> {
    if component.kind() != kind {
        return Err(ReplayError::Kind { calls: kind, component: component.kind() });
    }
    match kind {
        StageKind::Batching => replay_as::<Batching>(runtime, component, start, calls).await,
        StageKind::Framing => replay_as::<Framing>(runtime, component, start, calls).await,
        StageKind::RemuxPlanning => replay_as::<RemuxPlanning>(runtime, component, start, calls).await,
    }
}

async fn replay_as<K: CallableStage>(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    start: ReplayStart,
    calls: &[RecordedCall],
) -> Result<Vec<ReplayedCall>, ReplayError> {
    let inputs = read_inputs::<K>(calls).map_err(ReplayError::Calls)?;
    let ReplayStart { settings, state, limits } = start;
    let spec = InstanceSpec { runtime: runtime.clone(), component, settings, limits, labels: StageLabels::default() };
    let mut stage = SupervisedInstance::<K>::open(spec, state).await?;
    let mut history = K::CallHistory::default();
    let mut replayed = Vec::new();
    for (call, input) in calls.iter().zip(&inputs) {
        K::record_input(&mut history, input);
        let began = Instant::now();
        let result = K::perform_call(&mut stage, &history, input).await;
        let took = began.elapsed();
        if let Ok(output) = &result {
            K::record_output(&mut history, output);
        }
        let result = result.map(|output| format!("{output:?}"));
        let failed = result.is_err();
        replayed.push(ReplayedCall { call: call.call.clone(), result, took, memory_bytes: stage.memory_bytes() });
        if failed {
            break;
        }
    }
    Ok(replayed)
}
