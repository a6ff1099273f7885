//! WebAssembly stages: the components that decide. wasmtime lives only here.
//!
//! From the bottom up: [`contract`] holds the types of `wit/`; the engine and its ticker, the sandbox that a guest runs
//! in and the cache of compiled code are private; [`StageRuntime`] loads components; [`BatchingStage`], [`FramingStage`]
//! and [`RemuxStage`] are one pipeline's instances. Each of their calls comes back with an answer, whatever the stage
//! does: its own, or the host's plain default with the reason ([`Answer`]). [`inspect`] is what `outboard stage` prints.
//!
//! Limits: memory, time, snapshot and answer sizes of a call, restarts in a row, instances, component size; see
//! [`crate::limits`] and [`StageLimits`].

pub mod contract;

mod error;
pub use error::{Limit, LoadError, RuntimeError, StageError};

// what runs guests
mod aot;
mod engine;
mod guest_log;
mod sandbox;
mod ticker;

// what is loaded
pub(crate) mod bundled;
mod compile;
mod component;
mod precheck;
mod runtime;
mod schema;
pub(crate) use bundled::is_bundled;
pub use compile::worker::{WorkerArgs, run as compile_component};
pub use compile::{Asker, ChildCompiler, Compiler, release};
pub use component::{ComponentLabel, Digest, StageComponent, StageKind};
pub use runtime::{StageRuntime, StageRuntimeConfig};

// one pipeline's instances
mod counters;
mod instance;
mod occupant;
mod seat;
pub use counters::{StageCounters, StageCounts};
pub use instance::StageLimits;
pub use seat::{Answer, FailurePolicy, Opening, StageLabels};

// another version in the same seat
pub mod evidence;
pub mod face;
pub mod rehearsal;
pub mod replay;
pub mod swap;
pub mod tape;

// the kinds
pub mod batching;
pub mod framing;
pub mod remux;
pub use batching::BatchingStage;
pub use framing::FramingStage;
pub use remux::RemuxStage;

pub mod inspect;

#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
#[cfg(any(test, feature = "fuzzing"))]
pub use precheck::fuzz::components as fuzz_components;
#[cfg(any(test, feature = "fuzzing"))]
pub use {batching::fuzz_cuts, framing::fuzz_messages, fuzz::snapshots as fuzz_snapshots, remux::fuzz_plans};
