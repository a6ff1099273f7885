//! The host embeds the web pages, which scripts/web builds, and the contract for what `outboard stage new` writes.
//!
//! Not built here on purpose: cargo inside cargo hides what is built when, and a plain script step is easy to see.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=../wit");
    // What `outboard stage new` writes; as a folder, so that new files are taken in as well.
    println!("cargo::rerun-if-changed=src/cli/stage/templates");
    // The folder as a whole: names change with the content, and what is new must be taken in as well.
    println!("cargo::rerun-if-changed=../web/dist");
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist/index.html").is_file() {
        println!("cargo::error=web/dist lacks the web pages; run ./scripts/web first");
    }
}
