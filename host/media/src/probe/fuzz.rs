//! Fuzz target `replies`: whatever a processor returns is audio or an error, soon.

use std::time::Instant;

use super::probe;
use crate::limits::{PROBE_PACKETS_MAX, PROBE_WAIT_MAX};

/// Probes the bytes as a returned file.
pub fn replies(data: &[u8]) {
    let began = Instant::now();
    if let Ok(found) = probe(data) {
        assert!(found.duration_us > 0 && found.channels > 0 && found.sample_rate_hz > 0, "{found:?}");
        assert!((1..=PROBE_PACKETS_MAX).contains(&found.packets), "{found:?}");
    }
    assert!(began.elapsed() < PROBE_WAIT_MAX, "it took {:?}", began.elapsed());
}
