//! Assembles sections (ISO/IEC 13818-1 section 2.4.4) from packets and checks them: tables and splice information.

/// Length of the longest section in bytes: three, and at most 4093 that section_length counts (1021 in PAT and PMT).
const SECTION_BYTES_MAX: usize = 3 + 4093;

/// Assembles the sections of one PID. It holds [`SECTION_BYTES_MAX`] bytes and one packet at most.
#[derive(Debug, Clone, Default)]
pub struct Sections {
    held: Vec<u8>,
    /// Whether `held` starts at the start of a section.
    begun: bool,
}

impl Sections {
    /// Takes the payload of a packet; `start` says whether a section begins in it. Calls `each` with every complete
    /// section, without checking its CRC.
    pub fn feed(&mut self, start: bool, payload: &[u8], mut each: impl FnMut(&[u8])) {
        if !start {
            if self.begun {
                self.held.extend_from_slice(payload);
                self.take(&mut each);
            }
            return;
        }
        // pointer_field: so many bytes still belong to the section before.
        let Some((pointer, rest)) = payload.split_first() else { return };
        let (end, new) = rest.split_at_checked(usize::from(*pointer)).unwrap_or((rest, &[]));
        if self.begun {
            self.held.extend_from_slice(end);
            self.take(&mut each);
        }
        self.held.clear();
        self.held.extend_from_slice(new);
        self.begun = true;
        self.take(&mut each);
    }

    /// Forgets an incomplete section, because packets are missing.
    pub fn reset(&mut self) {
        self.held.clear();
        self.begun = false;
    }

    fn take(&mut self, each: &mut impl FnMut(&[u8])) {
        let mut at = 0;
        loop {
            let rest = self.held.get(at..).unwrap_or_default();
            match rest {
                // Stuffing to the end of the packet.
                [0xff, ..] => {
                    self.reset();
                    return;
                }
                [_, b, c, ..] => {
                    let length = 3 + (usize::from(b & 0xf) << 8 | usize::from(*c));
                    if length > SECTION_BYTES_MAX {
                        self.reset();
                        return;
                    }
                    let Some(section) = rest.get(..length) else { break };
                    each(section);
                    at += length;
                }
                _ => break,
            }
        }
        self.held.drain(..at);
        self.begun = true;
    }
}

/// Returns whether the CRC_32 of a section is correct (annex A).
pub fn is_whole(section: &[u8]) -> bool {
    section.len() >= 4 && crc(section) == 0
}

/// Computes the CRC_32 of bytes; it is 0 over a section that includes its own CRC.
pub fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        let at = (crc >> 24) as u8 ^ byte;
        crc << 8 ^ TABLE[usize::from(at)]
    })
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let (mut crc, mut bit) = ((n as u32) << 24, 0);
        while bit < 8 {
            crc = if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, bytes: usize) -> Vec<u8> {
        let length = bytes + 4;
        let mut section = vec![id, 0xb0 | (length >> 8) as u8, length as u8];
        section.extend((0..bytes).map(|n| n as u8));
        section.extend(crc(&section).to_be_bytes());
        section
    }

    #[test]
    fn sections_are_put_together_wherever_packets_end() {
        let (one, two, three) = (section(1, 300), section(2, 10), section(3, 1000));
        let mut sections = Sections::default();
        let mut found = Vec::new();
        let mut feed =
            |start: bool, payload: &[u8]| sections.feed(start, payload, |section| found.push(section.to_vec()));
        feed(false, &[1; 184]);
        feed(true, &[&[0][..], &one[..183]].concat());
        feed(true, &[&[(one.len() - 183) as u8][..], &one[183..], &two, &three[..20]].concat());
        feed(false, &three[20..500]);
        feed(false, &[&three[500..], &[0xff; 9][..]].concat());
        feed(false, &[2; 184]);
        assert_eq!(found, [one, two, three]);
        assert!(found.iter().all(|section| is_whole(section)));
        found[0][7] ^= 1;
        assert!(!is_whole(&found[0]) && !is_whole(&[]));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut sections = Sections::default();
        for n in 0..10_000_u32 {
            sections.feed(n % 50 == 0, &[(n % 7) as u8; 184], |section| assert!(section.len() <= SECTION_BYTES_MAX));
            assert!(sections.held.len() <= SECTION_BYTES_MAX + 184);
        }
    }
}
