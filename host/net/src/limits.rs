//! Limits of name lookups, connections, policies and cookies.

use std::time::Duration;

/// Most entries in each list of a network policy.
pub const NET_RULES_MAX: usize = 256;
/// Longest lookup of a name.
pub const NET_LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Most lookups at once for one tenant's guard; each blocks a thread until the name server answers.
pub const NET_LOOKUPS_AT_ONCE: usize = 8;
/// Most addresses of one name that are tried.
pub const NET_ADDRESSES_MAX: usize = 16;
/// How long one address is tried alone before the next one is tried too.
pub const NET_CONNECT_STAGGER: Duration = Duration::from_millis(300);
/// Largest Set-Cookie header, bytes; a larger one is ignored.
pub const COOKIE_BYTES_MAX: usize = 4096;
/// Most Set-Cookie headers of one response that are read.
pub const COOKIES_PER_ANSWER_MAX: usize = 50;
/// Most cookies of one host or domain; the oldest is removed.
pub const COOKIES_PER_HOST_MAX: usize = 50;
/// Most cookies of one source, of all its hosts; the oldest is removed.
pub const COOKIES_MAX: usize = 200;
