//! What the first bytes of a file are: the containers that can be used, or a name for what came instead.

use super::error::FetchError;
use super::segment::Container;

/// Bytes that [`sniff`] wants to see unless the file is shorter.
pub(super) const SNIFF_BYTES: usize = 1024;

const TS_PACKET: usize = 188;
const TS_SYNC: u8 = 0x47;
const MEDIA: &str = "MPEG-TS, fragmented MP4 or AAC";

/// Tells the container of a segment from its first bytes (at least [`SNIFF_BYTES`] or the whole file).
///
/// # Errors
/// [`FetchError::Content`] with what the bytes look like: an error page must not reach the disk as media.
pub(super) fn sniff(head: &[u8]) -> Result<Container, FetchError> {
    if is_ts(head) {
        return Ok(Container::MpegTs);
    }
    if let Some(kind) = box_type(head)
        && [b"styp", b"moof", b"sidx", b"ftyp", b"emsg", b"prft", b"free", b"skip", b"uuid", b"moov", b"ssix"]
            .contains(&&kind)
    {
        return Ok(Container::Fmp4);
    }
    let audio = after_id3(head);
    match audio {
        // MPEG audio sync with layer 0 is ADTS; other layers are MP3.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Ok(Container::PackedAac),
        // An ID3 tag longer than what we see: packed audio begins with one (RFC 8216 section 3.4).
        [] if head.starts_with(b"ID3") => Ok(Container::PackedAac),
        _ => Err(FetchError::Content { expected: MEDIA, got: describe(audio) }),
    }
}

/// Tells an initialization section: MP4 boxes, or the tables of a transport stream.
pub(super) fn sniff_init(head: &[u8]) -> Result<Container, FetchError> {
    match sniff(head) {
        Ok(container @ (Container::Fmp4 | Container::MpegTs)) => Ok(container),
        _ => Err(FetchError::Content { expected: "an initialization section", got: describe(head) }),
    }
}

/// A short name for bytes that are not what was expected.
pub(super) fn describe(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head.get(..64.min(head.len())).unwrap_or_default());
    let start = text.trim_start_matches(['\u{feff}', ' ', '\r', '\n', '\t']);
    if head.is_empty() {
        "nothing".into()
    } else if start.starts_with("<?xml") {
        "an XML document".into()
    } else if start.starts_with('<') {
        "a web page (HTML)".into()
    } else if start.starts_with("#EXTM3U") {
        "a playlist".into()
    } else if start.starts_with("WEBVTT") {
        "subtitles (WebVTT)".into()
    } else if start.starts_with('{') {
        "JSON".into()
    } else if matches!(head, [0xFF, second, ..] if second & 0xE0 == 0xE0) {
        "MPEG audio that is not AAC".into()
    } else if head.starts_with(&[0x0B, 0x77]) {
        "AC-3 audio".into()
    } else {
        let bytes: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("bytes {}", bytes.join(" "))
    }
}

/// The bytes after a leading ID3 tag (ID3v2.4 section 3.1: a size of four times seven bits).
fn after_id3(head: &[u8]) -> &[u8] {
    let [b'I', b'D', b'3', _, _, _, a, b, c, d, ..] = *head else { return head };
    let size = [a, b, c, d].iter().fold(0_usize, |size, byte| size << 7 | usize::from(byte & 0x7F));
    head.get(10 + size..).unwrap_or_default()
}

fn is_ts(head: &[u8]) -> bool {
    head.first() == Some(&TS_SYNC) && head.get(TS_PACKET).is_none_or(|&byte| byte == TS_SYNC)
}

fn box_type(head: &[u8]) -> Option<[u8; 4]> {
    head.get(4..8)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts() -> Vec<u8> {
        let mut bytes = vec![0; TS_PACKET * 3];
        bytes.iter_mut().step_by(TS_PACKET).for_each(|byte| *byte = TS_SYNC);
        bytes
    }

    #[test]
    fn knows_the_three_containers() {
        assert_eq!(sniff(&ts()).unwrap(), Container::MpegTs);
        assert_eq!(sniff(b"\0\0\0\x18stypmsdh").unwrap(), Container::Fmp4);
        assert_eq!(sniff(b"\0\0\0\x18moofmsdh").unwrap(), Container::Fmp4);
        assert_eq!(sniff(&[0xFF, 0xF1, 0x50]).unwrap(), Container::PackedAac);
        assert_eq!(sniff(b"ID3\x04\0\0\0\0\0\x02xx\xFF\xF1\x50").unwrap(), Container::PackedAac);
        assert_eq!(sniff(b"ID3\x04\0\0\0\0\x7F\x02xx").unwrap(), Container::PackedAac, "a tag longer than the head");
    }

    #[test]
    fn names_what_came_instead() {
        let mut one_sync = ts();
        one_sync[TS_PACKET] = 0;
        for (head, got) in [
            (&b"<!DOCTYPE html>"[..], "a web page (HTML)"),
            (b" \n<?xml version", "an XML document"),
            (b"#EXTM3U\n", "a playlist"),
            (b"WEBVTT\n", "subtitles (WebVTT)"),
            (b"{\"error\":1}", "JSON"),
            (b"", "nothing"),
            (&[0xFF, 0xFB, 0x90], "MPEG audio that is not AAC"),
            (b"ID3\x04\0\0\0\0\0\0\xFF\xFB\x90", "MPEG audio that is not AAC"),
            (&[0x0B, 0x77, 0], "AC-3 audio"),
            (&one_sync, "bytes 47 00 00 00 00 00 00 00"),
        ] {
            let error = sniff(head).unwrap_err().to_string();
            assert!(error.ends_with(&format!("got {got}")), "{error}");
        }
    }

    #[test]
    fn an_initialization_section_is_boxes_or_tables() {
        assert_eq!(sniff_init(b"\0\0\0\x18ftypiso5").unwrap(), Container::Fmp4);
        assert_eq!(sniff_init(&ts()).unwrap(), Container::MpegTs);
        assert!(sniff_init(&[0xFF, 0xF1, 0x50]).is_err());
    }
}
