//! Bounds of name lookups, connections, policies and cookies.

use std::time::Duration;

/// Entries in each list of a network policy.
pub const NET_RULES_MAX: usize = 256;
/// A name that is not looked up by then is given up.
pub const NET_LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Lookups under way at once for one tenant's guard; each holds a thread until the name server answers.
pub const NET_LOOKUPS_AT_ONCE: usize = 8;
/// Addresses of one name that are tried.
pub const NET_ADDRESSES_MAX: usize = 16;
/// An address that has not answered by then gets company from the next one.
pub const NET_CONNECT_STAGGER: Duration = Duration::from_millis(300);
/// Bytes of one Set-Cookie header; a longer one is passed over.
pub const COOKIE_BYTES_MAX: usize = 4096;
/// Set-Cookie headers of one answer that are looked at.
pub const COOKIES_PER_ANSWER_MAX: usize = 50;
/// Cookies kept for one host or domain; the oldest goes.
pub const COOKIES_PER_HOST_MAX: usize = 50;
/// Cookies kept for one source, of all its hosts; the oldest goes.
pub const COOKIES_MAX: usize = 200;
