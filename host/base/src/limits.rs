//! Limits that every part of the host uses.

/// Longest name of a tenant, a stream, or anything else that becomes the name of a folder, bytes.
pub const NAME_BYTES_MAX: usize = 64;
