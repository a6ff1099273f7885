//! H.264 parameter sets in an AVC sequence header.
//!
//! ffmpeg 5.1 takes the zero byte of a four-byte start code for the end of the previous parameter set, so batches of
//! the same stream get sequence headers that differ by a zero. A NAL unit never ends in zero (ITU-T H.264 section
//! 7.4.1.1), so the zeros are removed, and the header changes only when the stream does.

/// Bytes in an FLV body before the AVCDecoderConfigurationRecord.
const FLV_HEAD: usize = 5;
/// Bytes of the record before the count of SPS (ISO/IEC 14496-15 section 5.3.3.1).
const RECORD_HEAD: usize = 5;

/// The body of a sequence header tag without zeros at the ends of its parameter sets; unchanged if it cannot be parsed.
pub fn clean_sequence_header(body: &[u8]) -> Vec<u8> {
    clean(body).unwrap_or_else(|| body.to_vec())
}

fn clean(body: &[u8]) -> Option<Vec<u8>> {
    let (head, mut rest) = body.split_at_checked(FLV_HEAD + RECORD_HEAD)?;
    let mut out = head.to_vec();
    // SPS with a count of 5 bits, then PPS with one of 8; what follows depends on the profile and stays.
    for mask in [0x1f, 0xff] {
        let (count, after) = rest.split_first()?;
        out.push(*count);
        rest = after;
        for _ in 0..count & mask {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (unit, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
            let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
            let unit = unit.get(..unit.len() - zeros)?;
            out.extend_from_slice(&u16::try_from(unit.len()).ok()?.to_be_bytes());
            out.extend_from_slice(unit);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"\x17\0\0\0\0\x01\x4d\x40\x1e\xff\xe1\0\x03\x67\x4d\x40\x01\0\x04\x68\xce\x3c\x80ext";

    #[test]
    fn zeros_after_a_parameter_set_are_taken_off() {
        let mut padded = HEADER.to_vec();
        padded.splice(17..23, *b"\0\x06\x68\xce\x3c\x80\0\0");
        assert_eq!(clean_sequence_header(&padded), HEADER);
        assert_eq!(clean_sequence_header(HEADER), HEADER);
    }

    #[test]
    fn what_makes_no_sense_stays_as_it_is() {
        for len in 0..HEADER.len() - 3 {
            assert_eq!(clean_sequence_header(&HEADER[..len]), &HEADER[..len], "{len}");
        }
    }
}
