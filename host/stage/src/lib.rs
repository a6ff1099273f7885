//! WebAssembly stages: the components that decide. wasmtime lives only here.
//!
//! From the bottom up: [`contract`] holds the types of `wit/`; the engine and its ticker, the sandbox that a guest runs
//! in and the cache of compiled code are private; [`StageRuntime`] loads components; [`BatchingStage`], [`FramingStage`]
//! and [`RemuxStage`] are one pipeline's instances. Each of their calls comes back with an answer, whatever the stage
//! does: its own, or the host's plain default with the reason ([`Answer`]). [`inspect`] is what `outboard stage` prints.
//!
//! In: files of components, their settings, and what each call is to decide about. Out: decisions, and what the host must know of
//! whoever decided. Limits: memory, time, snapshot and answer sizes of a call, restarts in a row, instances, component size; see
//! [`limits`] and [`StageLimits`].
//!
//! Of ours it uses `outboard-process`, for the compiler of strangers' components, and `outboard-base`. It never knows what becomes
//! of an answer: no source, no socket, no media file, no database.

pub mod contract;
pub mod limits;

/// The version of wasmtime that this is built with, as Cargo.lock has it.
pub const WASMTIME_VERSION: &str = env!("WASMTIME_VERSION");

mod error;
pub use error::{Limit, LoadError, RuntimeError, StageError};

// what runs guests
mod aot;
mod engine;
mod guest_log;
mod sandbox;
mod ticker;

// what is loaded
pub mod bundled;
mod compile;
mod component;
mod kind;
mod precheck;
mod runtime;
mod schema;
pub use bundled::is_bundled;
pub use compile::worker::{WorkerArgs, run as compile_component};
pub use compile::{ChildCompiler, CompileRequester, Compiler, release};
pub use component::StageComponent;
pub use kind::{ComponentLabel, StageKind};
pub use outboard_base::Digest;
pub use runtime::{StageRuntime, StageRuntimeConfig};

// one pipeline's instances
mod call_recorder;
mod calls;
mod counters;
mod failure_evidence;
mod instance;
mod instance_host;
mod labels;
mod opening;
mod slot;
mod supervised_instance;
mod swappable;
pub use counters::{StageCounters, StageCounts};
pub use instance::StageLimits;
pub use labels::StageLabels;
pub use opening::{FailurePolicy, Opening};
pub use slot::Answer;

// another version in the same slot
pub mod evidence;
pub mod recording;
pub mod rehearsal;
pub mod replay;
pub mod slot_status;
pub mod swap;

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
