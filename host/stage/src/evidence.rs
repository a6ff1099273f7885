//! What is stored when a stage fails: the last calls, the state before the failed one, the error, the exceeded limit, time
//! and memory. One JSON file per failure; `outboard stage replay` makes the same calls again.

use super::counters::StageCounts;
use super::kind::{ComponentLabel, StageKind};
use super::recording::RecordedCall;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A failure of a stage, with what is needed to reproduce it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The version of the file's format: [`RECORDING_FORMAT`](super::recording::RECORDING_FORMAT).
    pub format: u32,
    /// The id under which it is stored; ids sort by time.
    pub id: String,
    /// When the call failed, Unix time in milliseconds.
    pub at_ms: u64,
    /// The tenant of the pipeline.
    pub tenant: String,
    /// The stream id of the pipeline.
    pub stream: String,
    /// The kind of stage.
    pub kind: StageKind,
    /// The component that failed.
    pub component: ComponentLabel,
    /// The component's settings, a JSON object as text; empty: the defaults.
    pub settings: String,
    /// The contract's function that failed.
    pub call: String,
    /// The error, in a sentence.
    pub error: String,
    /// Names of the functions on the stack if it trapped, innermost first; else empty.
    pub frames: Vec<String>,
    /// The limit that was exceeded, if one was.
    pub limit: Option<String>,
    /// How long the call took, in microseconds.
    pub took_us: u64,
    /// Memory of the instance, in bytes.
    pub memory_bytes: u64,
    /// Counts of the version's calls up to and including this one, by outcome.
    pub counts: StageCounts,
    /// The last snapshot before the call, as base64; `None`: it had no state.
    pub state: Option<String>,
    /// The last calls, oldest first; the last of them is the one that failed.
    pub calls: Vec<RecordedCall>,
}

impl Evidence {
    /// The bytes of the snapshot, decoded.
    ///
    /// # Errors
    /// A sentence if the text is not base64.
    pub fn state_bytes(&self) -> Result<Option<Vec<u8>>, String> {
        let decoded = self.state.as_ref().map(|text| STANDARD.decode(text)).transpose();
        decoded.map_err(|error| format!("state is not base64: {error}"))
    }
}

/// Produces the evidence when called. Deferred, because encoding takes longer than a stage's call; the sink calls it on its own
/// thread.
pub type LazyReport = Box<dyn FnOnce() -> Evidence + Send>;

/// Receives the reports of failed calls. The function must not block: it is called between two calls of a running stage.
#[derive(Clone)]
pub struct FailureSink(Arc<dyn Fn(LazyReport) + Send + Sync>);

impl FailureSink {
    /// A sink that passes each report to `take`.
    pub fn new(take: impl Fn(LazyReport) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    pub(super) fn report(&self, report: LazyReport) {
        (self.0)(report);
    }
}

impl Default for FailureSink {
    fn default() -> Self {
        // Reports are dropped.
        Self::new(drop)
    }
}

impl fmt::Debug for FailureSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailureSink")
    }
}
