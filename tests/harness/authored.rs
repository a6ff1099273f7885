//! Harness: stages in Rust, JavaScript and Python as users write them. `scripts/stages` builds them from the projects
//! of `outboard stage new`.
#![expect(clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use outboard::stage::{StageComponent, StageRuntime, StageRuntimeConfig};
use tokio::sync::Mutex;

/// The languages, as in the files' names.
pub const LANGUAGES: [&str; 3] = ["rust", "js", "python"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stages")
}

/// The file of a stage: `<language>-<kind>`, such as `js-batching` or `python-remux-planning`.
///
/// # Panics
/// If it was not built; the message says how to build it.
pub fn path(name: &str) -> PathBuf {
    let path = folder().join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing; run ./scripts/stages first", path.display());
    path
}

/// Whether a stage was built; those of docs/stages-from-wit.md are optional.
pub fn built(name: &str) -> bool {
    folder().join(format!("{name}.wasm")).is_file()
}

/// The runtime that the tests of one process share. It caches compiled code between runs: in a test build, JavaScript
/// and Python take a quarter of a minute each.
///
/// # Panics
/// If it cannot start.
pub fn runtime() -> &'static StageRuntime {
    static SHARED: LazyLock<StageRuntime> = LazyLock::new(|| {
        let config = StageRuntimeConfig { aot_dir: Some(folder().join("aot")), ..StageRuntimeConfig::default() };
        StageRuntime::new(&config).unwrap_or_else(|error| panic!("no stage runtime: {error}"))
    });
    &SHARED
}

/// A stage, loaded into the shared runtime; compiled once for all tests.
///
/// # Panics
/// If it is missing or refused.
pub async fn load(name: &str) -> Arc<StageComponent> {
    static KEPT: Mutex<Vec<Arc<StageComponent>>> = Mutex::const_new(Vec::new());
    let component = runtime().load_file(&path(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    KEPT.lock().await.push(Arc::clone(&component));
    component
}

/// Copies the compiled code of a stage into the storage of a host that is about to start, so that it need not compile.
///
/// # Panics
/// If the stage cannot be compiled, or the storage cannot be written.
pub async fn lend(storage: &Path, name: &str) {
    let prefix = format!("{}-", load(name).await.digest());
    let to = storage.join("aot");
    let link = || -> std::io::Result<usize> {
        std::fs::create_dir_all(&to)?;
        // The host only loads code that was authenticated with its key.
        std::fs::copy(folder().join("aot.key"), storage.join("outboard.key"))?;
        let mut lent = 0;
        for entry in std::fs::read_dir(folder().join("aot"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // The host never changes these files; it only replaces them.
                std::fs::hard_link(entry.path(), to.join(entry.file_name()))?;
                lent += 1;
            }
        }
        Ok(lent)
    };
    match link() {
        Ok(lent) => assert!(lent >= 2, "{name}: code and its MAC, not {lent} files"),
        Err(error) => panic!("{}: {error}", to.display()),
    }
}
