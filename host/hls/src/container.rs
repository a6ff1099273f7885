//! Detects the container from the first bytes of a file, or describes what the file is instead.

use super::error::FetchError;
use crate::limits::BYTES_BEFORE_SYNC_MAX;
use outboard_media::segment::Container;

/// Bytes that [`sniff`] needs unless the file is shorter.
pub(super) const SNIFF_BYTES: usize = 1024;

/// Bytes that [`sniff`] examines before it gives up.
pub(super) const SNIFF_BYTES_MAX: usize = BYTES_BEFORE_SYNC_MAX + SYNCS * FEC_PACKET;

pub(super) const TS_PACKET: usize = 188;
/// Size of a packet with a time stamp of four bytes before it (Blu-ray, camcorders).
const M2TS_PACKET: usize = 192;
/// Size of a packet with sixteen bytes of error correction after it (DVB).
const FEC_PACKET: usize = 204;
/// Number of sync bytes in a row that identify a transport stream after other bytes.
const SYNCS: usize = 4;
/// Length of the start of a file that shows whether it is text.
const TEXT_BYTES: usize = 64;
const TS_SYNC: u8 = 0x47;
const MEDIA: &str = "MPEG-TS, fragmented MP4 or AAC";

/// The start of the media in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) container: Container,
    /// Bytes before the media that are dropped.
    pub(super) skip: usize,
    /// Distance between transport stream packets in bytes: 188, or more with the additions of some recorders.
    pub(super) stride: usize,
}

impl Start {
    fn at_once(container: Container) -> Self {
        Self { container, skip: 0, stride: TS_PACKET }
    }

    /// Bytes before the media that do not belong to it; a Blu-ray's time stamp before a packet does.
    pub(super) fn junk(self) -> usize {
        if self.stride == M2TS_PACKET { self.skip.saturating_sub(M2TS_PACKET - TS_PACKET) } else { self.skip }
    }
}

/// Detects the start of the media from the first bytes (at least [`SNIFF_BYTES`], or `whole`). `None`: more bytes are
/// needed.
///
/// # Errors
/// [`FetchError::Content`] with a description of the bytes: an error page must not be stored as media.
pub(super) fn sniff(head: &[u8], whole: bool) -> Result<Option<Start>, FetchError> {
    if let Some(start) = at_once(head).or_else(|| after_junk(head)) {
        return Ok(Some(start));
    }
    if let Some(container) = packed_audio(head) {
        return Ok(Some(Start::at_once(container)));
    }
    if !whole && head.len() < SNIFF_BYTES_MAX && !is_text(head) {
        return Ok(None);
    }
    Err(FetchError::Content { expected: MEDIA, got: describe(after_id3(head)) })
}

/// A transport stream or MP4 boxes from the first byte on.
fn at_once(head: &[u8]) -> Option<Start> {
    if is_ts(head) {
        return Some(Start::at_once(Container::MpegTs));
    }
    if let Some(kind) = box_type(head)
        && [b"styp", b"moof", b"sidx", b"ftyp", b"emsg", b"prft", b"free", b"skip", b"uuid", b"moov", b"ssix"]
            .contains(&&kind)
    {
        return Some(Start::at_once(Container::Fmp4));
    }
    None
}

/// A transport stream after other bytes: [`SYNCS`] sync bytes at the distance of packets.
fn after_junk(head: &[u8]) -> Option<Start> {
    (0..head.len().min(BYTES_BEFORE_SYNC_MAX)).find_map(|skip| {
        let fits = |stride: usize| (0..SYNCS).all(|n| head.get(skip + n * stride) == Some(&TS_SYNC));
        let stride = [TS_PACKET, M2TS_PACKET, FEC_PACKET].into_iter().find(|stride| fits(*stride))?;
        Some(Start { container: Container::MpegTs, skip, stride })
    })
}

fn packed_audio(head: &[u8]) -> Option<Container> {
    match after_id3(head) {
        // MPEG audio sync with layer 0 is ADTS; other layers are MP3.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some(Container::PackedAac),
        // An ID3 tag longer than the examined bytes: packed audio begins with one (RFC 8216 section 3.4).
        [] if head.starts_with(b"ID3") => Some(Container::PackedAac),
        _ => None,
    }
}

/// Whether the file is text: pages and messages are refused at once.
fn is_text(head: &[u8]) -> bool {
    let start = head.get(..TEXT_BYTES.min(head.len())).unwrap_or_default();
    let readable = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The text is truncated within a character.
        Err(wrong) if wrong.error_len().is_none() => {
            std::str::from_utf8(start.get(..wrong.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !readable.is_empty() && !readable.chars().any(|char| char.is_control() && !char.is_whitespace())
}

/// Detects an initialization section: MP4 boxes, or the tables of a transport stream.
pub(super) fn sniff_init(bytes: &[u8]) -> Result<Start, FetchError> {
    let head = bytes.get(..SNIFF_BYTES_MAX.min(bytes.len())).unwrap_or_default();
    match sniff(head, true) {
        Ok(Some(start)) if start.container != Container::PackedAac && start.stride == TS_PACKET => Ok(start),
        _ => Err(FetchError::Content { expected: "an initialization section", got: describe(head) }),
    }
}

/// A short description of unexpected bytes.
pub(super) fn describe(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head.get(..TEXT_BYTES.min(head.len())).unwrap_or_default());
    let start = text.trim_start_matches(['\u{feff}', ' ', '\r', '\n', '\t']);
    if head.is_empty() {
        "nothing".into()
    } else if start.starts_with("<?xml") {
        "an XML document".into()
    } else if start.starts_with('<') && is_text(head) {
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

    fn container(head: &[u8]) -> Container {
        sniff(head, true).unwrap().unwrap().container
    }

    #[test]
    fn knows_the_three_containers() {
        assert_eq!(container(&ts()), Container::MpegTs);
        assert_eq!(container(b"\0\0\0\x18stypmsdh"), Container::Fmp4);
        assert_eq!(container(b"\0\0\0\x18moofmsdh"), Container::Fmp4);
        assert_eq!(container(&[0xFF, 0xF1, 0x50]), Container::PackedAac);
        assert_eq!(container(b"ID3\x04\0\0\0\0\0\x02xx\xFF\xF1\x50"), Container::PackedAac);
        assert_eq!(container(b"ID3\x04\0\0\0\0\x7F\x02xx"), Container::PackedAac, "a tag longer than the head");
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
            (b"<\x80\x01\xff", "bytes 3c 80 01 ff"),
            (&[0xFF, 0xFB, 0x90], "MPEG audio that is not AAC"),
            (b"ID3\x04\0\0\0\0\0\0\xFF\xFB\x90", "MPEG audio that is not AAC"),
            (&[0x0B, 0x77, 0], "AC-3 audio"),
            (&one_sync, "bytes 47 00 00 00 00 00 00 00"),
        ] {
            let error = sniff(head, true).unwrap_err().to_string();
            assert!(error.ends_with(&format!("got {got}")), "{error}");
        }
    }

    /// `count` packets at the distance `stride`, after `junk` bytes.
    fn packets(junk: &[u8], stride: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; stride * count];
        bytes.iter_mut().step_by(stride).for_each(|byte| *byte = TS_SYNC);
        [junk, &bytes].concat()
    }

    #[test]
    fn finds_a_transport_stream_behind_other_bytes() {
        let start = |head: &[u8]| sniff(head, false).unwrap().map(|start| (start.skip, start.stride, start.junk()));
        for junk in [&b"<\x80 page"[..], &[0x0B, 0x77, 0, 0, 0], &[0xFF; 376], &[0x47], &[0xFF, 0xF1, 0x50]] {
            assert_eq!(start(&packets(junk, 188, 4)), Some((junk.len(), 188, junk.len())), "{junk:?}");
        }
        assert_eq!(start(&packets(&[], 204, 4)), Some((0, 204, 0)));
        assert_eq!(start(&packets(&[0, 1, 2, 3], 192, 4)), Some((4, 192, 0)), "a time stamp is no junk");
        assert_eq!(start(&packets(&[0xFF; 20], 192, 4)), Some((20, 192, 16)));
        let deep = packets(&vec![0xFF; BYTES_BEFORE_SYNC_MAX - 1], 188, 4);
        assert_eq!(start(&deep), Some((BYTES_BEFORE_SYNC_MAX - 1, 188, BYTES_BEFORE_SYNC_MAX - 1)));
    }

    #[test]
    fn looks_on_only_where_it_may_be_media() {
        assert!(sniff(&[0xFF; SNIFF_BYTES], false).unwrap().is_none(), "more bytes may tell");
        assert!(sniff(&[0xFF; SNIFF_BYTES], true).is_err(), "no more come");
        assert!(sniff(&vec![0xFF; SNIFF_BYTES_MAX], false).is_err(), "far enough");
        assert!(sniff(&packets(&[0xFF; 10], 188, 3), true).is_err(), "too few packets to be sure");
        for text in [&b"<html><body>Not found"[..], "Zugriff verweigert für".as_bytes(), b"{\"error\": 1}"] {
            assert!(sniff(text, false).is_err(), "text is refused at once");
        }
    }

    #[test]
    fn an_initialization_section_is_boxes_or_tables() {
        assert_eq!(sniff_init(b"\0\0\0\x18ftypiso5").unwrap().container, Container::Fmp4);
        assert_eq!(sniff_init(&ts()).unwrap().container, Container::MpegTs);
        assert_eq!(sniff_init(&packets(&[0xFF; 9], 188, 4)).unwrap().skip, 9);
        assert!(sniff_init(&[0xFF, 0xF1, 0x50]).is_err());
    }
}
