//! Fuzz target `snapshots`: bytes as the state of the bundled stages. They go on from it, or say that they cannot; neither traps,
//! overruns nor answers what breaks the contract.

use super::contract;
use super::{
    BatchingStage, FramingStage, Opening, RemuxStage, StageComponent, StageError, StageKind, StageRuntime,
    StageRuntimeConfig,
};
use crate::batching::Segment;
use arbitrary::{Result, Unstructured};
use std::sync::{Arc, LazyLock};

/// What the inputs share while the process lives.
struct Host {
    tasks: tokio::runtime::Runtime,
    stages: StageRuntime,
    /// Held here, or each input would compile its own.
    bundled: Vec<Arc<StageComponent>>,
}

static HOST: LazyLock<Option<Host>> = LazyLock::new(|| {
    let tasks = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let stages = StageRuntime::new(&StageRuntimeConfig { instances: 4, ..StageRuntimeConfig::default() }).ok()?;
    let load = |kind| tasks.block_on(stages.bundled(kind)).ok();
    let bundled = StageKind::ALL.into_iter().map(load).collect::<Option<_>>()?;
    Some(Host { tasks, stages, bundled })
});

/// Opens the bundled stages with a generated snapshot.
pub fn snapshots(data: &[u8]) {
    let Some(host) = &*HOST else { unreachable!("no stage runtime") };
    let Ok((kind, state)) = generated_state(&mut Unstructured::new(data)) else { return };
    for component in host.bundled.iter().filter(|component| component.kind() == kind) {
        host.tasks.block_on(open(&host.stages, Arc::clone(component), state.clone()));
    }
}

/// A kind, and something like its snapshot.
fn generated_state(u: &mut Unstructured<'_>) -> Result<(StageKind, Vec<u8>)> {
    let kind = *u.choose(&StageKind::ALL)?;
    let state = match u.int_in_range(0..=9)? {
        0 => return Ok((kind, u.arbitrary()?)),
        1 => "null".to_owned(),
        2 => format!("{}{}", "[".repeat(300), "]".repeat(300)),
        3 => r#"{"last_pushed":null,"open":null,"sent":[]}"#.to_owned(),
        4 => format!(r#"{{"sent":["{}"]}}"#, "s".repeat(u.int_in_range(0..=20_000)?)),
        5 => format!(r#"{{"sent":[{}""]}}"#, r#""s","#.repeat(u.int_in_range(0..=500)?)),
        _ => {
            let [last, first, to, us] = [number(u)?, number(u)?, number(u)?, number(u)?];
            let open = format!(r#"{{"first":{first},"last":{to},"duration_us":{us}}}"#);
            format!(r#"{{"last_pushed":{last},"open":{open},"sent":["a"]}}"#)
        }
    };
    let (stage, layout) = match kind {
        StageKind::Batching => ("batching-duration", 1),
        StageKind::Framing => ("framing-fragment", 1),
        StageKind::RemuxPlanning => ("remux-replace", 1),
    };
    let layout = if u.ratio(1, 12)? { u.arbitrary()? } else { layout };
    let mut bytes = format!(r#"{{"stage":"{stage}","layout":{layout},"state":{state}}}"#).into_bytes();
    if u.ratio(1, 8)? {
        bytes.truncate(u.choose_index(bytes.len())?);
    }
    Ok((kind, bytes))
}

fn number(u: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u.int_in_range(0..=3)? {
        0 => u.arbitrary()?,
        1 => u64::MAX,
        _ => u.int_in_range(0..=9)?,
    })
}

async fn open(stages: &StageRuntime, component: Arc<StageComponent>, state: Vec<u8>) {
    let (kind, told) = (component.kind(), String::from_utf8_lossy(&state).into_owned());
    let opening = Opening { state: Some(state), ..Opening::default() };
    let failure = match kind {
        StageKind::Batching => match BatchingStage::open(stages, component, opening, 30).await {
            Ok(mut stage) => stage.push(segment()).await.failure,
            Err(error) => Some(error),
        },
        StageKind::Framing => FramingStage::open(stages, component, opening).await.err(),
        StageKind::RemuxPlanning => RemuxStage::open(stages, component, opening).await.err(),
    };
    let refused = |failure: &StageError| {
        matches!(failure, StageError::Answered { error: contract::Error::UnreadableState(_), .. })
    };
    assert!(failure.as_ref().is_none_or(refused), "{kind}: {failure:?} from {told}");
}

/// Far from what the states speak of: whatever was open, it is the stage's no more.
fn segment() -> Segment {
    const INDEX: u64 = 1 << 40;
    Segment {
        index: INDEX,
        media_sequence: INDEX,
        duration_us: 4_000_000,
        size_bytes: 1,
        discontinuity: false,
        program_date_time_us: None,
        cues: vec![],
    }
}
