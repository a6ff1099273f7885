//! Receivers that a stream is put on air to, and the batches to put there.
//!
//! [`nginx`] is what users have; [`fake`] shows faults that nginx cannot be brought to show; [`tls`] puts TLS in front;
//! [`clip`] makes batches from real media; [`packets`] says what was sent and what has arrived in the same words.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may stop at the first thing that is not as it should be")]

pub mod clip;
pub mod fake;
pub mod nginx;
pub mod packets;
pub mod tls;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports that the system gives to nobody who asks for any: below Linux's ephemeral range (32768 to 60999).
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port on 127.0.0.1 for a server that must be told one. Each call of a test run answers another. From the ephemeral range
/// it could be taken before that server listens: by a listener, by a connection that somebody opens, or by the very
/// connection that asks whether the server listens.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    // Runs of several test programs begin at different places.
    let first = std::process::id().wrapping_mul(97);
    let port = || {
        let nth = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        PORTS.start + u16::try_from(nth).expect("less than the range")
    };
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(port).take(count as usize).find(is_free).expect("a free port")
}
