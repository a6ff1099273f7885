//! What is kept when a stage fails: the input that caused it, the state before it, the error, what was limited, how long
//! it took, who answered instead. One JSON file; `outboard stage replay` makes the same calls again.

use super::counters::StageCounts;
use super::kind::{ComponentLabel, StageKind};
use super::recording::RecordedCall;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A failure of a stage, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// [`RECORDING_FORMAT`](super::recording::RECORDING_FORMAT).
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
