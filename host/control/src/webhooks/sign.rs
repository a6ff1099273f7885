//! Signatures in the form of Standard Webhooks, and the secrets that they are made with.
//!
//! In: a webhook's secret, a delivery's id, the time of the attempt, the body. Out: the value of `webhook-signature`.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::{self, STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::hidden::Hidden;
use crate::limits::{WEBHOOK_KEY_BYTES_MAX, WEBHOOK_KEY_BYTES_MIN, WEBHOOK_SECRET_BYTES_MAX, WEBHOOK_SECRET_BYTES_MIN};

/// Begins a secret whose key is written in base64 behind it.
const SECRET_PREFIX: &str = "whsec_";
/// Random bytes of the key of a secret that is made here.
const KEY_BYTES: usize = 32;

/// Makes a secret: `whsec_` and 32 random bytes in base64.
pub fn make_secret() -> Hidden<String> {
    let key: [u8; KEY_BYTES] = rand::random();
    Hidden::new(format!("{SECRET_PREFIX}{}", general_purpose::STANDARD.encode(key)))
}

/// Checks a secret that a caller chose: `whsec_` and base64 of 24 to 64 bytes, or 16 to 256 bytes of text that do not begin
/// with `whsec_`.
///
/// # Errors
/// What is wrong with it and what would be right, without the secret.
pub fn check_secret(secret: &str) -> Result<(), String> {
    let outside = |range: RangeInclusive<usize>, length: usize| (!range.contains(&length)).then_some(range);
    let (what, length, outside) = match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => {
            let key = STANDARD_PAD_INDIFFERENT
                .decode(encoded)
                .map_err(|_| "has no valid base64 (A-Z, a-z, 0-9, + and /) after whsec_".to_owned())?;
            let range = WEBHOOK_KEY_BYTES_MIN..=WEBHOOK_KEY_BYTES_MAX;
            ("holds a key of", key.len(), outside(range, key.len()))
        }
        None => {
            let range = WEBHOOK_SECRET_BYTES_MIN..=WEBHOOK_SECRET_BYTES_MAX;
            ("has", secret.len(), outside(range, secret.len()))
        }
    };
    outside
        .map_or(Ok(()), |range| Err(format!("{what} {length} bytes; it must be {} to {}", range.start(), range.end())))
}

/// The value of `webhook-signature`: `v1,` and, in base64, HMAC-SHA256 over `<id>.<timestamp>.<body>`.
///
/// `id` is the value of `webhook-id`, `timestamp` that of `webhook-timestamp` (Unix time in seconds, of this attempt): a
/// delivery that somebody recorded cannot be sent again later as a new one. The key is what `secret` holds in base64 behind
/// `whsec_`; of a secret in another form it is the bytes of the text.
pub fn signature(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key(secret)) else { return String::new() };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", general_purpose::STANDARD.encode(mac.finalize().into_bytes()))
}

/// With padding or without, as Standard Webhooks' own libraries take it. Earlier versions wrote the base64 of the secrets
/// that they made in the alphabet for URLs.
fn key(secret: &str) -> Cow<'_, [u8]> {
    let encoded = secret.strip_prefix(SECRET_PREFIX).filter(|encoded| !encoded.is_empty());
    let decoded = encoded.and_then(|encoded| {
        STANDARD_PAD_INDIFFERENT.decode(encoded).ok().or_else(|| URL_SAFE_PAD_INDIFFERENT.decode(encoded).ok())
    });
    decoded.map_or(Cow::Borrowed(secret.as_bytes()), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's libraries: its key is 24 bytes.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    /// Computed elsewhere: `printf 'msg_7.1700000000.{"kind":"on-air"}' | openssl dgst -sha256 -mac HMAC -macopt
    /// hexkey:$(echo MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | xxd -p) -binary | base64`.
    const ON_AIR: &str = "v1,Kn68p3TUltZDRZATfc2UKRUNVN4ApFQeISvHYT5htRM=";
    /// The same over an empty body with `-hmac` and `k` 100 times, longer than a block of the hash: id `i`, time 1.
    const RAW: &str = "v1,PLTV6FUeUTRzp5hT6k74a2LkIhRrX3e8Fz4jn/wv6eY=";
    const BODY: &[u8] = br#"{"kind":"on-air"}"#;

    #[test]
    fn signatures_are_what_others_compute() {
        assert_eq!(signature(SECRET, "msg_7", 1_700_000_000, BODY), ON_AIR);
        assert_eq!(signature(&"k".repeat(100), "i", 1, b""), RAW);
    }

    #[test]
    fn every_part_counts() {
        for other in [
            signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSA", "msg_7", 1_700_000_000, BODY),
            signature(SECRET, "msg_8", 1_700_000_000, BODY),
            signature(SECRET, "msg_7", 1_700_000_001, BODY),
            signature(SECRET, "msg_7", 1_700_000_000, br#"{"kind":"on-ais"}"#),
        ] {
            assert_ne!(other, ON_AIR);
        }
    }

    #[test]
    fn secrets_of_earlier_versions_hold_the_same_key_in_the_other_alphabet() {
        let bytes = [0xfb, 0xff, 0xfe].repeat(8);
        let (urls, standard) =
            (general_purpose::URL_SAFE_NO_PAD.encode(&bytes), general_purpose::STANDARD.encode(&bytes));
        assert!(urls.contains('-') && urls.contains('_'), "{urls}");
        for encoded in [&urls, &standard] {
            assert_eq!(&*key(&format!("whsec_{encoded}")), bytes, "{encoded}");
        }
        for text in ["of-my-own-0123456789", "whsec-example", "whsec_not base64!", "whsec_"] {
            assert_eq!(&*key(text), text.as_bytes(), "{text}");
        }
    }

    #[test]
    fn what_is_made_here_is_what_a_caller_may_give() {
        let made: Vec<_> = (0..1000).map(|_| make_secret().take()).collect();
        for secret in &made {
            check_secret(secret).unwrap();
            assert_eq!(key(secret).len(), KEY_BYTES);
        }
        let different: std::collections::BTreeSet<_> = made.iter().collect();
        assert_eq!(different.len(), made.len());
    }

    #[test]
    fn secrets_that_are_too_weak_or_in_no_form_are_refused() {
        let of = |bytes: usize| format!("whsec_{}", general_purpose::STANDARD.encode(vec![7; bytes]));
        for secret in [&of(24), &of(64), of(25).trim_end_matches('='), &"x".repeat(16), &"x".repeat(256)] {
            check_secret(secret).unwrap_or_else(|told| panic!("{secret}: {told}"));
        }
        for (secret, part) in [
            (of(23), "holds a key of 23 bytes; it must be 24 to 64"),
            (of(65), "holds a key of 65 bytes"),
            ("whsec_".to_owned(), "holds a key of 0 bytes"),
            ("whsec_hunter2-hunter2_hunter2-hunter2_".to_owned(), "has no valid base64"),
            (String::new(), "has 0 bytes; it must be 16 to 256"),
            ("hunter2".to_owned(), "has 7 bytes"),
            ("x".repeat(257), "has 257 bytes"),
        ] {
            let told = check_secret(&secret).unwrap_err();
            assert!(told.contains(part) && !told.contains("hunter2"), "{secret}: {told}");
        }
    }
}
