//! What the bundled stages share, in plain Rust: settings that are read and described from one table, snapshots that say
//! who wrote them, the glue to the contract, and for each kind of stage what its members have in common.

// every kind
pub mod glue;
pub mod settings;
pub mod snapshot;

// by kind
pub mod batching;
pub mod framing;
pub mod remux;
