//! Keys in the playlist itself, as `data:` URI (RFC 2397), in base64 or percent-encoded.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::crypt::BLOCK;
use crate::limits::KEY_URI_BYTES_MAX;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key in a `data:` URI; `None` for other URIs.
///
/// # Errors
/// What is wrong with it, without the key.
pub(super) fn key(uri: &str) -> Option<Result<[u8; BLOCK], &'static str>> {
    let scheme = uri.get(..5)?;
    scheme.eq_ignore_ascii_case("data:").then(|| decode(uri.get(5..).unwrap_or_default()))
}

fn decode(text: &str) -> Result<[u8; BLOCK], &'static str> {
    if text.len() > KEY_URI_BYTES_MAX {
        return Err("is too long");
    }
    let (kind, data) = text.split_once(',').ok_or("has no comma before its data")?;
    let bytes = percent_decoded(data).ok_or("has a % without two hexadecimal digits")?;
    let in_base64 = kind.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    let bytes = if in_base64 {
        let standard = |byte: &u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        };
        let text: Vec<u8> = bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).map(standard).collect();
        BASE64.decode(text).map_err(|_| "is not base64")?
    } else {
        bytes
    };
    bytes.try_into().map_err(|_| "does not hold 16 bytes")
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_and_percent_encoding() {
        for uri in [
            "data:text/plain;base64,MDEyMzQ1Njc4OWFiY2RlZg==",
            "data:application/octet-stream;base64,MDEyMzQ1Njc4OWFiY2RlZg",
            "DATA:;BASE64,MDEyMzQ1Njc4OWFiY2RlZg%3D%3D",
            "data:,0123456789abcdef",
            "data:;charset=UTF-8,%30123456789abcde%66",
        ] {
            assert_eq!(key(uri), Some(Ok(*b"0123456789abcdef")), "{uri}");
        }
        assert_eq!(key("data:;base64,_____________________w"), Some(Ok([0xFF; 16])), "URL-safe");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let wrong = |uri: &str| key(uri).unwrap().unwrap_err();
        assert_eq!(wrong("data:,0123456789abcde"), "does not hold 16 bytes");
        assert_eq!(wrong("data:;base64,MDEy"), "does not hold 16 bytes");
        assert_eq!(wrong("data:;base64,!"), "is not base64");
        assert_eq!(wrong("data:,%3"), "has a % without two hexadecimal digits");
        assert_eq!(wrong("data:,%+1"), "has a % without two hexadecimal digits");
        assert_eq!(wrong("data:0123"), "has no comma before its data");
        assert_eq!(wrong(&format!("data:,{}", "0".repeat(KEY_URI_BYTES_MAX))), "is too long");
        assert_eq!(key("https://k/data:,1"), None);
        assert_eq!(key("dat"), None);
    }
}
