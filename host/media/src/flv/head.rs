//! Makes bodies of samples: the few bytes before a sample in the body of a tag, and the bodies of sequence headers.
//!
//! In: a codec and the facts of a sample, or a decoder's configuration. Out: bytes without the sample, which the caller
//! writes behind them. A codec that has no form here gives `None`: it cannot go on air.
//!
//! Source of the layout: Adobe Flash Video File Format Specification 10.1, annexes E.4.2 and E.4.3; of HEVC and AV1 Veovera
//! Software Organization, Enhanced RTMP v1, "Extended VideoTagHeader".

use std::ops::Deref;

use super::body::{CODEC_AVC, FORMAT_AAC};
use crate::avc;
use crate::demux::{Codec, Config};

/// Longest head in bytes: one byte of flags, a FourCC and 24 bits of composition time in enhanced RTMP.
pub const HEAD_BYTES_MAX: usize = 8;

/// The bytes of a body before its sample, without a heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    len: u8,
}

impl Head {
    /// The head of a sample. `key`: decoding can start there; `composition_ms`: presentation minus decoding time in
    /// milliseconds, of which 24 bits with a sign are written. Both are of no meaning for sound. `None`: the codec has no form.
    pub fn of(codec: Codec, key: bool, composition_ms: i32) -> Option<Self> {
        let [_, c0, c1, c2] = composition_ms.to_be_bytes();
        match codec {
            Codec::H264 => Some(Self::new([frame(key) | CODEC_AVC, MEDIA, c0, c1, c2])),
            Codec::Aac => Some(Self::new([AAC, MEDIA])),
            Codec::Hevc | Codec::Av1 => {
                let [a, b, c, d] = *four_cc(codec)?.as_bytes().first_chunk()?;
                // Of AV1 all pictures are shown in the order of their decoding.
                Some(match (codec, composition_ms) {
                    (Codec::Hevc, 0) => Self::new([EXTENDED | frame(key) | CODED_FRAMES_X, a, b, c, d]),
                    (Codec::Hevc, _) => Self::new([EXTENDED | frame(key) | CODED_FRAMES, a, b, c, d, c0, c1, c2]),
                    _ => Self::new([EXTENDED | frame(key) | CODED_FRAMES, a, b, c, d]),
                })
            }
            _ => None,
        }
    }

    fn new<const N: usize>(head: [u8; N]) -> Self {
        const { assert!(N <= HEAD_BYTES_MAX) };
        let mut bytes = [0; HEAD_BYTES_MAX];
        bytes.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        Self { bytes, len: N as u8 }
    }
}

impl Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The body of a sequence header: what a decoder needs before the samples that follow. `None`: the codec has no form here,
/// or the configuration has no record.
pub fn sequence_header(config: &Config) -> Option<Vec<u8>> {
    let (codec, record) = match config {
        Config::Video(video) => (video.codec, &video.record),
        Config::Audio(audio) => (audio.codec, &audio.record),
    };
    if record.is_empty() {
        return None;
    }
    match codec {
        Codec::H264 => {
            let body = [&[frame(true) | CODEC_AVC, SEQUENCE_HEADER, 0, 0, 0][..], record].concat();
            Some(avc::clean_sequence_header(&body))
        }
        Codec::Aac => Some([&[AAC, SEQUENCE_HEADER][..], record].concat()),
        Codec::Hevc | Codec::Av1 => {
            Some([&[EXTENDED | frame(true) | SEQUENCE_START][..], four_cc(codec)?.as_bytes(), record].concat())
        }
        _ => None,
    }
}

/// The FourCC of a codec whose pictures need the extended form; `None`: they do not, or have no form.
pub fn four_cc(codec: Codec) -> Option<&'static str> {
    match codec {
        Codec::Hevc => Some("hvc1"),
        Codec::Av1 => Some("av01"),
        _ => None,
    }
}

/// The decoder's configuration record in the body of a sequence header.
pub fn record(codec: Codec, body: &[u8]) -> Option<&[u8]> {
    match codec {
        Codec::H264 | Codec::Hevc | Codec::Av1 => body.get(5..),
        Codec::Aac => body.get(2..),
        _ => None,
    }
}

/// The mark of the extended form, in the frame type's place.
const EXTENDED: u8 = 0x80;
/// Packet types of the extended form: the configuration, pictures with their composition time (of HEVC) and without.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const CODED_FRAMES_X: u8 = 3;
/// Packet types of H.264 and AAC.
const SEQUENCE_HEADER: u8 = 0;
const MEDIA: u8 = 1;
/// The format, and what the specification prescribes for AAC (44 kHz, 16 bits, stereo) whatever its configuration says.
const AAC: u8 = FORMAT_AAC << 4 | 0xf;

/// The frame type in its place: 1 is a key frame, 2 any other.
fn frame(key: bool) -> u8 {
    if key { 1 << 4 } else { 2 << 4 }
}

#[cfg(test)]
mod tests {
    use super::super::body::{AudioFacts, FrameType, PacketType, VideoFacts};
    use super::*;
    use crate::demux::{AudioConfig, VideoConfig};

    fn video(codec: Codec, record: &[u8]) -> Config {
        Config::Video(VideoConfig { codec, record: record.to_vec(), width: 0, height: 0, frame_rate: None })
    }

    fn audio(codec: Codec, record: &[u8]) -> Config {
        Config::Audio(AudioConfig { codec, record: record.to_vec(), sample_rate: 0, channels: 2, layer: 0 })
    }

    #[test]
    fn heads_are_read_back() {
        for (key, frame) in [(true, FrameType::Key), (false, FrameType::Inter)] {
            for composition_ms in [0, 80, -40, 0x7f_ffff, -0x80_0000] {
                let head = Head::of(Codec::H264, key, composition_ms).unwrap();
                let facts = VideoFacts { frame, codec: CODEC_AVC, packet: PacketType::Media, composition_ms };
                assert_eq!((VideoFacts::parse(&head), head.len()), (Ok(facts), 5));
            }
        }
        let head = Head::of(Codec::Aac, false, 9).unwrap();
        assert_eq!(&head[..], [0xaf, 1]);
        assert_eq!(AudioFacts::parse(&head), Ok(AudioFacts { format: FORMAT_AAC, packet: PacketType::Media }));
        assert_eq!(Head::of(Codec::Ac3, true, 0), None);
    }

    #[test]
    fn sequence_headers_have_the_record() {
        let body = sequence_header(&video(Codec::H264, b"\x01\x4d")).unwrap();
        assert_eq!(body, b"\x17\0\0\0\0\x01\x4d");
        assert_eq!(VideoFacts::parse(&body).unwrap().packet, PacketType::SequenceHeader);
        assert_eq!(record(Codec::H264, &body), Some(&b"\x01\x4d"[..]));
        let body = sequence_header(&audio(Codec::Aac, &[0x12, 0x10])).unwrap();
        assert_eq!((&body[..], record(Codec::Aac, &body)), (&[0xaf, 0, 0x12, 0x10][..], Some(&[0x12, 0x10][..])));
        assert_eq!(AudioFacts::parse(&body).unwrap().packet, PacketType::SequenceHeader);
        assert_eq!(sequence_header(&audio(Codec::Aac, &[])), None, "no record");
        assert_eq!(sequence_header(&audio(Codec::MpegAudio, &[1])), None);
        let body = sequence_header(&video(Codec::Hevc, &[1, 2])).unwrap();
        assert_eq!((&body[..], record(Codec::Hevc, &body)), (&b"\x90hvc1\x01\x02"[..], Some(&[1, 2][..])));
        assert_eq!(sequence_header(&video(Codec::Av1, &[0x81])).unwrap(), b"\x90av01\x81");
        assert_eq!(sequence_header(&video(Codec::Mpeg2Video, &[1])), None);
    }

    #[test]
    fn pictures_that_are_not_h264_are_named() {
        let head = |codec, key, composition_ms| Head::of(codec, key, composition_ms).unwrap().to_vec();
        assert_eq!(head(Codec::Hevc, true, 0), b"\x93hvc1");
        assert_eq!(head(Codec::Hevc, false, 80), b"\xa1hvc1\0\0\x50");
        assert_eq!(head(Codec::Hevc, false, -40), b"\xa1hvc1\xff\xff\xd8");
        assert_eq!(head(Codec::Av1, true, 0), b"\x91av01");
        assert_eq!(head(Codec::Av1, false, 0), b"\xa1av01");
        assert_eq!((four_cc(Codec::H264), four_cc(Codec::Aac)), (None, None));
    }
}
