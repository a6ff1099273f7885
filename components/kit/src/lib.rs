//! What the bundled stages share, in plain Rust: settings that are read and described from one table, and snapshots
//! that say who wrote them.

pub mod settings;
pub mod snapshot;
