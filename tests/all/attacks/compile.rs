//! Components that end or hold up the compiler.
