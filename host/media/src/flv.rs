//! FLV: reads and writes the tags of an FLV byte stream.
//!
//! In: bytes in pieces of any size ([`TagReader`]). Out: whole tags, with the position of their bodies in the stream.
//! The opposite direction: [`FileHeader::to_bytes`], [`write_tag`]. [`body`] parses the bodies, [`head`] makes them, [`metadata`] writes that of
//! the script tag. Limits: a reader holds one tag and the last piece; the format limits a body to 16 MiB - 1 byte.
//!
//! Source of the layout: Adobe Flash Video File Format Specification 10.1, annex E.

pub mod body;
pub mod head;
pub mod metadata;

use thiserror::Error;

/// Bytes of the file header, without the back pointer (`PreviousTagSize0`) after it.
pub const FILE_HEADER_LEN: usize = 9;
/// Bytes before a tag's body.
pub const TAG_HEADER_LEN: usize = 11;
/// Bytes of the back pointer after the file header and after each tag.
pub const BACK_POINTER_LEN: usize = 4;
/// Longest body that the format can express, in bytes.
pub const BODY_MAX: usize = 0x00FF_FFFF;

/// Why bytes are not an FLV stream.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FlvError {
    /// The stream does not start with an FLV header.
    #[error("not an FLV stream: it starts with {0:02x?}, expected \"FLV\" and version 1")]
    NotFlv([u8; 4]),
    /// The length of the file header is not that of version 1.
    #[error("the FLV header says it is {0} bytes long, expected {FILE_HEADER_LEN}")]
    HeaderLength(u32),
    /// A tag of an unknown kind; usually the reader lost its position.
    #[error("tag at byte {offset} has kind {kind}, expected 8 (audio), 9 (video) or 18 (script data)")]
    TagKind {
        /// Position of the tag in the stream, in bytes.
        offset: u64,
        /// The kind byte of the tag.
        kind: u8,
    },
    /// The tag is encrypted (Adobe's filter bit).
    #[error("tag at byte {0} is encrypted, expected a plain one")]
    Encrypted(u64),
    /// The length after a tag is not that of the tag.
    #[error("tag at byte {offset} is followed by the length {found}, expected {expected}")]
    BackPointer {
        /// Position of the tag in the stream, in bytes.
        offset: u64,
        /// The length that was found, in bytes.
        found: u32,
        /// The length of the tag with its header, in bytes.
        expected: u32,
    },
    /// The stream ended inside a tag.
    #[error("the FLV stream ended inside the tag at byte {0}")]
    Truncated(u64),
    /// A body that is to be written is longer than the format allows.
    #[error("a tag body of {0} bytes is too long for FLV, at most {BODY_MAX}")]
    BodyTooLong(usize),
}

/// The content of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// A packet of audio.
    Audio,
    /// A packet of video.
    Video,
    /// Script data, such as `onMetaData`, in AMF0.
    Script,
}

impl TagKind {
    /// The kind for a type byte, which is also the type of the RTMP message with the same body; `None`: unknown.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Script),
            _ => None,
        }
    }

    /// The type byte of this kind.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }
}

/// The header at the start of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// True if the stream declares audio.
    pub audio: bool,
    /// True if the stream declares video.
    pub video: bool,
}

impl FileHeader {
    /// The bytes of the header and of the zero back pointer after it.
    pub fn to_bytes(self) -> [u8; FILE_HEADER_LEN + BACK_POINTER_LEN] {
        let flags = u8::from(self.audio) << 2 | u8::from(self.video);
        [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
    }

    /// Parses a file header.
    ///
    /// # Errors
    /// [`FlvError::NotFlv`] or [`FlvError::HeaderLength`].
    pub fn parse(bytes: &[u8; FILE_HEADER_LEN]) -> Result<Self, FlvError> {
        let [f, l, v, version, flags, len @ ..] = *bytes;
        if [f, l, v, version] != [b'F', b'L', b'V', 1] {
            return Err(FlvError::NotFlv([f, l, v, version]));
        }
        let len = u32::from_be_bytes(len);
        if len as usize != FILE_HEADER_LEN {
            return Err(FlvError::HeaderLength(len));
        }
        Ok(Self { audio: flags & 4 != 0, video: flags & 1 != 0 })
    }
}

/// The header before a tag's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHeader {
    /// The content of the body.
    pub kind: TagKind,
    /// Decoding time in milliseconds: all 32 bits, with the extended byte. Wraps after 49.7 days.
    pub timestamp_ms: u32,
    /// Length of the body in bytes.
    pub len: u32,
}

impl TagHeader {
    /// The bytes of the header.
    pub fn to_bytes(self) -> [u8; TAG_HEADER_LEN] {
        let [_, l0, l1, l2] = self.len.to_be_bytes();
        let [extended, t0, t1, t2] = self.timestamp_ms.to_be_bytes();
        [self.kind.to_byte(), l0, l1, l2, t0, t1, t2, extended, 0, 0, 0]
    }

    /// Parses the header of the tag at byte `offset` of its stream; the offset is for errors.
    ///
    /// # Errors
    /// [`FlvError::TagKind`] or [`FlvError::Encrypted`].
    pub fn parse(bytes: &[u8; TAG_HEADER_LEN], offset: u64) -> Result<Self, FlvError> {
        let [kind, l0, l1, l2, t0, t1, t2, extended, ..] = *bytes;
        if kind & 0x20 != 0 {
            return Err(FlvError::Encrypted(offset));
        }
        Ok(Self {
            kind: TagKind::from_byte(kind & 0x1F).ok_or(FlvError::TagKind { offset, kind })?,
            timestamp_ms: u32::from_be_bytes([extended, t0, t1, t2]),
            len: u32::from_be_bytes([0, l0, l1, l2]),
        })
    }
}

/// Appends a tag with its back pointer.
///
/// # Errors
/// [`FlvError::BodyTooLong`]; nothing is written then.
pub fn write_tag(out: &mut Vec<u8>, kind: TagKind, timestamp_ms: u32, body: &[u8]) -> Result<(), FlvError> {
    write_tag_of(out, kind, timestamp_ms, &[body])
}

/// Appends a tag whose body is these pieces, with its back pointer.
///
/// # Errors
/// [`FlvError::BodyTooLong`]; nothing is written then.
pub fn write_tag_of(out: &mut Vec<u8>, kind: TagKind, timestamp_ms: u32, body: &[&[u8]]) -> Result<(), FlvError> {
    let whole = body.iter().map(|piece| piece.len()).sum();
    let len = u32::try_from(whole).ok().filter(|len| *len as usize <= BODY_MAX);
    let len = len.ok_or(FlvError::BodyTooLong(whole))?;
    out.extend_from_slice(&TagHeader { kind, timestamp_ms, len }.to_bytes());
    body.iter().for_each(|piece| out.extend_from_slice(piece));
    out.extend_from_slice(&(len + TAG_HEADER_LEN as u32).to_be_bytes());
    Ok(())
}

/// A whole tag in the reader's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRef<'a> {
    /// The content of the body.
    pub kind: TagKind,
    /// Decoding time in milliseconds, 32 bits.
    pub timestamp_ms: u32,
    /// Position of the body in the stream, in bytes.
    pub offset: u64,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// Reads the tags of a stream that arrives in pieces.
#[derive(Debug, Default)]
pub struct TagReader {
    /// Bytes that are not dropped yet; those before `at` were read.
    buffer: Vec<u8>,
    at: usize,
    /// Position in the stream of `buffer[0]`.
    base: u64,
    header: Option<FileHeader>,
}

impl TagReader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream's header, once [`TagReader::next_tag`] has read it.
    pub fn header(&self) -> Option<FileHeader> {
        self.header
    }

    /// Adds the next piece of the stream. Read all tags before the next piece, or the buffer grows.
    pub fn feed(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// The next tag; `None` if it is not complete yet.
    ///
    /// # Errors
    /// Any [`FlvError`] but `Truncated` and `BodyTooLong`; the reader must not be used afterwards.
    pub fn next_tag(&mut self) -> Result<Option<TagRef<'_>>, FlvError> {
        if self.header.is_none() {
            let Some(bytes) = self.buffer.first_chunk::<FILE_HEADER_LEN>() else { return Ok(None) };
            let header = FileHeader::parse(bytes)?;
            if self.buffer.len() < FILE_HEADER_LEN + BACK_POINTER_LEN {
                return Ok(None);
            }
            self.header = Some(header);
            self.at = FILE_HEADER_LEN + BACK_POINTER_LEN;
        }
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let Some((head, rest)) = rest.split_first_chunk::<TAG_HEADER_LEN>() else { return Ok(None) };
        let start = self.base + self.at as u64;
        let head = TagHeader::parse(head, start)?;
        let len = head.len as usize;
        let Some((body, rest)) = rest.split_at_checked(len) else { return Ok(None) };
        let Some(back) = rest.first_chunk::<BACK_POINTER_LEN>() else { return Ok(None) };
        let (found, expected) = (u32::from_be_bytes(*back), head.len + TAG_HEADER_LEN as u32);
        if found != expected {
            return Err(FlvError::BackPointer { offset: start, found, expected });
        }
        self.at += TAG_HEADER_LEN + len + BACK_POINTER_LEN;
        let offset = start + TAG_HEADER_LEN as u64;
        Ok(Some(TagRef { kind: head.kind, timestamp_ms: head.timestamp_ms, offset, body }))
    }

    /// Checks that the stream ended at the end of a tag.
    ///
    /// # Errors
    /// [`FlvError::Truncated`] if bytes are left over, or the header is incomplete.
    pub fn finish(&self) -> Result<(), FlvError> {
        if self.header.is_none() || self.at < self.buffer.len() {
            return Err(FlvError::Truncated(self.base + self.at as u64));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(tags: &[(TagKind, u32, &[u8])]) -> Vec<u8> {
        let mut out = FileHeader { audio: true, video: true }.to_bytes().to_vec();
        for (kind, at, body) in tags {
            write_tag(&mut out, *kind, *at, body).unwrap();
        }
        out
    }

    /// Written tags are read back, whatever the size of the pieces, with the positions of their bodies.
    #[test]
    fn tags_survive_any_cutting() {
        let big = vec![7u8; 70_000];
        let tags: [(TagKind, u32, &[u8]); 4] = [
            (TagKind::Script, 0, b"meta"),
            (TagKind::Video, 0x00FF_FFFF, &big),
            (TagKind::Audio, 0x0100_0000, b"a"),
            (TagKind::Video, u32::MAX, b""),
        ];
        let bytes = stream(&tags);
        for piece in [1, 2, 11, 13, 4096, bytes.len()] {
            let mut reader = TagReader::new();
            let mut got = Vec::new();
            for chunk in bytes.chunks(piece) {
                reader.feed(chunk);
                while let Some(tag) = reader.next_tag().unwrap() {
                    let at = tag.offset as usize;
                    assert_eq!(&bytes[at..at + tag.body.len()], tag.body);
                    got.push((tag.kind, tag.timestamp_ms, tag.body.to_vec()));
                }
            }
            reader.finish().unwrap();
            assert_eq!(reader.header(), Some(FileHeader { audio: true, video: true }));
            let want: Vec<_> = tags.iter().map(|(k, t, b)| (*k, *t, b.to_vec())).collect();
            assert_eq!(got, want, "pieces of {piece}");
        }
    }

    fn first_error(bytes: &[u8]) -> FlvError {
        let mut reader = TagReader::new();
        reader.feed(bytes);
        loop {
            match reader.next_tag() {
                Ok(Some(_)) => {}
                Ok(None) => return reader.finish().unwrap_err(),
                Err(error) => return error,
            }
        }
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let good = stream(&[(TagKind::Audio, 5, b"abc")]);
        assert_eq!(first_error(b"RIFF....."), FlvError::NotFlv(*b"RIFF"));
        assert_eq!(first_error(b"FLV\x01\x05\0\0\0\x0a"), FlvError::HeaderLength(10));
        assert_eq!(first_error(b""), FlvError::Truncated(0));
        assert_eq!(first_error(&good[..12]), FlvError::Truncated(0));
        assert_eq!(first_error(&good[..20]), FlvError::Truncated(13));
        let mut bad = good.clone();
        bad[13] = 7;
        assert_eq!(first_error(&bad), FlvError::TagKind { offset: 13, kind: 7 });
        bad[13] = 8 | 0x20;
        assert_eq!(first_error(&bad), FlvError::Encrypted(13));
        let mut bad = good.clone();
        *bad.last_mut().unwrap() = 99;
        assert_eq!(first_error(&bad), FlvError::BackPointer { offset: 13, found: 99, expected: 14 });
    }

    #[test]
    fn a_body_past_the_format_is_refused() {
        let mut out = Vec::new();
        let body = vec![0; BODY_MAX + 1];
        assert_eq!(write_tag(&mut out, TagKind::Video, 0, &body), Err(FlvError::BodyTooLong(BODY_MAX + 1)));
        assert!(out.is_empty());
        write_tag(&mut out, TagKind::Video, 0, &body[1..]).unwrap();
        assert_eq!(out.len(), BODY_MAX + 15);
    }
}
