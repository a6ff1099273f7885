//! What the host serves over HTTP.

pub mod assets;
