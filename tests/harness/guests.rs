//! Harness: the faulty guests that `scripts/components --guests` builds.
#![expect(clippy::panic, reason = "a harness that cannot do its part fails the test")]

use outboard::stage::{Opening, StageComponent, StageLabels, StageLimits, StageRuntime, StageRuntimeConfig};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Mutex;

/// The file of a guest.
///
/// # Panics
/// If it was not built; the message says how to build it.
pub fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/dist").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing; run ./scripts/components --guests first", path.display());
    path
}

/// The file of a bundled component.
///
/// # Panics
/// If it was not built; the message says how to build it.
pub fn bundled_file(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/dist");
    let path = root.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing; run ./scripts/components first", path.display());
    path
}

/// A component's bytes with one more custom section: the same behaviour under another digest.
///
/// # Panics
/// If the file cannot be read.
pub fn variant(file: &Path, n: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    // Id 0, size 3, a name of one byte, one byte of content.
    bytes.extend([0, 3, 1, b'v', n]);
    bytes
}

/// The runtime that the tests of one process share.
///
/// # Panics
/// If it cannot start.
pub fn runtime() -> &'static StageRuntime {
    static SHARED: LazyLock<StageRuntime> = LazyLock::new(|| {
        StageRuntime::new(&StageRuntimeConfig::default()).unwrap_or_else(|error| panic!("no stage runtime: {error}"))
    });
    &SHARED
}

/// A guest, loaded into the shared runtime; compiled once for all tests of one process.
///
/// # Panics
/// If it is missing or refused.
pub async fn load(name: &'static str) -> Arc<StageComponent> {
    static KEPT: Mutex<Vec<Arc<StageComponent>>> = Mutex::const_new(Vec::new());
    let component = runtime().load_file(&path(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    KEPT.lock().await.push(Arc::clone(&component));
    component
}

/// An opening with orders for a faulty guest; see `guests/faults`. Limits are short, so that faults do not slow the
/// tests, but far above what a correct call needs.
pub fn orders(orders: &Value) -> Opening {
    Opening {
        settings: orders.to_string(),
        limits: StageLimits {
            memory_bytes: 16 << 20,
            call_cpu: Duration::from_millis(100),
            call_timeout: Duration::from_secs(3),
            open_timeout: Duration::from_secs(10),
            snapshot_bytes: 64 << 10,
        },
        labels: StageLabels::new("tests", "faulty"),
        ..Opening::default()
    }
}

/// The file of a bundled stage, built by `scripts/components`.
///
/// # Panics
/// If it was not built; the message says how to build it.
pub fn bundled(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/dist").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing; run ./scripts/components first", path.display());
    path
}
