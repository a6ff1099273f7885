//! The control plane's core.
pub mod entry;
pub mod error;
pub mod health;
pub mod id;
pub mod runner;
pub mod settings;
pub mod snapshot;
pub mod srs;
