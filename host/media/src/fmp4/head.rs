//! The head of an `output.fmp4`: the initialization section, the position in the stream, and the positions of the
//! fragments. It is enough to make a playlist without reading the rest.
//!
//! The position is a private `uuid` box, the list of fragments a standard `sidx`; players ignore both.

use std::io::Read;
use std::path::Path;

use super::{boxed, full, put32};
use crate::limits::{OUTPUT_FRAGMENTS_MAX, OUTPUT_HEAD_BYTES_MAX};

/// The head of an `output.fmp4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Length of the initialization section, from the start of the file, in bytes.
    pub init: u64,
    /// The batch's position in the stream.
    pub place: Place,
    /// The fragments in order, without gaps.
    pub fragments: Vec<Fragment>,
}

/// The position of a batch in its stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of its first fragment, counted from the beginning of the stream.
    pub sequence: u64,
    /// Number of discontinuities before it, counted from the beginning of the stream.
    pub discontinuity: u64,
    /// Air time of its start, in milliseconds.
    pub start_ms: u64,
}

/// A fragment: a `moof` and its `mdat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Position in the file, in bytes.
    pub offset: u64,
    /// Length of both, in bytes.
    pub bytes: u32,
    /// Media time, in milliseconds.
    pub duration_ms: u32,
    /// True if a player can start at this fragment.
    pub independent: bool,
}

/// The 16 bytes that identify the private `uuid` box.
const UUID: &[u8; 16] = b"outboard-preview";

impl Place {
    fn to_box(self) -> Vec<u8> {
        boxed(*b"uuid", |uuid| {
            uuid.extend(UUID);
            [self.sequence, self.discontinuity, self.start_ms]
                .iter()
                .for_each(|value| uuid.extend(value.to_be_bytes()));
        })
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let mut body = body.strip_prefix(UUID)?;
        Some(Self { sequence: take64(&mut body)?, discontinuity: take64(&mut body)?, start_ms: take64(&mut body)? })
    }
}

/// Builds the bytes before the first fragment. `reference`: the track whose times the `sidx` has; `fragments`: length
/// in bytes, milliseconds, and whether a player can start there.
pub fn build(init: &[u8], place: Place, reference: u32, fragments: &[(u32, u32, bool)]) -> Vec<u8> {
    let mut out = init.to_vec();
    out.extend(place.to_box());
    out.extend(full(*b"sidx", 1, 0, |sidx| {
        put32(sidx, &[reference, super::TIMESCALE]);
        sidx.extend(place.start_ms.to_be_bytes());
        sidx.extend(0_u64.to_be_bytes());
        put32(sidx, &[u32::from(u16::try_from(fragments.len()).unwrap_or(u16::MAX))]);
        for (bytes, duration_ms, independent) in fragments {
            // Media, not another index; starts with a key frame (SAP type 1).
            put32(sidx, &[bytes & 0x7fff_ffff, *duration_ms, if *independent { 0x9000_0000 } else { 0 }]);
        }
    }));
    out
}

impl Head {
    /// Reads the head of a file. `None` if this module did not write it, or it is incomplete.
    ///
    /// # Errors
    /// The system's error if the file cannot be read.
    pub fn read(path: &Path) -> std::io::Result<Option<Self>> {
        let file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.take(OUTPUT_HEAD_BYTES_MAX).read_to_end(&mut bytes)?;
        let head = Self::parse(&bytes);
        Ok(head.filter(|head| head.end() == length))
    }

    /// Position of the end of the last fragment, in bytes.
    pub fn end(&self) -> u64 {
        self.fragments.last().map_or(0, |last| last.offset + u64::from(last.bytes))
    }

    /// Number of the fragment after the last one.
    pub fn next_sequence(&self) -> u64 {
        self.place.sequence + self.fragments.len() as u64
    }

    /// Air time of its end, in milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.place.start_ms + self.fragments.iter().map(|fragment| u64::from(fragment.duration_ms)).sum::<u64>()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut at = 0_u64;
        let (mut init, mut place) = (None, None);
        loop {
            let size = u32::from_be_bytes(*rest.first_chunk()?);
            let name = rest.get(4..8)?;
            let (this, after) = rest.split_at_checked(usize::try_from(size).ok().filter(|size| *size >= 8)?)?;
            let body = this.get(8..)?;
            at += u64::from(size);
            match name {
                b"ftyp" if at == u64::from(size) => {}
                b"moov" => init = Some(at),
                b"uuid" => place = Place::parse(body),
                b"sidx" => return Some(Self { init: init?, place: place?, fragments: fragments(body, at)? }),
                _ => return None,
            }
            rest = after;
        }
    }
}

fn fragments(mut body: &[u8], mut offset: u64) -> Option<Vec<Fragment>> {
    // Version 1, the track, the time scale, the first time, the first offset.
    let fixed = (take32(&mut body)?, take32(&mut body)?, take32(&mut body)?, take64(&mut body)?, take64(&mut body)?);
    if !matches!(fixed, (0x0100_0000, super::VIDEO | super::AUDIO, super::TIMESCALE, _, 0)) {
        return None;
    }
    let count = usize::try_from(take32(&mut body)?).ok().filter(|count| *count <= OUTPUT_FRAGMENTS_MAX)?;
    let mut fragments = Vec::with_capacity(count);
    for _ in 0..count {
        let (bytes, duration_ms, start) = (take32(&mut body)?, take32(&mut body)?, take32(&mut body)?);
        fragments.push(Fragment { offset, bytes, duration_ms, independent: start >> 31 == 1 });
        offset += u64::from(bytes);
    }
    body.is_empty().then_some(fragments)
}

fn take32(from: &mut &[u8]) -> Option<u32> {
    let (value, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(u32::from_be_bytes(*value))
}

fn take64(from: &mut &[u8]) -> Option<u64> {
    let (value, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(u64::from_be_bytes(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { sequence: 1 << 33, discontinuity: 3, start_ms: 90_000 };

    fn whole() -> Vec<u8> {
        let mut bytes =
            build(&super::super::init(None, None), PLACE, super::super::VIDEO, &[(100, 2000, true), (50, 1500, false)]);
        bytes.extend([0; 150]);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = whole();
        std::fs::write(file.path(), &bytes).unwrap();
        let head = Head::read(file.path()).unwrap().unwrap();
        assert_eq!(head.place, PLACE);
        let first = bytes.len() as u64 - 150;
        let fragment = |offset, bytes, duration_ms, independent| Fragment { offset, bytes, duration_ms, independent };
        assert_eq!(head.fragments, [fragment(first, 100, 2000, true), fragment(first + 100, 50, 1500, false)]);
        assert_eq!(head.init, super::super::init(None, None).len() as u64);
        assert_eq!((head.next_sequence(), head.end_ms()), ((1 << 33) + 2, 93_500));
    }

    #[test]
    fn what_is_cut_off_or_of_others_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = whole();
        for end in 0..bytes.len() {
            std::fs::write(file.path(), &bytes[..end]).unwrap();
            assert_eq!(Head::read(file.path()).unwrap(), None, "{end} bytes");
        }
        for at in 0..bytes.len() - 150 {
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            // Whatever it says then, it does not take the process down.
            Head::parse(&changed);
        }
        assert!(Head::read(Path::new("/nonexistent")).is_err());
    }
}
