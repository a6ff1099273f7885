//! The code that the bundled stages share, in plain Rust: settings that are read and described from one table, snapshots that name
//! their writer, the exports of the contract, and for each kind of stage its common types and rules.

// every kind
pub mod exports;
pub mod settings;
pub mod snapshot;

// by kind
pub mod batching;
pub mod framing;
pub mod remux;
