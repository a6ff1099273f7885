//! Harness: exchange.
