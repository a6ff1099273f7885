//! The crate embeds the bundled stages, which scripts/components builds, and tells which wasmtime it is built with, which that does
//! not say itself.
//!
//! The stages are not built here on purpose: cargo inside cargo hides what is built when, and a plain script step is easy to see.

use std::path::Path;

const BUNDLED: [&str; 6] =
    ["batching-duration", "batching-aligned", "framing-fragment", "framing-sts", "remux-replace", "remux-duck"];

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../components/dist");
    let missing: Vec<_> = BUNDLED.into_iter().filter(|name| !dist.join(format!("{name}.wasm")).is_file()).collect();
    for name in BUNDLED {
        println!("cargo::rerun-if-changed=../../components/dist/{name}.wasm");
    }
    println!("cargo::rerun-if-changed=../../wit");
    if !missing.is_empty() {
        println!("cargo::error=components/dist lacks {}; run ./scripts/components first", missing.join(", "));
    }
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    match wasmtime_version() {
        Some(version) => println!("cargo::rustc-env=WASMTIME_VERSION={version}"),
        None => println!("cargo::error=Cargo.lock names no version of wasmtime"),
    }
}

/// As it is locked.
fn wasmtime_version() -> Option<String> {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).ok()?;
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"wasmtime\"");
    let version = lines.nth(1)?.strip_prefix("version = ")?;
    Some(version.trim_matches('"').to_owned())
}
