//! The control plane's core.
pub mod access;
pub mod entry;
pub mod error;
pub mod health;
pub mod hidden;
pub mod id;
pub mod quota;
pub mod registry;
pub mod runner;
pub mod settings;
pub mod snapshot;
pub mod srs;
pub mod webhooks;
pub(crate) mod words;
