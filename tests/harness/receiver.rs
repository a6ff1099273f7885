//! Receivers of a stream, and batches to send to them.
//!
//! [`nginx`] is what users have; [`fake`] produces faults that nginx does not; [`tls`] adds TLS; [`clip`] makes batches
//! from real media; [`packets`] describes sent and received packets in the same form.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may stop at the first thing that is not as it should be")]

pub mod clip;
pub mod fake;
pub mod nginx;
pub mod packets;
pub mod tls;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports that the system never assigns on its own: below Linux's ephemeral range (32768 to 60999).
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port on 127.0.0.1 for a server that needs a fixed one. Each call in a test run returns another. A port of the
/// ephemeral range could be taken before that server listens: by a listener, by any connection, or by the very
/// connection that checks whether the server listens.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    // Concurrent test programs start at different ports.
    let first = std::process::id().wrapping_mul(97);
    let port = || {
        let nth = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        PORTS.start + u16::try_from(nth).expect("less than the range")
    };
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(port).take(count as usize).find(is_free).expect("a free port")
}
