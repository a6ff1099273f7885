//! The program embeds the contract and the templates for `outboard stage new`.

fn main() {
    println!("cargo::rerun-if-changed=../wit");
    // As a folder, so that new files are embedded as well.
    println!("cargo::rerun-if-changed=src/cli/stage/templates");
}
