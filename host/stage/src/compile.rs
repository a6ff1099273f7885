//! Who compiles a component that does not come with the host: a short-lived process of its own.
//!
//! In: a component's bytes, and for whom. Out: its compiled code, or why there is none. Whatever the file does to a compiler,
//! it does it there: the process has limits of CPU, memory and time, no environment, no network and no files, and its end is a
//! refusal that says which limit it reached. The first run of the stranger's code, `describe`, is there too.
//!
//! Who is next is in [`turns`], which files are not tried again in [`quarantine`], the process as its parent sees it in
//! [`child`] and from inside in [`worker`].

mod child;
mod quarantine;
mod turns;
pub(crate) mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

pub use self::turns::Asker;

use self::child::Ended;
use self::quarantine::Quarantine;
use self::turns::Turns;
use super::error::LoadError;
use crate::limits::{
    STAGE_COMPILE_BYTES, STAGE_COMPILE_CPU, STAGE_COMPILE_GRACE, STAGE_COMPILES_AT_ONCE, STAGE_COMPILES_WAITING_MAX,
};
use outboard_base::Digest;

/// Where components that do not come with the host are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// In this process: for tests, whose process is not `outboard`.
    #[default]
    InProcess,
    /// In a process of its own for each.
    Child(ChildCompiler),
}

/// How the process is started and what it may use.
#[derive(Debug, Clone)]
pub struct ChildCompiler {
    /// `outboard`.
    pub program: PathBuf,
    /// Time of execution (`limits.compile_seconds`).
    pub cpu: Duration,
    /// Memory that it may write to, bytes (`limits.compile_memory`).
    pub memory_bytes: u64,
    /// So much longer than `cpu` it may take from start to end.
    pub grace: Duration,
}

impl Default for ChildCompiler {
    /// The program that this process runs, with the usual limits.
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
    /// Time of execution as the system counts it, whole seconds.
    pub(super) fn cpu_seconds(&self) -> u64 {
        self.cpu.as_secs() + u64::from(self.cpu.subsec_nanos() > 0)
    }

    /// Time from start to end.
    pub(super) fn wall_clock(&self) -> Duration {
        self.cpu + self.grace
    }
}

/// This program as it was started, also where a newer one lies in its place by now: the engine must be the same.
fn own_program() -> PathBuf {
    let running = Path::new("/proc/self/exe");
    if running.exists() { running.to_owned() } else { std::env::current_exe().unwrap_or_else(|_| running.to_owned()) }
}

/// Compiles strangers' components, one tenant as well as the other.
#[derive(Debug)]
pub(super) struct Strangers {
    compiler: ChildCompiler,
    turns: Turns,
    quarantine: Quarantine,
}

// === impl Strangers ===

impl Strangers {
    /// `aot_dir`: below it is kept which files are not tried again; without one that is forgotten.
    pub(super) fn new(compiler: ChildCompiler, aot_dir: Option<&Path>) -> Self {
        let turns = Turns::new(STAGE_COMPILES_AT_ONCE, STAGE_COMPILES_WAITING_MAX);
        Self { compiler, turns, quarantine: Quarantine::new(aot_dir) }
    }

    /// Waits for the asker's turn and compiles. Dropping the future gives the place up and ends the process. `found`: what
    /// somebody else had compiled when the turn came. `pooled`: as with the engine that the code is for, `engine`.
    ///
    /// # Errors
    /// [`LoadError`]: the file is quarantined, it ended the process or its limits did, it is refused, too many wait.
    pub(super) async fn compile<T>(
        &self,
        (digest, wasm): (Digest, Bytes),
        asker: &Asker,
        (engine, pooled): (&str, bool),
        found: impl AsyncFnOnce() -> Result<Option<T>, LoadError>,
        made: impl AsyncFnOnce(Vec<u8>) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        self.quarantine.check(&digest, engine, &self.compiler).await?;
        let _turn = self.turns.take(asker).await?;
        // Meanwhile another may have had the same file.
        self.quarantine.check(&digest, engine, &self.compiler).await?;
        if let Some(found) = found().await? {
            return Ok(found);
        }
        match child::compile(&self.compiler, wasm, (engine, pooled)).await {
            Ok(code) => made(code).await,
            Err(Ended::Refused(refusal)) => Err(refusal),
            Err(Ended::Unable(reason)) => Err(LoadError::Unavailable(reason)),
            Err(Ended::Broke(reason)) => {
                tracing::warn!(%digest, tenant = asker.tenant, reason, "a component ended its compiler; it is not tried again");
                self.quarantine.keep(&digest, engine, &reason, &self.compiler).await;
                Err(LoadError::Broke(reason))
            }
        }
    }

    /// Has a file tried again. False: it was not quarantined.
    pub(super) async fn release(&self, digest: &str) -> bool {
        self.quarantine.release(digest).await
    }
}

/// Has a file tried again by the server of a storage, whether it runs or not. `digest`: `sha256:` and 64 hexadecimal digits.
/// False: it was not quarantined.
pub async fn release(aot_dir: &Path, digest: &str) -> bool {
    Quarantine::new(Some(aot_dir)).release(digest).await
}
