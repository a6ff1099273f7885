//! Converts samples to a WAV file: the host accepts files, not samples without a header.

/// Length of the header in bytes.
const HEADER_BYTES: u32 = 44;
/// Bytes of one sample of one channel.
const SAMPLE_BYTES: u32 = 2;

/// A RIFF WAVE file of signed 16 bit samples.
///
/// # Errors
/// A sentence if rate or channels are out of range, or if the file would be too large.
pub fn of_samples(samples: &[u8], sample_rate_hz: u64, channels: u64) -> Result<Vec<u8>, String> {
    let rate = u32::try_from(sample_rate_hz).ok().filter(|rate| (1..=384_000).contains(rate));
    let rate = rate.ok_or(format!("a sample rate of {sample_rate_hz} Hz"))?;
    let count = u16::try_from(channels).ok().filter(|count| (1..=8).contains(count));
    let count = count.ok_or(format!("{channels} channels; 1 to 8 can be taken"))?;
    let length = u32::try_from(samples.len()).ok().filter(|length| *length <= u32::MAX - HEADER_BYTES);
    let length = length.ok_or(format!("{} bytes of samples are too many", samples.len()))?;
    let block = u16::try_from(SAMPLE_BYTES).unwrap_or_default() * count;
    let mut file = Vec::with_capacity(samples.len() + HEADER_BYTES as usize);
    file.extend(b"RIFF");
    file.extend((length + HEADER_BYTES - 8).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // PCM
    file.extend(1_u16.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_stands_before_the_samples() {
        let file = of_samples(&[1, 2, 3, 4], 16_000, 2).unwrap();
        assert_eq!((file.len(), &file[..4], &file[8..16]), (48, b"RIFF".as_slice(), b"WAVEfmt ".as_slice()));
        let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((number(4), number(24), number(28), number(40)), (40, 16_000, 64_000, 4));
        assert_eq!((&file[22..24], &file[32..34], &file[34..36]), (&[2, 0][..], &[4, 0][..], &[16, 0][..]));
        assert_eq!(&file[44..], [1, 2, 3, 4]);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        assert!(of_samples(&[], 0, 2).unwrap_err().contains("0 Hz"));
        assert!(of_samples(&[], u64::MAX, 2).is_err());
        assert!(of_samples(&[], 48_000, 0).unwrap_err().contains("0 channels"));
        assert!(of_samples(&[], 48_000, 9).is_err());
    }
}
