//! Recorded calls, made again to a component apart from any pipeline: `outboard stage test` and `outboard stage replay`.

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

/// How a component is opened for its calls.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Its settings: a JSON object as text; empty: the defaults.
    pub settings: String,
    /// A snapshot to go on from.
    pub state: Option<Vec<u8>>,
    /// What it may use.
    pub limits: StageLimits,
}

/// A call that was made again.
#[derive(Debug)]
pub struct Played {
    /// The contract's function.
    pub call: String,
    /// What it answered, in the contract's words, or how it failed.
    pub result: Result<String, StageError>,
    /// How long it took.
    pub took: Duration,
    /// Memory of the instance after it, in bytes.
    pub memory_bytes: u64,
}

/// Why calls could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The calls are another kind's.
    #[error("these are calls of a {calls} stage; the component is a {component} stage")]
    Kind {
        /// Whose calls.
        calls: StageKind,
        /// The component's kind.
        component: StageKind,
    },
    /// They cannot be read.
    #[error("{0}")]
    Calls(String),
    /// The component does not open.
    #[error(transparent)]
    Open(#[from] StageError),
}

/// Makes the calls of a recording to a component that starts from nothing.
///
/// # Errors
/// [`ReplayError`]. A call that fails is no error: it is among what was played.
pub async fn recording(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    start: Start,
    recording: &Recording,
) -> Result<Vec<Played>, ReplayError> {
    play(runtime, component, start, recording.kind, &recording.calls).await
}

/// Makes the call again in which a stage failed: from the state before it, and where that does not fail, all that was kept
/// from the start. True: it failed again.
///
/// # Errors
/// [`ReplayError`].
pub async fn evidence(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    evidence: &Evidence,
) -> Result<(Vec<Played>, bool), ReplayError> {
    let start = |state| Start { settings: evidence.settings.clone(), state, limits: StageLimits::default() };
    let state = evidence.state_bytes().map_err(ReplayError::Calls)?;
    let last = evidence.calls.last().map(std::slice::from_ref).unwrap_or_default();
    let tries = [(state, last), (None, &evidence.calls[..])];
    let mut played = Vec::new();
    for (state, calls) in tries {
        match play(runtime, component.clone(), start(state), evidence.kind, calls).await {
            Ok(now) => played.extend(now),
            // It failed in `open`: that is how it failed then, or worse.
            Err(ReplayError::Open(error)) => played.push(Played {
                call: error.call().to_owned(),
                result: Err(error),
                took: Duration::ZERO,
                memory_bytes: 0,
            }),
            Err(error) => return Err(error),
        }
        if played.last().is_some_and(|last| last.result.is_err()) {
            return Ok((played, true));
        }
    }
    Ok((played, false))
}

async fn play(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    start: Start,
    kind: StageKind,
    calls: &[RecordedCall],
) -> Result<Vec<Played>, ReplayError> {
    if component.kind() != kind {
        return Err(ReplayError::Kind { calls: kind, component: component.kind() });
    }
    match kind {
        StageKind::Batching => play_as::<Batching>(runtime, component, start, calls).await,
        StageKind::Framing => play_as::<Framing>(runtime, component, start, calls).await,
        StageKind::RemuxPlanning => play_as::<RemuxPlanning>(runtime, component, start, calls).await,
    }
}

async fn play_as<K: CallableStage>(
    runtime: &StageRuntime,
    component: Arc<StageComponent>,
    start: Start,
    calls: &[RecordedCall],
) -> Result<Vec<Played>, ReplayError> {
    let inputs = read_inputs::<K>(calls).map_err(ReplayError::Calls)?;
    let Start { settings, state, limits } = start;
    let spec = InstanceSpec { runtime: runtime.clone(), component, settings, limits, labels: StageLabels::default() };
    let mut stage = SupervisedInstance::<K>::open(spec, state).await?;
    let mut history = K::CallHistory::default();
    let mut played = Vec::new();
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
        played.push(Played { call: call.call.clone(), result, took, memory_bytes: stage.memory_bytes() });
        if failed {
            break;
        }
    }
    Ok(played)
}
