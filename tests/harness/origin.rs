//! Harness: source.
