//! Calls of a kind of stage, as values: so that they can be kept, rehearsed, and made to another version.

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

/// A call that was made.
#[derive(Debug)]
pub(super) struct Taped<I> {
    pub(super) input: Arc<I>,
    pub(super) took: Duration,
}

impl<I> Clone for Taped<I> {
    fn clone(&self) -> Self {
        Self { input: Arc::clone(&self.input), took: self.took }
    }
}

/// A kind of stage, as a type.
pub(super) trait Kind: Send + Sync + Sized + 'static {
    const KIND: StageKind;
    /// Two versions that once answered differently stay apart: what follows depends on the answer.
    const DIVERGES: bool;
    type Guest: Send + Sync;
    /// What a call is given.
    type Input: fmt::Debug + Serialize + DeserializeOwned + Send + Sync;
    /// What it answers.
    type Output: fmt::Debug + Clone + PartialEq + Send + Sync;
    /// What the host knows of the calls before, to check answers by.
    type Books: Default + Send + Sync;

    /// Books that say "this is given next"; for calls that are made again.
    fn given(_books: &mut Self::Books, _input: &Self::Input) {}

    /// Books that say "this was answered".
    fn answered(_books: &mut Self::Books, _output: &Self::Output) {}

    /// What a version began, such as fragments that it sent, is ended by itself where the next one starts from nothing.
    const KEEPS_PREDECESSOR: bool = false;

    /// More inputs like those that were recorded: what a version decides of them is asked where too few were recorded.
    fn more(_recorded: &[Taped<Self::Input>]) -> Vec<Self::Input> {
        Vec::new()
    }

    /// Lengths of the batches that an answer decides, in microseconds of media. The books do not have the answer yet.
    fn batches_us(_books: &Self::Books, _output: &Self::Output) -> Vec<u64> {
        Vec::new()
    }

    /// Media that is in no batch yet, in microseconds.
    fn open_us(_books: &Self::Books) -> u64 {
        0
    }

    /// The contract's function.
    fn name(input: &Self::Input) -> &'static str;

    /// What an input takes in memory, roughly.
    fn bytes(input: &Self::Input) -> usize;

    /// Later calls make no sense without this one.
    fn is_opening(_input: &Self::Input) -> bool {
        false
    }

    /// A batch was decided by this.
    fn is_batch(input: &Self::Input, output: &Self::Output) -> bool;

    /// The kind's functions in an instance; `None` if the component is of another kind.
    fn find(
        indices: &KindIndices,
        store: &mut Store<Sandbox>,
        instance: &WasmInstance,
    ) -> Option<wasmtime::Result<Self::Guest>>;
}
