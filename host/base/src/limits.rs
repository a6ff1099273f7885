//! Bounds of what every part of the host takes.

/// Longest name of a tenant, a stream and whatever else becomes a folder's name, bytes.
pub const NAME_BYTES_MAX: usize = 64;
