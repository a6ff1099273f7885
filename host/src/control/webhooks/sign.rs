//! How a receiver can tell that a delivery is ours, and when it was sent.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The value of `X-Outboard-Signature`: `v1=` and, in lower-case hex, HMAC-SHA256 with the webhook's secret over
/// `<timestamp>.<body>`. The timestamp (Unix time in seconds, as in `X-Outboard-Timestamp`) is in it, so that a
/// delivery that somebody wrote down cannot be sent again later as a new one.
pub fn signature(secret: &str, timestamp: u64, body: &[u8]) -> String {
    use std::fmt::Write;
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut text = String::from("v1=");
    for byte in mac.finalize().into_bytes() {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed elsewhere: `printf '1700000000.{"kind":"on-air"}' | openssl dgst -sha256 -hmac whsec-example`.
    const ON_AIR: &str = "v1=56b3ce18419a46bf9c013b5f77f2ffdff8aaff473832f99b935c159601415289";
    /// The same over an empty body, with a secret that is longer than a block of the hash (`k` 100 times).
    const EMPTY: &str = "v1=f380fa061ddac7555fce09c4f9d5ba3c4d7eb9115eaa097dd2c14988a18ae793";

    #[test]
    fn signatures_are_what_others_compute() {
        assert_eq!(signature("whsec-example", 1_700_000_000, br#"{"kind":"on-air"}"#), ON_AIR);
        assert_eq!(signature(&"k".repeat(100), 1, b""), EMPTY);
    }

    #[test]
    fn every_part_counts() {
        for other in [
            signature("whsec-examplf", 1_700_000_000, br#"{"kind":"on-air"}"#),
            signature("whsec-example", 1_700_000_001, br#"{"kind":"on-air"}"#),
            signature("whsec-example", 1_700_000_000, br#"{"kind":"on-ais"}"#),
        ] {
            assert_ne!(other, ON_AIR);
        }
    }
}
