//! Parses the first bytes of a tag's body: frame type, codec, packet type, composition time.
//!
//! In: the start of a body (5 bytes are enough, except for script data). Out: facts. Bodies in the newer enhanced-RTMP
//! form are recognised, so that a stream that needs it is refused with a reason instead of going on air broken.

use thiserror::Error;

/// Why a body cannot be parsed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// The body is shorter than its own header.
    #[error("the tag body has {len} bytes, its header alone takes {needed}")]
    Short {
        /// Length of the body, in bytes.
        len: usize,
        /// Length of the body's header, in bytes.
        needed: usize,
    },
    /// An enhanced-RTMP body (FourCC codecs: HEVC, AV1, VP9, Opus...).
    #[error("enhanced-RTMP body with codec {:?}, expected plain FLV (H.264 and AAC)", String::from_utf8_lossy(.0))]
    Enhanced([u8; 4]),
}

/// The role of a frame for the decoder. The numbers are those of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// 1: decoding can start here.
    Key,
    /// 2: depends on earlier frames.
    Inter,
    /// 3: depends on earlier frames, and no frame depends on it.
    Disposable,
    /// 4 (generated key frame), 5 (info or command) and anything else.
    Other(u8),
}

/// The role of an H.264 or AAC body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// 0: the decoder's configuration, not media.
    SequenceHeader,
    /// 1: a frame of video, or a packet of audio.
    Media,
    /// 2: the end of a sequence (H.264 only), not media.
    EndOfSequence,
    /// A number that is not in the format.
    Other(u8),
}

impl PacketType {
    fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::SequenceHeader,
            1 => Self::Media,
            2 => Self::EndOfSequence,
            other => Self::Other(other),
        }
    }
}

/// Codec number of H.264 in a video body.
pub const CODEC_AVC: u8 = 7;
/// Format number of AAC in an audio body.
pub const FORMAT_AAC: u8 = 10;
/// Format number of MP3 in an audio body.
pub const FORMAT_MP3: u8 = 2;

/// The facts of a video body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFacts {
    /// The role of the frame for the decoder.
    pub frame: FrameType,
    /// Number of the codec; [`CODEC_AVC`] is H.264.
    pub codec: u8,
    /// Role of the body; always media for codecs other than H.264.
    pub packet: PacketType,
    /// Presentation time minus decoding time, in milliseconds.
    pub composition_ms: i32,
}

impl VideoFacts {
    /// Parses the start of a body.
    ///
    /// # Errors
    /// [`BodyError`] if it is too short, or in the enhanced-RTMP form.
    pub fn parse(body: &[u8]) -> Result<Self, BodyError> {
        let first = byte(body, 0, 1)?;
        // Bit 7 is "ExVideoTagHeader" of enhanced RTMP v1: the plain frame types end at 5.
        if first & 0x80 != 0 {
            return Err(enhanced(body));
        }
        let frame = match first >> 4 {
            1 => FrameType::Key,
            2 => FrameType::Inter,
            3 => FrameType::Disposable,
            other => FrameType::Other(other),
        };
        let codec = first & 0x0F;
        if codec != CODEC_AVC {
            return Ok(Self { frame, codec, packet: PacketType::Media, composition_ms: 0 });
        }
        let head = body.first_chunk::<5>().ok_or(BodyError::Short { len: body.len(), needed: 5 })?;
        let [_, packet, c0, c1, c2] = *head;
        // 24 bits with a sign: shifted up and down again.
        let composition_ms = i32::from_be_bytes([c0, c1, c2, 0]) >> 8;
        Ok(Self { frame, codec, packet: PacketType::from_byte(packet), composition_ms })
    }

    /// True if it is a frame of media at which decoding can start.
    pub fn is_key_picture(&self) -> bool {
        self.frame == FrameType::Key && self.packet == PacketType::Media
    }
}

/// The facts of an audio body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFacts {
    /// Number of the format; [`FORMAT_AAC`] is AAC.
    pub format: u8,
    /// Role of the body; always media for formats other than AAC.
    pub packet: PacketType,
}

impl AudioFacts {
    /// Parses the start of a body.
    ///
    /// # Errors
    /// [`BodyError`] if it is too short, or in the enhanced-RTMP form.
    pub fn parse(body: &[u8]) -> Result<Self, BodyError> {
        let format = byte(body, 0, 1)? >> 4;
        match format {
            // "ExAudioTagHeader" of enhanced RTMP v2.
            9 => Err(enhanced(body)),
            FORMAT_AAC => Ok(Self { format, packet: PacketType::from_byte(byte(body, 1, 2)?) }),
            _ => Ok(Self { format, packet: PacketType::Media }),
        }
    }
}

fn byte(body: &[u8], at: usize, needed: usize) -> Result<u8, BodyError> {
    body.get(at).copied().ok_or(BodyError::Short { len: body.len(), needed })
}

fn enhanced(body: &[u8]) -> BodyError {
    match body.get(1..5).and_then(|four| four.try_into().ok()) {
        Some(four) => BodyError::Enhanced(four),
        None => BodyError::Short { len: body.len(), needed: 5 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_facts() {
        let parse = |body: &[u8]| VideoFacts::parse(body);
        let header = parse(&[0x17, 0, 0, 0, 0, 1]).unwrap();
        assert_eq!((header.packet, header.is_key_picture()), (PacketType::SequenceHeader, false));
        let key = parse(&[0x17, 1, 0, 0, 80, 9]).unwrap();
        assert_eq!((key.frame, key.codec, key.composition_ms), (FrameType::Key, CODEC_AVC, 80));
        assert!(key.is_key_picture());
        let negative = parse(&[0x27, 1, 0xFF, 0xFF, 0xD8]).unwrap();
        assert_eq!((negative.frame, negative.composition_ms), (FrameType::Inter, -40));
        assert_eq!(parse(&[0x37, 2, 0, 0, 0]).unwrap().packet, PacketType::EndOfSequence);
        assert_eq!(parse(&[0x37, 2, 0, 0, 0]).unwrap().frame, FrameType::Disposable);
        assert_eq!(parse(&[0x57, 9, 0, 0, 0]).unwrap().frame, FrameType::Other(5));
        assert_eq!(parse(&[0x12]).unwrap().packet, PacketType::Media);
        assert_eq!(parse(&[]), Err(BodyError::Short { len: 0, needed: 1 }));
        assert_eq!(parse(&[0x17, 1]), Err(BodyError::Short { len: 2, needed: 5 }));
        let refused = parse(b"\x90hvc1rest").unwrap_err();
        assert_eq!(refused, BodyError::Enhanced(*b"hvc1"));
        assert!(refused.to_string().contains("hvc1"));
        assert_eq!(parse(b"\x90hv"), Err(BodyError::Short { len: 3, needed: 5 }));
    }

    #[test]
    fn audio_facts() {
        let parse = |body: &[u8]| AudioFacts::parse(body);
        assert_eq!(parse(&[0xAF, 0, 0x12, 0x10]).unwrap().packet, PacketType::SequenceHeader);
        let media = parse(&[0xAF, 1, 9]).unwrap();
        assert_eq!((media.format, media.packet), (FORMAT_AAC, PacketType::Media));
        assert_eq!(parse(&[0xAF, 7]).unwrap().packet, PacketType::Other(7));
        assert_eq!(parse(&[0x2F]).unwrap(), AudioFacts { format: FORMAT_MP3, packet: PacketType::Media });
        assert_eq!(parse(&[]), Err(BodyError::Short { len: 0, needed: 1 }));
        assert_eq!(parse(&[0xAF]), Err(BodyError::Short { len: 1, needed: 2 }));
        assert_eq!(parse(b"\x90Opus"), Err(BodyError::Enhanced(*b"Opus")));
    }
}
