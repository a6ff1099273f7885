//! AAC in ADTS: frame after frame, behind ID3 tags.

use super::super::es::headers::{Frame, HEAD_MAX, Head, head};
use super::super::event::{Codec, Config};
use super::{IndexError, List, Read, foreign};
use crate::adts;
use crate::layout::Stored;

/// Bytes of an ID3 tag before its body.
const TAG: u64 = 10;

/// Lists all frames; answers what is missing at the end.
pub(super) fn index(length: u64, read: &mut Read<'_>, list: &mut List) -> Result<Option<String>, IndexError> {
    let mut at = tags(length, read)?;
    let mut bytes = [0; HEAD_MAX];
    while at < length {
        let left = length - at;
        let start = bytes.get_mut(..HEAD_MAX.min(usize::try_from(left).unwrap_or(HEAD_MAX))).unwrap_or_default();
        read(at, start)?;
        let frame = match head(Codec::Aac, start) {
            Head::Frame(frame) => frame,
            Head::More => return Ok(Some(format!("{left} bytes of a frame at its end are incomplete"))),
            Head::Bad => return Err(foreign(format!("no ADTS frame begins at byte {at}"))),
        };
        if frame.length as u64 > left {
            return Ok(Some(format!("{left} bytes of a frame of {} at its end are incomplete", frame.length)));
        }
        let Frame { strip, length, samples, config } = frame;
        if samples != adts::SAMPLES {
            return Err(foreign(format!(
                "the frame at byte {at} has {samples} samples, and frames of 1024 are copied"
            )));
        }
        if config.channels == 0 {
            // Configuration 0: only the content of a frame tells the channels, and the configuration needs it.
            return Err(foreign("its ADTS headers do not tell the channels"));
        }
        let stored = Stored { offset: at + strip as u64, len: (length - strip) as u32, key: true };
        list.add(stored, Config::Audio(config))?;
        at += length as u64;
    }
    Ok(None)
}

/// Where the first frame may begin.
fn tags(length: u64, read: &mut Read<'_>) -> Result<u64, IndexError> {
    let mut at = 0;
    while length.saturating_sub(at) >= TAG {
        let mut header = [0; TAG as usize];
        read(at, &mut header)?;
        let [b'I', b'D', b'3', _, _, flags, size @ ..] = header else { break };
        let body = size.iter().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        at += TAG + body + if flags & 0x10 == 0 { 0 } else { TAG };
    }
    Ok(at)
}
