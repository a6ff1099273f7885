//! Digests in the parts of a handshake, and signatures at their end. Both are HMAC-SHA256.
//!
//! C1 and S1 contain the digest of all their other bytes. Four bytes of the part itself, at one of two places, say
//! where it begins. C2 and S2 end with a signature of their first bytes, whose key is derived from the other side's
//! digest.

use ring::hmac::{Context, HMAC_SHA256, Key, sign as hmac};

use super::{PART_BYTES, Part};

/// Length of a digest and of a signature in bytes.
const DIGEST_BYTES: usize = 32;
/// Where the signature of C2 and S2 begins.
const SIGNED_BYTES: usize = PART_BYTES - DIGEST_BYTES;
/// Number of possible offsets for a digest after its pointer.
const OFFSETS: usize = 728;

pub(super) type Digest = [u8; DIGEST_BYTES];

/// The constants from which a side makes digests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side(&'static str);

pub(super) const CLIENT: Side = Side("Genuine Adobe Flash Player 001");
pub(super) const SERVER: Side = Side("Genuine Adobe Flash Media Server 001");

/// Appended to a side's constant in the key of its signatures; a constant of the protocol.
const SUFFIX: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57, 0x6E, 0xEC, 0x5D,
    0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

/// Which half of a part contains the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The pointer is at byte 8: scheme 0 of most descriptions, `schema1` of SRS.
    First,
    /// The pointer is at byte 772: scheme 1 of most descriptions, `schema0` of SRS.
    Second,
}

impl Place {
    /// Where the digest begins: 12 to 739, or 776 to 1503. It always ends within the part, whatever the part contains.
    pub(super) fn offset(self, part: &Part) -> usize {
        let pointer = match self {
            Self::First => 8,
            Self::Second => 772,
        };
        let sum: usize = part.iter().skip(pointer).take(4).map(|byte| usize::from(*byte)).sum();
        pointer + 4 + sum % OFFSETS
    }

    /// Writes the digest into a part.
    pub(super) fn imprint(self, part: &mut Part, side: Side) -> Digest {
        let (at, digest) = (self.offset(part), self.compute(part, side));
        part.iter_mut().skip(at).zip(digest).for_each(|(byte, of)| *byte = of);
        digest
    }

    /// The digest that a part should contain here.
    fn compute(self, part: &Part, side: Side) -> Digest {
        let (before, after) = part.split_at(self.offset(part));
        let mut context = Context::with_key(&Key::new(HMAC_SHA256, side.0.as_bytes()));
        context.update(before);
        context.update(after.get(DIGEST_BYTES..).unwrap_or_default());
        bytes(context.sign().as_ref())
    }
}

/// The digest of a part and its place; `None` if there is none at either place.
pub(super) fn find(part: &Part, side: Side) -> Option<(Place, Digest)> {
    [Place::First, Place::Second].into_iter().find_map(|place| {
        let digest = place.compute(part, side);
        part.get(place.offset(part)..)?.starts_with(&digest).then_some((place, digest))
    })
}

/// The signature with which a part should end, as an answer to the other side's digest.
pub(super) fn signature(part: &Part, side: Side, to: &Digest) -> Digest {
    let key = hmac(&Key::new(HMAC_SHA256, &[side.0.as_bytes(), &SUFFIX].concat()), to);
    let (signed, _) = part.split_at(SIGNED_BYTES);
    bytes(hmac(&Key::new(HMAC_SHA256, key.as_ref()), signed).as_ref())
}

/// Writes the signature at the end of a part.
pub(super) fn sign(part: &mut Part, side: Side, to: &Digest) {
    let signature = signature(part, side, to);
    part.split_at_mut(SIGNED_BYTES).1.copy_from_slice(&signature);
}

/// The end of a part, where the signature is.
pub(super) fn end(part: &Part) -> Digest {
    bytes(part.split_at(SIGNED_BYTES).1)
}

/// Converts to an array; HMAC-SHA256 has no other length.
fn bytes(from: &[u8]) -> Digest {
    let mut digest = [0; DIGEST_BYTES];
    digest.iter_mut().zip(from).for_each(|(byte, of)| *byte = *of);
    digest
}
