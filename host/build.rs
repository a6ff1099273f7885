//! The host embeds the web pages, which scripts/web builds, and the contract for `outboard stage new`.
//!
//! The pages are not built here on purpose: cargo inside cargo hides what is built when, and a script step is visible.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=../wit");
    // The templates of `outboard stage new`; the whole folder, so that new files are included.
    println!("cargo::rerun-if-changed=src/cli/stage/templates");
    // The whole folder, because names change with the content, and new files must be included.
    println!("cargo::rerun-if-changed=../web/dist");
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist/index.html").is_file() {
        println!("cargo::error=web/dist lacks the web pages; run ./scripts/web first");
    }
}
