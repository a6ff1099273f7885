//! The stage runtime of one host: the engine, the loaded components, the instances that may run at once.

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

/// Longest settings schema, bytes.
const SCHEMA_BYTES_MAX: usize = 256 << 10;

/// Longest version, bytes.
const VERSION_BYTES_MAX: usize = 64;

/// How the runtime is set up.
#[derive(Debug, Clone)]
pub struct StageRuntimeConfig {
    /// Where compiled components are kept; absent: nowhere. The directory is made private (0700).
    pub aot_dir: Option<PathBuf>,
    /// The key that its entries are told by, made at first use; absent: `<directory>.key`.
    pub aot_key: Option<PathBuf>,
    /// Instances at once in the whole host.
    pub instances: u32,
    /// Largest component file, bytes.
    pub component_bytes: u64,
    /// Where components that do not come with the host are compiled.
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

/// Loads components and runs them. Clones share everything.
#[derive(Clone)]
pub struct StageRuntime(Arc<Inner>);

struct Inner {
    host: InstanceHost,
    linker: Linker<Sandbox>,
    pooled: bool,
    cache: Cache,
    component_bytes: u64,
    /// One compilation at a time in this process.
    compiling: tokio::sync::Mutex<()>,
    /// `None`: this process compiles what strangers made, too.
    untrusted: Option<UntrustedCompiler>,
    loaded: Mutex<HashMap<Digest, Weak<StageComponent>>>,
}

impl StageRuntime {
    /// Sets the runtime up.
    ///
    /// # Errors
    /// [`RuntimeError`] if the engine or its ticker cannot start.
    pub fn new(config: &StageRuntimeConfig) -> Result<Self, RuntimeError> {
        let (engine, pooled) = engine::build(config.instances)?;
        Self::assemble(engine, pooled, config)
    }

    /// As the process has it that compiles for a runtime with a pool, or without.
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

    /// Whether instances come from a pool; false where address space is scarce.
    pub fn is_pooled(&self) -> bool {
        self.0.pooled
    }

    /// Instances that could still be started.
    pub fn instances_free(&self) -> usize {
        self.0.host.instances.available_permits()
    }

    /// The default stage of a kind: the one that is used where none is chosen.
    ///
    /// # Errors
    /// [`LoadError`]; only of the host's report.
    pub async fn bundled(&self, kind: StageKind) -> Result<Arc<StageComponent>, LoadError> {
        let (_, wasm) = bundled::default_of(kind);
        self.load(wasm).await
    }

    /// All stages of a kind that come with the host, the default first.
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

    /// Loads a component from a file, for the host itself.
    ///
    /// # Errors
    /// [`LoadError`]: unreadable, or as with [`load_for`](Self::load_for).
    pub async fn load_file(&self, path: &Path) -> Result<Arc<StageComponent>, LoadError> {
        self.load_file_for(path, &CompileRequester::default()).await
    }

    /// Loads a component from a file.
    ///
    /// # Errors
    /// As with [`load_file`](Self::load_file).
    pub async fn load_file_for(
        &self,
        path: &Path,
        requester: &CompileRequester,
    ) -> Result<Arc<StageComponent>, LoadError> {
        let wasm = read(path, self.0.component_bytes).await?;
        self.load_for(wasm, requester).await
    }

    /// Loads a component for the host itself.
    ///
    /// # Errors
    /// As with [`load_for`](Self::load_for).
    pub async fn load(&self, wasm: impl Into<bytes::Bytes>) -> Result<Arc<StageComponent>, LoadError> {
        self.load_for(wasm, &CompileRequester::default()).await
    }

    /// Loads a component: checks it against the contract, takes its code from the cache or compiles it, asks it to
    /// describe itself. The same file is loaded once as long as anything uses it. Dropping the future ends the compilation.
    ///
    /// # Errors
    /// [`LoadError`]: too large, no component, forbidden imports, not exactly one world of the contract, a trap or limit
    /// in `describe`, or a limit of its compilation.
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

    /// Has a file compiled again that ended its compiler. False: there is nothing against it.
    pub async fn release(&self, digest: &str) -> bool {
        match &self.0.untrusted {
            Some(untrusted) => untrusted.release(digest).await,
            None => false,
        }
    }

    /// Tells engines apart whose code does not fit each other.
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

    /// Compiles, checks and links a component on this thread.
    pub(super) fn compile_here(&self, wasm: &[u8]) -> Result<(Vec<u8>, Linked), LoadError> {
        let failed = |error: wasmtime::Error| LoadError::Compile(format!("{error:#}"));
        let code = self.0.host.engine.precompile_component(wasm).map_err(failed)?;
        let component = aot::deserialize(&self.0.host.engine, &code).map_err(failed)?;
        let (_, linked) = self.link(&component)?;
        Ok((code, linked))
    }

    /// A component's first call.
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

    /// Compiles apart from live media. What comes with the host is compiled here, what strangers made is looked at first and
    /// then compiled in a process of its own. Loading others that are in the cache does not wait for it.
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

    /// One component at a time, on a thread of its own with low priority.
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
            // If nobody waits any more, the code is in the cache all the same.
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

/// Reads a component's file, but not more than a component may have.
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

/// Lets everything else on this machine go before the calling thread.
pub(super) fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        const NICE: libc::c_int = 10;
        #[expect(unsafe_code, reason = "a C function without a safe wrapper")]
        // SAFETY: it takes numbers only; on Linux, 0 stands for the calling thread. Failing changes nothing.
        let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    }
}

/// Tells a component from a core module by the first eight bytes.
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
