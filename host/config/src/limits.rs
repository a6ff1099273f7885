//! Bounds of the settings of a host.

/// Default connections per client address (`server.connections_per_peer`), unless it is a trusted proxy.
pub const API_CONNECTIONS_OF_PEER: usize = 512;
/// Maximum number of connections; further ones wait in the system's queue.
pub const API_CONNECTIONS_MAX: usize = 8192;
/// Default time in seconds (`limits.hang_seconds`) after which threads that have not run count as hung; the process
/// ends, to be restarted.
pub const HANG_SECONDS_DEFAULT: u64 = 30;
/// Smallest time that can be set in seconds: a busy machine is not a hang.
pub const HANG_SECONDS_MIN: u64 = 5;
/// Largest time that can be set in seconds.
pub const HANG_SECONDS_MAX: u64 = 3600;
