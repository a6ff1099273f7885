//! Recorded calls as files: what people download, replay and test their own stage with; the calls of an evidence bundle.

use super::calls::{StageInterface, TimedCall};
use super::kind::{ComponentLabel, StageKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// The version of the format of [`Recording`] and of [`Evidence`](super::evidence::Evidence).
pub const RECORDING_FORMAT: u32 = 1;

/// The last calls of a stage, as a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// The version of the file's format: [`RECORDING_FORMAT`].
    pub format: u32,
    /// The kind of stage that was called.
    pub kind: StageKind,
    /// The component that the calls were made to.
    pub component: ComponentLabel,
    /// The component's settings, a JSON object as text; empty: the defaults.
    pub settings: String,
    /// The calls, oldest first.
    pub calls: Vec<RecordedCall>,
}

/// A call in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCall {
    /// The contract's function that was called.
    pub call: String,
    /// Its arguments, under the contract's names.
    pub input: Value,
    /// How long the call took, in microseconds.
    pub took_us: u64,
}

/// Converts calls to their form in files.
pub(super) fn to_recorded<K: StageInterface>(calls: &[TimedCall<K::Input>]) -> Vec<RecordedCall> {
    let one = |call: &TimedCall<K::Input>| RecordedCall {
        call: K::name(&call.input).to_owned(),
        input: serde_json::to_value(&*call.input).unwrap_or_default(),
        took_us: u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX),
    };
    calls.iter().map(one).collect()
}

/// Reads the inputs of calls from a file.
///
/// # Errors
/// A sentence that names the first call whose input does not fit the kind.
pub(super) fn read_inputs<K: StageInterface>(calls: &[RecordedCall]) -> Result<Vec<Arc<K::Input>>, String> {
    let one = |(n, call): (usize, &RecordedCall)| {
        let input = serde_json::from_value(call.input.clone());
        input.map(Arc::new).map_err(|error| format!("calls[{n}].input is no input of a {} stage: {error}", K::KIND))
    };
    calls.iter().enumerate().map(one).collect()
}
