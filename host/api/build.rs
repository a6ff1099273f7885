//! The API embeds the web pages, which scripts/web builds.
//!
//! The pages are not built here on purpose: cargo inside cargo hides what is built when, and a script step is visible.

use std::path::Path;

fn main() {
    // The folder as a whole: names change with the content, and new files must be embedded as well.
    println!("cargo::rerun-if-changed=../../web/dist");
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist/index.html").is_file() {
        println!("cargo::error=web/dist lacks the web pages; run ./scripts/web first");
    }
}
