//! The stage runtime of one host: the engine, the loaded components, and the limit of instances.

use super::aot::{self, Cache};
use super::bundled;
use super::compile::{CompileRequester, Compiler, UntrustedCompiler};
use super::component::{self, Facts, Linked, StageComponent};
use super::contract;
use super::engine;
use super::error::{LoadError, RuntimeError, StageError};
use super::guest_log::GuestLog;
use super::instance::{self, StageLimits};
use super::instance_host::InstanceHost;
use super::kind::StageKind;
use super::labels::StageLabels;
use super::precheck;
use super::sandbox::{self, Sandbox};
use super::schema;
use super::ticker::Ticker;
use crate::limits::{
    STAGE_COMPONENT_BYTES_MAX, STAGE_INSTANCES_DEFAULT, STAGE_SLOW_CALLS_A_CORE, STAGE_TEXT_CHARS_MAX,
};
use outboard_base::Digest;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Semaphore, oneshot};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// Largest settings schema of a component, bytes.
const SCHEMA_BYTES_MAX: usize = 256 << 10;

/// Longest version text of a component, bytes.
const VERSION_BYTES_MAX: usize = 64;

/// The configuration of the runtime.
#[derive(Debug, Clone)]
pub struct StageRuntimeConfig {
    /// The directory of the cache of compiled components, made private (0700); `None`: no cache.
    pub aot_dir: Option<PathBuf>,
    /// The file of the key that authenticates cache entries, created at first use; `None`: `<directory>.key`.
    pub aot_key: Option<PathBuf>,
    /// Most instances at once in the whole host.
    pub instances: u32,
    /// Largest component file, bytes.
    pub component_bytes: u64,
    /// Where untrusted components are compiled.
    pub compiler: Compiler,
}

impl Default for StageRuntimeConfig {
    fn default() -> Self {
        Self {
            aot_dir: None,
            aot_key: None,
            instances: STAGE_INSTANCES_DEFAULT,
            component_bytes: STAGE_COMPONENT_BYTES_MAX,
            compiler: Compiler::default(),
        }
    }
}

/// Loads components and runs their instances. Clones share everything.
#[derive(Clone)]
pub struct StageRuntime(Arc<Inner>);

struct Inner {
    host: InstanceHost,
    linker: Linker<Sandbox>,
    pooled: bool,
    cache: Cache,
    component_bytes: u64,
    /// Held by the compilation that runs in this process: one at a time.
    compiling: tokio::sync::Mutex<()>,
    /// `None`: untrusted components are compiled in this process too.
    untrusted: Option<UntrustedCompiler>,
    loaded: Mutex<HashMap<Digest, Weak<StageComponent>>>,
}

impl StageRuntime {
    /// Sets up the engine, the cache and the ticker.
    ///
    /// # Errors
    /// [`RuntimeError`] if the engine or the ticker cannot start.
    pub fn new(config: &StageRuntimeConfig) -> Result<Self, RuntimeError> {
        let (engine, pooled) = engine::build(config.instances)?;
        Self::assemble(engine, pooled, config)
    }

    /// The runtime of the compiling process. `pooled`: whether the runtime that the code is for has a pool of instances.
    pub(super) fn in_worker(pooled: bool) -> Result<Self, RuntimeError> {
        let config = StageRuntimeConfig { instances: 1, ..StageRuntimeConfig::default() };
        Self::assemble(engine::for_compiling(pooled)?, false, &config)
    }

    fn assemble(engine: Engine, pooled: bool, config: &StageRuntimeConfig) -> Result<Self, RuntimeError> {
        let aot_dir = config.aot_dir.as_deref();
        let linker = sandbox::linker(&engine).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self(Arc::new(Inner {
            linker,
            pooled,
            cache: Cache::open(aot_dir, config.aot_key.as_deref(), &engine),
            component_bytes: config.component_bytes,
            compiling: tokio::sync::Mutex::new(()),
            untrusted: match &config.compiler {
                Compiler::InProcess => None,
                Compiler::Child(child) => Some(UntrustedCompiler::new(child.clone(), aot_dir)),
            },
            loaded: Mutex::default(),
            host: InstanceHost {
                ticker: Ticker::start(engine.weak()).map_err(RuntimeError::Ticker)?,
                instances: Arc::new(Semaphore::new(config.instances as usize)),
                instances_max: config.instances,
                slow_calls: Arc::new(Semaphore::new(cores * STAGE_SLOW_CALLS_A_CORE)),
                engine,
            },
        })))
    }

    /// True if instances come from a pool; false if there was not enough address space for one.
    pub fn is_pooled(&self) -> bool {
        self.0.pooled
    }

    /// How many more instances can be started now.
    pub fn instances_free(&self) -> usize {
        self.0.host.instances.available_permits()
    }

    /// Loads the bundled stage that is the default of a kind.
    ///
    /// # Errors
    /// [`LoadError`]; only of the host's report.
    pub async fn bundled(&self, kind: StageKind) -> Result<Arc<StageComponent>, LoadError> {
        let (_, wasm) = bundled::default_of(kind);
        self.load(wasm).await
    }

    /// Loads all bundled stages of a kind, the default first.
    ///
    /// # Errors
    /// [`LoadError`] of each; only of the host's report.
    pub async fn all_bundled(&self, kind: StageKind) -> Vec<Result<Arc<StageComponent>, LoadError>> {
        let mut all = Vec::new();
        for (_, wasm) in bundled::of_kind(kind) {
            all.push(self.load(wasm).await);
        }
        all
    }

    /// Loads a component from a file on behalf of the host itself.
    ///
    /// # Errors
    /// [`LoadError`] if the file cannot be read, and those of [`load_for`](Self::load_for).
    pub async fn load_file(&self, path: &Path) -> Result<Arc<StageComponent>, LoadError> {
        self.load_file_for(path, &CompileRequester::default()).await
    }

    /// Loads a component from a file on behalf of `requester`.
    ///
    /// # Errors
    /// Those of [`load_file`](Self::load_file).
    pub async fn load_file_for(
        &self,
        path: &Path,
        requester: &CompileRequester,
    ) -> Result<Arc<StageComponent>, LoadError> {
        let wasm = read(path, self.0.component_bytes).await?;
        self.load_for(wasm, requester).await
    }

    /// Loads a component on behalf of the host itself.
    ///
    /// # Errors
    /// Those of [`load_for`](Self::load_for).
    pub async fn load(&self, wasm: impl Into<bytes::Bytes>) -> Result<Arc<StageComponent>, LoadError> {
        self.load_for(wasm, &CompileRequester::default()).await
    }

    /// Loads a component: gets its code from the cache or compiles it, checks it against the contract, and calls `describe`.
    /// A component that is in use already is not loaded again. Dropping the future ends the compilation.
    ///
    /// # Errors
    /// [`LoadError`]: the file is too large, is no component, has forbidden imports or not exactly one world of the contract,
    /// `describe` failed, or the compilation reached a limit.
    pub async fn load_for(
        &self,
        wasm: impl Into<bytes::Bytes>,
        requester: &CompileRequester,
    ) -> Result<Arc<StageComponent>, LoadError> {
        let wasm: bytes::Bytes = wasm.into();
        let (size, limit) = (wasm.len() as u64, self.0.component_bytes);
        if size > limit {
            return Err(LoadError::TooLarge { size, limit });
        }
        check_header(&wasm).map_err(LoadError::NotAComponent)?;
        let digest = blocking({
            let wasm = wasm.clone();
            move || Digest::of(&wasm)
        })
        .await?;
        if let Some(component) = self.loaded(&digest) {
            return Ok(component);
        }
        let component = Arc::new(self.prepare(digest, wasm, requester).await?);
        let mut loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, component| component.strong_count() > 0);
        loaded.insert(digest, Arc::downgrade(&component));
        Ok(component)
    }

    pub(super) fn host(&self) -> &InstanceHost {
        &self.0.host
    }

    fn loaded(&self, digest: &Digest) -> Option<Arc<StageComponent>> {
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(digest).and_then(Weak::upgrade)
    }

    /// Removes a component from the quarantine. False: it was not in it.
    pub async fn release(&self, digest: &str) -> bool {
        match &self.0.untrusted {
            Some(untrusted) => untrusted.release(digest).await,
            None => false,
        }
    }

    /// The key of the engine, which differs between engines that cannot run each other's code.
    pub(super) fn engine_name(&self) -> &str {
        self.0.cache.engine()
    }

    async fn prepare(
        &self,
        digest: Digest,
        wasm: bytes::Bytes,
        requester: &CompileRequester,
    ) -> Result<StageComponent, LoadError> {
        let size = wasm.len() as u64;
        let code = match self.cached(digest).await? {
            Some(code) => code,
            None => self.compile(digest, wasm, requester).await?,
        };
        let (facts, linked) = self.link(&code)?;
        let description = self.describe(digest, &linked).await?;
        tracing::debug!(%digest, name = %description.name, "stage loaded");
        Ok(StageComponent::new(digest, size, facts, description, linked))
    }

    fn link(&self, code: &Component) -> Result<(Facts, Linked), LoadError> {
        let facts = Facts::of(code);
        let linked = component::link(&self.0.linker, code, &facts)?;
        Ok((facts, linked))
    }

    /// Compiles, checks and links a component. Blocks the thread.
    pub(super) fn compile_here(&self, wasm: &[u8]) -> Result<(Vec<u8>, Linked), LoadError> {
        let failed = |error: wasmtime::Error| LoadError::Compile(format!("{error:#}"));
        let code = self.0.host.engine.precompile_component(wasm).map_err(failed)?;
        let component = aot::deserialize(&self.0.host.engine, &code).map_err(failed)?;
        let (_, linked) = self.link(&component)?;
        Ok((code, linked))
    }

    /// Makes a component's first call, `describe`, and checks the answer.
    pub(super) async fn describe(&self, digest: Digest, linked: &Linked) -> Result<contract::Description, LoadError> {
        let log = GuestLog::new(StageLabels::default(), digest.to_string());
        let mut instance = instance::start(self.host(), linked, StageLimits::default(), log).await?.checked(linked)?;
        let description = instance.describe(self.host()).await?;
        check_description(&description).map_err(|reason| StageError::Invalid { call: "describe", reason })?;
        Ok(description)
    }

    async fn cached(&self, digest: Digest) -> Result<Option<Component>, LoadError> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.cache.find(&inner.host.engine, &digest)).await
    }

    /// Compiles a component: a bundled one in this process, an untrusted one in a separate process, after cheap checks of the file.
    /// Loading components that are in the cache does not wait for it.
    async fn compile(
        &self,
        digest: Digest,
        wasm: bytes::Bytes,
        requester: &CompileRequester,
    ) -> Result<Component, LoadError> {
        if bundled::is_bundled(&format!("sha256:{digest}")) {
            return self.compile_in_process(digest, wasm).await;
        }
        let looked_at = wasm.clone();
        blocking(move || precheck::check(&looked_at)).await?.map_err(LoadError::Unfit)?;
        let Some(untrusted) = &self.0.untrusted else { return self.compile_in_process(digest, wasm).await };
        let keep = async |code: Vec<u8>| {
            let inner = Arc::clone(&self.0);
            let kept = blocking(move || inner.cache.keep(&inner.host.engine, &digest, &code)).await?;
            kept.map_err(|error| LoadError::Compile(format!("{error:#}")))
        };
        let engine = (self.engine_name(), self.0.pooled);
        untrusted.compile((digest, wasm), requester, engine, async || self.cached(digest).await, keep).await
    }

    /// Compiles in this process, one component at a time, on a separate thread with low priority.
    async fn compile_in_process(&self, digest: Digest, wasm: bytes::Bytes) -> Result<Component, LoadError> {
        let _one_at_a_time = self.0.compiling.lock().await;
        if let Some(code) = self.cached(digest).await? {
            return Ok(code);
        }
        let inner = Arc::clone(&self.0);
        let (done, result) = oneshot::channel();
        let span = tracing::Span::current();
        let work = move || {
            let _span = span.enter();
            lower_priority();
            // If the caller is gone, the code is in the cache nevertheless.
            let _ = done.send(inner.cache.compile(&inner.host.engine, &digest, &wasm));
        };
        let spawned = std::thread::Builder::new().name("stage-compile".to_owned()).spawn(work);
        spawned.map_err(|error| LoadError::Compile(error.to_string()))?;
        match result.await {
            Ok(compiled) => compiled.map_err(|error| LoadError::Compile(format!("{error:#}"))),
            Err(_) => Err(LoadError::Compile("the compiler panicked".to_owned())),
        }
    }
}

impl fmt::Debug for StageRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageRuntime").field("pooled", &self.0.pooled).finish_non_exhaustive()
    }
}

/// Reads a component's file of at most `limit` bytes.
async fn read(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > limit {
        return Err(LoadError::TooLarge { size, limit });
    }
    tokio::fs::read(path).await.map_err(unreadable)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LoadError> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
        .await
        .map_err(|error| LoadError::Compile(error.to_string()))
}

/// Gives the calling thread a low priority, below live media and everything else on the machine.
pub(super) fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        const NICE: libc::c_int = 10;
        #[expect(unsafe_code, reason = "a C function without a safe wrapper")]
        // SAFETY: it takes numbers only; on Linux, 0 stands for the calling thread. Failing changes nothing.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    }
}

/// Checks by the first eight bytes that a file is a component, not a core module.
fn check_header(wasm: &[u8]) -> Result<(), String> {
    match wasm.get(..8) {
        Some([b'\0', b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([b'\0', b'a', b's', b'm', 1, 0, 0, 0]) => {
            Err("it is a core module; build it for wasm32-wasip2, or make a component of it".to_owned())
        }
        _ => Err("it does not begin like one".to_owned()),
    }
}

fn check_description(description: &contract::Description) -> Result<(), String> {
    let contract::Description { name, version, summary, settings_schema } = description;
    let well_named = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !well_named {
        return Err("its name is not 1 to 64 lower-case letters, digits and hyphens".to_owned());
    }
    if version.len() > VERSION_BYTES_MAX || semver::Version::parse(version).is_err() {
        let shown: String = version.chars().filter(|c| !c.is_control()).take(VERSION_BYTES_MAX).collect();
        return Err(format!(
            "its version {shown:?} is not a semantic version of at most {VERSION_BYTES_MAX} characters, such as 1.0.0"
        ));
    }
    if summary.chars().count() > STAGE_TEXT_CHARS_MAX || summary.chars().any(char::is_control) {
        return Err(format!("its summary is not one line of at most {STAGE_TEXT_CHARS_MAX} characters"));
    }
    if settings_schema.len() > SCHEMA_BYTES_MAX {
        return Err(format!("its settings schema has {} bytes, more than {SCHEMA_BYTES_MAX}", settings_schema.len()));
    }
    match serde_json::from_str(settings_schema) {
        Ok(schema) => schema::check(&schema).map_err(|wrong| format!("its settings schema: {wrong}")),
        Err(error) => Err(format!("its settings schema is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_components_from_modules() {
        assert!(check_header(b"\0asm\x0d\0\x01\0rest").is_ok());
        assert!(check_header(b"\0asm\x01\0\0\0rest").unwrap_err().contains("core module"));
        for other in [b"".as_slice(), b"\0asm", b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01\0\0"] {
            assert!(check_header(other).is_err());
        }
    }

    #[test]
    fn descriptions_are_checked() {
        let good = contract::Description {
            name: "a-1".into(),
            version: "0.1.0".into(),
            summary: "Does it".into(),
            settings_schema: "{}".into(),
        };
        assert_eq!(check_description(&good), Ok(()));
        let wrong = [
            contract::Description { name: String::new(), ..good.clone() },
            contract::Description { name: "A B".into(), ..good.clone() },
            contract::Description { version: "\n".into(), ..good.clone() },
            contract::Description { version: "1.0".into(), ..good.clone() },
            contract::Description { version: "v1.0.0".into(), ..good.clone() },
            contract::Description { version: "latest".into(), ..good.clone() },
            contract::Description { version: format!("1.0.0-{}", "a".repeat(64)), ..good.clone() },
            contract::Description { settings_schema: r#"{"type":"text"}"#.into(), ..good.clone() },
            contract::Description { summary: "two\nlines".into(), ..good.clone() },
            contract::Description { settings_schema: "[]".into(), ..good.clone() },
            contract::Description { settings_schema: "{".into(), ..good.clone() },
            contract::Description { settings_schema: " ".repeat(SCHEMA_BYTES_MAX + 1), ..good.clone() },
        ];
        for description in wrong {
            assert!(check_description(&description).is_err(), "{description:?}");
        }
        for version in ["1.0.0", "0.1.0-rc.1+build.5", "10.20.30"] {
            assert_eq!(check_description(&contract::Description { version: version.into(), ..good.clone() }), Ok(()));
        }
    }
}
