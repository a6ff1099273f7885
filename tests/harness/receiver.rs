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

/// A port on 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
