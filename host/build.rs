//! The host embeds the bundled stages; scripts/components builds them.
//!
//! Not built here on purpose: cargo inside cargo hides what is built when, and a plain script step is easy to see.

use std::path::Path;

const BUNDLED: [&str; 3] = ["batching-duration", "framing-fragment", "remux-replace"];

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/dist");
    let missing: Vec<_> = BUNDLED.into_iter().filter(|name| !dist.join(format!("{name}.wasm")).is_file()).collect();
    for name in BUNDLED {
        println!("cargo::rerun-if-changed=../components/dist/{name}.wasm");
    }
    println!("cargo::rerun-if-changed=../wit");
    if !missing.is_empty() {
        println!("cargo::error=components/dist lacks {}; run ./scripts/components first", missing.join(", "));
    }
}
