//! The host embeds the bundled stages and the web pages; scripts/components and scripts/web build them.
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
    // What `outboard stage new` writes; as a folder, so that new files are taken in as well.
    println!("cargo::rerun-if-changed=src/cli/stage/templates");
    if !missing.is_empty() {
        println!("cargo::error=components/dist lacks {}; run ./scripts/components first", missing.join(", "));
    }
    // The folder as a whole: names change with the content, and what is new must be taken in as well.
    println!("cargo::rerun-if-changed=../web/dist");
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist/index.html").is_file() {
        println!("cargo::error=web/dist lacks the web pages; run ./scripts/web first");
    }
}
