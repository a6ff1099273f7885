//! The three kinds of stage as types, and their calls as values, which can be recorded, rehearsed and made to another version.

use super::component::KindIndices;
use super::kind::StageKind;
use super::sandbox::Sandbox;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::Instance as WasmInstance;

/// The input of a call, and how long the call took.
#[derive(Debug)]
pub(super) struct TimedCall<I> {
    pub(super) input: Arc<I>,
    pub(super) took: Duration,
}

impl<I> Clone for TimedCall<I> {
    fn clone(&self) -> Self {
        Self { input: Arc::clone(&self.input), took: self.took }
    }
}

/// A kind of stage as a type: one interface of the contract (`batching`, `framing`, `remux-planning`).
pub(super) trait StageInterface: Send + Sync + Sized + 'static {
    /// The same kind as a value.
    const KIND: StageKind;
    /// True: after two versions answered differently, their states differ, and later answers cannot be compared.
    const DIVERGES: bool;
    /// The interface's functions in an instance.
    type Guest: Send + Sync;
    /// A call of any of the interface's functions, with its arguments.
    type Input: fmt::Debug + Serialize + DeserializeOwned + Send + Sync;
    /// The answer to such a call.
    type Output: fmt::Debug + Clone + PartialEq + Send + Sync;
    /// What the host remembers of earlier calls, to check answers by the contract's rules.
    type CallHistory: Default + Send + Sync;

    /// Records the input of the next call; for calls that are made again.
    fn record_input(_history: &mut Self::CallHistory, _input: &Self::Input) {}

    /// Records the answer to the last input.
    fn record_output(_history: &mut Self::CallHistory, _output: &Self::Output) {}

    /// True: when a version takes over without state, the version before it is kept for the replies to what it sent.
    const KEEPS_PREDECESSOR: bool = false;

    /// Generates more inputs like the recorded ones, for a rehearsal that needs more than were recorded.
    fn more(_recorded: &[TimedCall<Self::Input>]) -> Vec<Self::Input> {
        Vec::new()
    }

    /// Lengths of the batches that an answer cuts, in microseconds of media. The history does not have the answer yet.
    fn batches_us(_history: &Self::CallHistory, _output: &Self::Output) -> Vec<u64> {
        Vec::new()
    }

    /// Media that is in no batch yet, in microseconds.
    fn open_us(_history: &Self::CallHistory) -> u64 {
        0
    }

    /// The name of the contract's function.
    fn name(input: &Self::Input) -> &'static str;

    /// Approximate size of an input in memory, in bytes.
    fn bytes(input: &Self::Input) -> usize;

    /// True for a call that later calls depend on, such as `on-connect`.
    fn is_opening(_input: &Self::Input) -> bool {
        false
    }

    /// True if the call decided a batch; probations count these.
    fn is_batch(input: &Self::Input, output: &Self::Output) -> bool;

    /// Looks up the interface's functions in an instance; `None` if the component is of another kind.
    fn find(
        indices: &KindIndices,
        store: &mut Store<Sandbox>,
        instance: &WasmInstance,
    ) -> Option<wasmtime::Result<Self::Guest>>;
}
