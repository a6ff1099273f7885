//! Bits of a NAL unit without its emulation prevention bytes (ITU-T H.264 sections 7.3.1 and 9.1, H.265 likewise).

/// Iterates over the bytes of a NAL unit without emulation prevention bytes: of 00 00 03, only 00 00 remains.
#[derive(Debug, Clone)]
pub struct Rbsp<'a> {
    bytes: &'a [u8],
    zeros: u8,
}

impl<'a> Rbsp<'a> {
    /// Starts at the first of these bytes, which are a NAL unit or its beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, zeros: 0 }
    }
}

impl Iterator for Rbsp<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (mut byte, mut rest) = self.bytes.split_first()?;
        if self.zeros >= 2 && *byte == 3 {
            self.zeros = 0;
            (byte, rest) = rest.split_first()?;
        }
        self.bytes = rest;
        self.zeros = if *byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        Some(*byte)
    }
}

/// Reads bits, most significant first. Methods return `None` if too few bits remain.
#[derive(Debug, Clone)]
pub struct Bits<'a> {
    bytes: Rbsp<'a>,
    byte: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    /// Starts at the first of these bytes, which are a NAL unit or its beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Rbsp::new(bytes), byte: 0, left: 0 }
    }

    /// Reads one bit; true if it is 1.
    pub fn flag(&mut self) -> Option<bool> {
        if self.left == 0 {
            (self.byte, self.left) = (self.bytes.next()?, 8);
        }
        self.left -= 1;
        Some(self.byte >> self.left & 1 == 1)
    }

    /// Reads u(n): an unsigned number of `count` bits, 32 at most.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    /// Skips `count` bits; `None` if fewer remain.
    pub fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.flag().map(drop))
    }

    /// Reads ue(v): an unsigned Exp-Golomb code (ITU-T H.264 section 9.1).
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// Reads se(v): a signed Exp-Golomb code (ITU-T H.264 section 9.1.1).
    pub fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        i32::try_from(if code & 1 == 1 { code / 2 + 1 } else { -(code / 2) }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_is_taken_out() {
        let bytes: Vec<u8> = Rbsp::new(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 9, 0, 0, 3]).collect();
        assert_eq!(bytes, [0, 0, 1, 0, 0, 0, 0, 3, 9, 0, 0]);
    }

    #[test]
    fn numbers_of_any_length() {
        // 1 | 010 | 011 | 00100 | 00111, then 0 without an end.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0011, 0b1000_0000]);
        assert_eq!([bits.ue(), bits.ue(), bits.ue(), bits.ue()], [0, 1, 2, 3].map(Some));
        assert_eq!((bits.se(), bits.ue()), (Some(-3), None));
        assert_eq!(Bits::new(&[0, 0, 1, 0x80, 0, 0]).ue(), Some((1 << 23) - 1 + (1 << 22)));
        assert_eq!(Bits::new(&[0; 40]).ue(), None);
        assert_eq!(Bits::new(&[0xff; 4]).bits(32), Some(u32::MAX));
    }
}
