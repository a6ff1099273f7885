//! Collects the [evidence](super::evidence) of a failed call.

use super::calls::{StageInterface, TimedCall};
use super::error::StageError;
use super::evidence::{Evidence, LazyReport};
use super::recording::{RECORDING_FORMAT, to_recorded};
use super::supervised_instance::SupervisedInstance;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outboard_base::unix_time::now_ms;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A new id for evidence; ids sort by time.
fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", now_ms(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Collects the evidence of a call that just failed: returns its id, and the function that produces it. The failed call is the
/// last of `calls`.
pub(super) fn of<K: StageInterface>(
    failed: &SupervisedInstance<K>,
    calls: Vec<TimedCall<K::Input>>,
    error: &StageError,
    took: Duration,
) -> (String, LazyReport) {
    let id = new_id();
    let spec = failed.spec();
    let (frames, limit) = match error {
        StageError::Trap { frames, .. } => (frames.clone(), None),
        StageError::Limit { limit, .. } => (Vec::new(), Some(limit.to_string())),
        _ => (Vec::new(), None),
    };
    let labels = spec.labels.clone();
    let facts = Evidence {
        format: RECORDING_FORMAT,
        id: id.clone(),
        at_ms: now_ms(),
        tenant: labels.tenant,
        stream: labels.pipeline,
        kind: K::KIND,
        component: spec.component.label(),
        settings: spec.settings.clone(),
        call: error.call().to_owned(),
        error: error.to_string(),
        frames,
        limit,
        took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        memory_bytes: failed.memory_bytes(),
        counts: failed.counters().read(),
        state: None,
        calls: Vec::new(),
    };
    let state = failed.snapshot().map(<[u8]>::to_vec);
    let report =
        move || Evidence { state: state.map(|state| STANDARD.encode(state)), calls: to_recorded::<K>(&calls), ..facts };
    (id, Box::new(report))
}
