//! WebAssembly stages: the components that decide. Only this crate uses wasmtime.
//!
//! From the bottom up: [`contract`] has the types of `wit/`; the engine and its ticker, the sandbox of a guest and the cache of
//! compiled code are private; [`StageRuntime`] loads components; [`BatchingStage`], [`FramingStage`] and [`RemuxStage`] are the
//! stages of one pipeline. Each of their calls returns an [`Answer`], whatever the component does: its own, or the host's default
//! with the reason. [`swap`] replaces a version while the pipeline runs. [`inspect`] makes the reports of `outboard stage`.
//!
//! In: files of components, their settings, and the inputs of each call. Out: decisions, counts, and evidence of failures. Limits:
//! memory, time, snapshot and answer sizes of a call, restarts in a row, instances, component size; see [`limits`] and
//! [`StageLimits`].
//!
//! It uses the crates `outboard-process`, to compile untrusted components, and `outboard-base`. It never depends on what is done with
//! an answer: no source, no socket, no media file, no database.

pub mod contract;
pub mod limits;

/// The version of wasmtime in Cargo.lock.
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
