//! Harness: air.
