//! Has no task: cargo builds build-dependencies for packages with a build script only.

fn main() {}
