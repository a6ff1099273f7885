//! Timestamps of PES packets (ISO/IEC 13818-1 section 2.4.3.7).

/// The 33 bits of a timestamp, in ticks of 90 kHz, without a look at its marker bits.
pub(crate) fn ticks([a, b, c, d, e]: [u8; 5]) -> u64 {
    let bits = |byte: u8, shift: u32| u64::from(byte) << shift;
    bits(a >> 1 & 7, 30) | bits(b, 22) | bits(c >> 1, 15) | bits(d, 7) | bits(e >> 1, 0)
}
