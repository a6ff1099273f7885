//! What is kept when a stage fails: the input that caused it, the state before it, the error, what was limited, how long
//! it took, who answered instead. One JSON file; `outboard stage replay` makes the same calls again.

use super::component::{ComponentLabel, StageKind};
use super::counters::StageCounts;
use super::error::StageError;
use super::instance::Kind;
use super::occupant::Occupant;
use super::tape::{RECORDING_FORMAT, RecordedCall, Taped, written};
use crate::unix_time::now_ms;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A failure of a stage, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// [`RECORDING_FORMAT`].
    pub format: u32,
    /// Names it.
    pub id: String,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Whose stage.
    pub tenant: String,
    /// The pipeline's stream.
    pub stream: String,
    /// What it decides.
    pub kind: StageKind,
    /// The component that failed.
    pub component: ComponentLabel,
    /// Its settings; empty: the defaults.
    pub settings: String,
    /// The contract's function.
    pub call: String,
    /// What happened, in a sentence.
    pub error: String,
    /// Functions on the stack where it trapped, innermost first.
    pub frames: Vec<String>,
    /// The limit that it went over.
    pub limit: Option<String>,
    /// How long the call took, in microseconds.
    pub took_us: u64,
    /// Memory of its instance, in bytes.
    pub memory_bytes: u64,
    /// What happened in its calls before.
    pub counts: StageCounts,
    /// Its last snapshot before the call, as base64.
    pub state: Option<String>,
    /// Its last calls, oldest first; the last of them failed.
    pub calls: Vec<RecordedCall>,
}

impl Evidence {
    /// The snapshot's bytes.
    ///
    /// # Errors
    /// It is not base64.
    pub fn state_bytes(&self) -> Result<Option<Vec<u8>>, String> {
        let decoded = self.state.as_ref().map(|text| STANDARD.decode(text)).transpose();
        decoded.map_err(|error| format!("state is not base64: {error}"))
    }
}

/// Makes the evidence; put off, for it takes longer than a stage's call.
pub type Making = Box<dyn FnOnce() -> Evidence + Send>;

/// Where evidence goes. Must not wait.
#[derive(Clone)]
pub struct Witness(Arc<dyn Fn(Making) + Send + Sync>);

impl Witness {
    /// Takes it there.
    pub fn new(take: impl Fn(Making) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    pub(super) fn take(&self, making: Making) {
        (self.0)(making);
    }
}

impl Default for Witness {
    fn default() -> Self {
        Self::new(drop)
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

/// A new name for evidence; sorts by time.
fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", now_ms(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Evidence of a call that just failed; answers its id and how it is made. `calls` end with the one that failed.
pub(super) fn of<K: Kind>(
    failed: &Occupant<K>,
    calls: Vec<Taped<K::Input>>,
    error: &StageError,
    took: Duration,
) -> (String, Making) {
    let id = new_id();
    let recipe = failed.recipe();
    let (frames, limit) = match error {
        StageError::Trap { frames, .. } => (frames.clone(), None),
        StageError::Limit { limit, .. } => (Vec::new(), Some(limit.to_string())),
        _ => (Vec::new(), None),
    };
    let labels = recipe.labels.clone();
    let facts = Evidence {
        format: RECORDING_FORMAT,
        id: id.clone(),
        at_ms: now_ms(),
        tenant: labels.tenant,
        stream: labels.pipeline,
        kind: K::KIND,
        component: recipe.component.label(),
        settings: recipe.settings.clone(),
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
    let making =
        move || Evidence { state: state.map(|state| STANDARD.encode(state)), calls: written::<K>(&calls), ..facts };
    (id, Box::new(making))
}
