//! Compiles untrusted components (all that are not bundled), each in a short-lived process of its own.
//!
//! In: a component's bytes, and who requests it. Out: its compiled code, or why there is none. An attack on the compiler affects
//! only that process: it has limits of CPU, memory and time, no environment, no network and no files. If it ends early, the
//! component is refused with the limit that was reached. The first call of the component, `describe`, is made there too.
//!
//! [`queue`] orders the requests, [`quarantine`] remembers files that must not be tried again, [`child`] runs the process and
//! [`worker`] is the code inside it.

mod child;
mod quarantine;
mod queue;
pub(crate) mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

pub use self::queue::CompileRequester;

use self::child::CompileFailure;
use self::quarantine::Quarantine;
use self::queue::CompileQueue;
use super::error::LoadError;
use crate::limits::{
    STAGE_COMPILE_BYTES, STAGE_COMPILE_CPU, STAGE_COMPILE_GRACE, STAGE_COMPILES_AT_ONCE, STAGE_COMPILES_WAITING_MAX,
};
use outboard_base::Digest;

/// Where untrusted components (all that are not bundled) are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// In this process. For tests, whose program has no compile command.
    #[default]
    InProcess,
    /// In a separate process for each component.
    Child(ChildCompiler),
}

/// How the compiling process is started, and its limits.
#[derive(Debug, Clone)]
pub struct ChildCompiler {
    /// Path of the `outboard` program.
    pub program: PathBuf,
    /// Limit of processor time (`limits.compile_seconds`).
    pub cpu: Duration,
    /// Limit of memory that it writes to, in bytes (`limits.compile_memory`).
    pub memory_bytes: u64,
    /// Wall-clock time that it may take in addition to `cpu`.
    pub grace: Duration,
}

impl Default for ChildCompiler {
    /// The program of this process, with the default limits.
    fn default() -> Self {
        Self {
            program: own_program(),
            cpu: STAGE_COMPILE_CPU,
            memory_bytes: STAGE_COMPILE_BYTES,
            grace: STAGE_COMPILE_GRACE,
        }
    }
}

impl ChildCompiler {
    /// Limit of processor time in whole seconds, rounded up, as the system takes it.
    pub(super) fn cpu_seconds(&self) -> u64 {
        self.cpu.as_secs() + u64::from(self.cpu.subsec_nanos() > 0)
    }

    /// Limit of wall-clock time.
    pub(super) fn wall_clock(&self) -> Duration {
        self.cpu + self.grace
    }
}

/// The program of this process, even if its file was replaced since: both processes must have the same engine.
fn own_program() -> PathBuf {
    let running = Path::new("/proc/self/exe");
    if running.exists() { running.to_owned() } else { std::env::current_exe().unwrap_or_else(|_| running.to_owned()) }
}

/// Compiles untrusted components, with a fair share for each tenant.
#[derive(Debug)]
pub(super) struct UntrustedCompiler {
    compiler: ChildCompiler,
    queue: CompileQueue,
    quarantine: Quarantine,
}

// === impl UntrustedCompiler ===

impl UntrustedCompiler {
    /// `aot_dir`: the cache folder, which also has the quarantine; `None`: the quarantine is not kept.
    pub(super) fn new(compiler: ChildCompiler, aot_dir: Option<&Path>) -> Self {
        let queue = CompileQueue::new(STAGE_COMPILES_AT_ONCE, STAGE_COMPILES_WAITING_MAX);
        Self { compiler, queue, quarantine: Quarantine::new(aot_dir) }
    }

    /// Waits in the queue and compiles. Dropping the future leaves the queue and ends the process. `found`: looks for the code again
    /// after the wait, as another request may have compiled it. `made`: loads the new code. `engine` and `pooled`: the engine that the
    /// code is for.
    ///
    /// # Errors
    /// [`LoadError`]: the file is quarantined or refused, the process ended early, or too many requests of the tenant wait.
    pub(super) async fn compile<T>(
        &self,
        (digest, wasm): (Digest, Bytes),
        requester: &CompileRequester,
        (engine, pooled): (&str, bool),
        found: impl AsyncFnOnce() -> Result<Option<T>, LoadError>,
        made: impl AsyncFnOnce(Vec<u8>) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        self.quarantine.check(&digest, engine, &self.compiler).await?;
        let _slot = self.queue.take(requester).await?;
        // Another request may have tried the same file meanwhile.
        self.quarantine.check(&digest, engine, &self.compiler).await?;
        if let Some(found) = found().await? {
            return Ok(found);
        }
        match child::compile(&self.compiler, wasm, (engine, pooled)).await {
            Ok(code) => made(code).await,
            Err(CompileFailure::Refused(refusal)) => Err(refusal),
            Err(CompileFailure::Unable(reason)) => Err(LoadError::Unavailable(reason)),
            Err(CompileFailure::Broke(reason)) => {
                tracing::warn!(%digest, tenant = requester.tenant, reason, "a component ended its compiler; it is not tried again");
                self.quarantine.keep(&digest, engine, &reason, &self.compiler).await;
                Err(LoadError::Broke(reason))
            }
        }
    }

    /// Removes a file from the quarantine. False: it was not in it.
    pub(super) async fn release(&self, digest: &str) -> bool {
        self.quarantine.release(digest).await
    }
}

/// Removes a file from the quarantine of a storage, whether its server runs or not. `digest`: `sha256:` and 64 hexadecimal digits.
/// False: it was not in the quarantine.
pub async fn release(aot_dir: &Path, digest: &str) -> bool {
    Quarantine::new(Some(aot_dir)).release(digest).await
}
