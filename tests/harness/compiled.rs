//! The bundled stages, compiled once for all hosts of a test run, so that other tests do not wait for the compiler. A
//! storage folder gets the cache of compiled stages and the key that authenticates its entries, as if a host had run
//! there.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use outboard::stage::{StageKind, StageRuntime, StageRuntimeConfig};
use tempfile::TempDir;

/// Name of the cache in a storage folder.
const CACHE: &str = "aot";
/// Name of the key file in a storage folder.
const KEY: &str = "outboard.key";

/// Copies the compiled stages into a storage folder that no host has used yet.
pub fn put_into(storage: &Path) {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    if storage.join(KEY).exists() || storage.join(CACHE).exists() {
        return;
    }
    let made = MADE.get_or_init(made).path();
    fs::create_dir_all(storage.join(CACHE)).unwrap();
    fs::copy(made.join(KEY), storage.join(KEY)).unwrap();
    for entry in fs::read_dir(made.join(CACHE)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), storage.join(CACHE).join(entry.file_name())).unwrap();
    }
}

fn made() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = StageRuntimeConfig {
        aot_dir: Some(dir.path().join(CACHE)),
        aot_key: Some(dir.path().join(KEY)),
        ..StageRuntimeConfig::default()
    };
    let compile = move || {
        let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let stages = StageRuntime::new(&config).unwrap();
        for kind in StageKind::ALL {
            for loaded in threads.block_on(stages.all_bundled(kind)) {
                loaded.unwrap();
            }
        }
    };
    // On a separate thread, because the first caller may be inside a runtime.
    std::thread::spawn(compile).join().unwrap();
    dir
}
