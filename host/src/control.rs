//! The control plane's core.
pub mod error;
pub mod health;
pub mod runner;
pub mod settings;
