//! Checks the chunks of a RIFF WAVE file before a library reads them: their number, their tags, the channels. The
//! library checks that chunks have the bytes that they declare.

use super::{Container, ProbeError};
use crate::limits::{PROBE_CHANNELS_MAX, PROBE_CHUNKS_MAX, PROBE_TAGS_BYTES_MAX};

/// Checks a whole file.
///
/// # Errors
/// [`ProbeError::Damaged`] with the exceeded limit.
pub fn check(data: &[u8]) -> Result<(), ProbeError> {
    // RIFF, length, WAVE.
    let mut rest = data.get(12..).unwrap_or_default();
    let mut chunks = 0;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        chunks += 1;
        if chunks > PROBE_CHUNKS_MAX {
            return damaged(format!("it has more than {PROBE_CHUNKS_MAX} chunks"));
        }
        match &[a, b, c, d] {
            // What follows the sound is not read.
            b"data" => return Ok(()),
            b"LIST" if length > PROBE_TAGS_BYTES_MAX => {
                return damaged(format!("its tags have {length} bytes; at most {PROBE_TAGS_BYTES_MAX} are read"));
            }
            b"fmt " => {
                let channels = body.get(2..4).and_then(|field| field.try_into().ok()).map_or(0, u16::from_le_bytes);
                if u32::from(channels) > PROBE_CHANNELS_MAX {
                    return damaged(format!("it has {channels} channels; at most {PROBE_CHANNELS_MAX} are taken"));
                }
            }
            _ => {}
        }
        // Chunks begin at even bytes.
        rest = body.get(length.saturating_add(length % 2)..).unwrap_or_default();
    }
    Ok(())
}

fn damaged<T>(what: String) -> Result<T, ProbeError> {
    Err(ProbeError::Damaged { container: Container::Wav, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&name[..], &u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
    }

    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        [&b"RIFF\0\0\0\0WAVE"[..], &chunks.concat()].concat()
    }

    #[test]
    fn what_is_too_much_is_named() {
        let fmt = |channels: u8| chunk(b"fmt ", &[1, 0, channels, 0, 0x80, 0xbb, 0, 0, 0, 0, 0, 0, 2, 0, 16, 0]);
        let data = chunk(b"data", &[0; 8]);
        assert_eq!(check(&file(&[fmt(2), chunk(b"LIST", &[0; 7]), vec![0], data.clone()])), Ok(()));
        let wrong = |chunks: &[Vec<u8>]| check(&file(chunks)).unwrap_err().to_string();
        assert!(wrong(&[fmt(200)]).ends_with("it has 200 channels; at most 32 are taken"));
        assert!(wrong(&[fmt(2), chunk(b"LIST", &vec![0; PROBE_TAGS_BYTES_MAX + 2])]).contains("its tags have "));
        let many = vec![chunk(b"junk", b""); PROBE_CHUNKS_MAX + 1];
        assert!(wrong(&many).contains("more than 1024 chunks"));
        assert_eq!(check(&file(&[[vec![data], many].concat().concat()])), Ok(()), "what follows the sound is not read");
        assert_eq!(check(&file(&[[b"data".to_vec(), vec![0xff; 4]].concat()])), Ok(()), "from a pipe");
        assert_eq!(check(&file(&[[b"junk".to_vec(), vec![0xff; 4]].concat()])), Ok(()), "cut off: its reader tells");
    }
}
