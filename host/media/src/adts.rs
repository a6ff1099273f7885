//! The header of an ADTS frame (ISO/IEC 14496-3 section 1.A.2.2, ISO/IEC 13818-7 section 6.2).

/// Sample rates in hertz, indexed by sampling_frequency_index (ISO/IEC 14496-3 table 1.18).
pub const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// Samples of one channel in a raw data block.
pub const SAMPLES: u32 = 1024;
/// The value of profile_ObjectType for AAC-LC: its audio object type 2, less 1.
pub const PROFILE_LC: u8 = 1;
/// Bytes of a header without a checksum.
pub const HEADER: usize = 7;

/// The fields of an ADTS frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// profile_ObjectType: the audio object type less 1.
    pub profile: u8,
    /// sampling_frequency_index: the index of the sample rate in [`RATES`].
    pub rate_index: u8,
    /// Sample rate in hertz, without the doubling by SBR.
    pub rate: u32,
    /// channel_configuration, 0 to 7 (ISO/IEC 14496-3 table 1.19); see [`channel_count`](Self::channel_count).
    pub channels: u8,
    /// Bytes of the header, checksum included.
    pub header: usize,
    /// Bytes of the frame including its header; always more than `header`.
    pub length: usize,
    /// Number of raw data blocks in the frame, 1 to 4.
    pub blocks: u8,
}

impl Header {
    /// Reads the header at the start of `data`. `None` if there is none, or if `data` is shorter than [`HEADER`].
    pub fn parse(data: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, g, ..] = data else { return None };
        if a != 0xff || b & 0xf6 != 0xf0 {
            return None;
        }
        let rate_index = c >> 2 & 0xf;
        let header = if b & 1 == 1 { HEADER } else { HEADER + 2 };
        let length = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
        (length > header).then_some(Self {
            profile: c >> 6,
            rate_index,
            rate: *RATES.get(usize::from(rate_index))?,
            channels: (c & 1) << 2 | d >> 6,
            header,
            length,
            blocks: (g & 3) + 1,
        })
    }

    /// Reads an AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1). `None` if it is none of AAC-LC in 1024 samples whose
    /// channels it tells. Explicit signalling of SBR behind it is not looked at.
    pub fn of_config(config: &[u8]) -> Option<Self> {
        let &[a, b, ..] = config else { return None };
        let (object, rate_index, channels) = (a >> 3, (a & 7) << 1 | b >> 7, b >> 3 & 0xf);
        // GASpecificConfig: frameLengthFlag.
        if object != PROFILE_LC + 1 || !(1..=7).contains(&channels) || b & 4 != 0 {
            return None;
        }
        let rate = *RATES.get(usize::from(rate_index))?;
        Some(Self { profile: PROFILE_LC, rate_index, rate, channels, header: HEADER, length: HEADER + 1, blocks: 1 })
    }

    /// Builds the header of a frame of this profile, rate and number of channels with `payload` bytes of AAC behind it. `None`
    /// if they are more than a frame holds.
    pub fn to_bytes(&self, payload: usize) -> Option<[u8; HEADER]> {
        let length = u16::try_from(payload + HEADER).ok().filter(|length| *length < 1 << 13)?;
        let [high, low] = length.to_be_bytes();
        Some([
            0xff,
            0xf1,
            self.profile << 6 | self.rate_index << 2 | self.channels >> 2,
            self.channels << 6 | high >> 3,
            high << 5 | low >> 3,
            low << 5 | 0x1f,
            0xfc,
        ])
    }

    /// Returns the number of channels; 0 if only the frame's content tells it. Configuration 7 has 8 channels (7.1).
    pub fn channel_count(&self) -> u8 {
        if self.channels == 7 { 8 } else { self.channels }
    }

    /// Builds the AudioSpecificConfig for this header (ISO/IEC 14496-3 section 1.6.2.1).
    pub fn config(&self) -> [u8; 2] {
        let object = self.profile + 1;
        [object << 3 | self.rate_index >> 1, self.rate_index << 7 | self.channels << 3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_becomes_a_configuration() {
        let header = Header::parse(&[0xff, 0xf1, 0x4c, 0x80, 0x0d, 0x7f, 0xfc]).unwrap();
        assert_eq!((header.rate, header.channels, header.length, header.blocks), (48_000, 2, 107, 1));
        assert_eq!(header.config(), [0x11, 0x90]);
        let of_config = Header::of_config(&header.config()).unwrap();
        assert_eq!(of_config.to_bytes(100), Some([0xff, 0xf1, 0x4c, 0x80, 0x0d, 0x7f, 0xfc]), "back again");
        assert_eq!(of_config.to_bytes(8185), None, "13 bits");
        for other in [&[0x11][..], &[0x2b, 0x11, 0x88, 0], &[0x11, 0x94], &[0x11, 0x80], &[0x16, 0x90]] {
            assert_eq!(Header::of_config(other), None, "{other:x?}");
        }
        assert_eq!(Header::parse(&[0xff, 0xf0, 0x50, 0x40, 0x20, 0, 0]).map(|found| found.header), Some(9));
        assert_eq!(Header::parse(&[0xff, 0xf1, 0x4c, 0x80, 0, 0xff, 0xfc]), None, "no bytes behind it");
        assert_eq!(Header::parse(&[0xff, 0xf1, 0x74, 0x80, 0x0d, 0x7f, 0xfc]), None, "index 13");
    }
}
