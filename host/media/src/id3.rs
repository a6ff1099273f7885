//! Reads the timestamp at the start of packed audio (RFC 8216 section 3.4): an ID3 PRIV frame with 33 bits in ticks of
//! 90 kHz.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The owner of the PRIV frame, with its terminating zero.
const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";
/// Bytes at the start of a segment that are searched; the tag comes first and is short.
const LOOK_BYTES: u64 = 4096;

/// The time of a segment's first sample, in microseconds; `None` if it has no such tag.
pub fn timestamp_us(path: &Path) -> Option<i64> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(LOOK_BYTES).read_to_end(&mut start).ok()?;
    parse(&start)
}

fn parse(start: &[u8]) -> Option<i64> {
    let ticks = timestamp(start)?;
    i64::try_from(u128::from(ticks) * 1_000_000 / 90_000).ok()
}

/// The time in a tag that begins here, in ticks of 90 kHz.
pub(crate) fn timestamp(tag: &[u8]) -> Option<u64> {
    if !tag.starts_with(b"ID3") {
        return None;
    }
    let at = tag.windows(OWNER.len()).position(|window| window == OWNER)? + OWNER.len();
    let bytes = tag.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_be_bytes(*bytes) & ((1 << 33) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_timestamp_and_nothing_else() {
        let mut tag = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0".to_vec();
        tag.extend(OWNER);
        tag.extend(126_000_u64.to_be_bytes());
        assert_eq!(parse(&tag), Some(1_400_000));
        assert_eq!(parse(&tag[..tag.len() - 1]), None);
        assert_eq!(parse(b"\xff\xf1no tag"), None);
        assert_eq!(timestamp_us(Path::new("/nonexistent")), None);
    }
}
