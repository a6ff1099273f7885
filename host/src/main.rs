//! Outboard.
fn main() {}
