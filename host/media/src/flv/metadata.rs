//! Writes the `onMetaData` script tag: what a receiver is told of the tracks before their packets come.
//!
//! In: facts of the tracks. Out: the body in AMF0: the name, then an ECMA array. Only facts that hold for a whole stream are
//! in it, so that all batches of a stream have the same bytes; bit rates and durations are not.
//!
//! Source of the names: Adobe Flash Video File Format Specification 10.1, annex E.5. `audiochannels` is in common use
//! besides them.

use super::body::{CODEC_AVC, FORMAT_AAC};

/// What is told of the video track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Video {
    /// The FourCC of the codec; `None`: it is H.264.
    pub four_cc: Option<&'static str>,
    /// Width in pixels; 0: it is not known, and not told.
    pub width: u32,
    /// Height in pixels; 0: it is not known, and not told.
    pub height: u32,
    /// Frames per second; 0: it is not known, and not told.
    pub frame_rate: f64,
}

/// What is told of the audio track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audio {
    /// Sample rate in hertz; 0: it is not known, and not told.
    pub sample_rate: u32,
    /// Number of channels; 0: it is not known, and not told.
    pub channels: u32,
}

/// The body of the tag. Codecs other than H.264 are told by their FourCC as a number (Enhanced RTMP v1, "Enhancing onMetaData").
pub fn body(video: Option<Video>, audio: Option<Audio>) -> Vec<u8> {
    let mut fields = Vec::new();
    let mut count: u32 = 0;
    let mut field = |name: &str, value: &[u8]| {
        text(&mut fields, name);
        fields.extend_from_slice(value);
        count += 1;
    };
    if let Some(Video { four_cc, width, height, frame_rate }) = video {
        for (name, value) in [("width", width.into()), ("height", height.into()), ("framerate", frame_rate)] {
            if value > 0.0 {
                field(name, &number(value));
            }
        }
        let codec = four_cc
            .and_then(|name| name.as_bytes().first_chunk())
            .map_or(CODEC_AVC.into(), |name| u32::from_be_bytes(*name));
        field("videocodecid", &number(codec.into()));
    }
    if let Some(Audio { sample_rate, channels }) = audio {
        for (name, value) in [("audiosamplerate", sample_rate), ("audiochannels", channels)] {
            if value > 0 {
                field(name, &number(value.into()));
            }
        }
        field("audiosamplesize", &number(16.0));
        field("stereo", &[BOOLEAN, u8::from(channels == 2)]);
        field("audiocodecid", &number(FORMAT_AAC.into()));
    }
    let mut out = vec![STRING];
    text(&mut out, "onMetaData");
    out.push(ECMA_ARRAY);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&fields);
    out.extend_from_slice(&OBJECT_END);
    out
}

/// Markers of AMF0 (Adobe Action Message Format AMF 0, section 2.1).
const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const ECMA_ARRAY: u8 = 8;
/// An empty name, and the marker of the end.
const OBJECT_END: [u8; 3] = [0, 0, 9];

fn number(value: f64) -> [u8; 9] {
    let mut out = [NUMBER; 9];
    out[1..].copy_from_slice(&value.to_be_bytes());
    out
}

/// A name, or a string after its marker: a length of 16 bits and the text.
fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_facts_that_are_known_are_told() {
        let video = Video { four_cc: None, width: 1280, height: 720, frame_rate: 29.97 };
        let audio = Audio { sample_rate: 48_000, channels: 2 };
        let bytes = body(Some(video), Some(audio));
        assert!(
            bytes.starts_with(b"\x02\0\x0aonMetaData\x08\0\0\0\x09\0\x05width\0\x40\x94\0\0\0\0\0\0\0\x06height\0")
        );
        assert!(bytes.ends_with(b"\0\x06stereo\x01\x01\0\x0caudiocodecid\0\x40\x24\0\0\0\0\0\0\0\0\x09"));
        let unknown = body(Some(Video { four_cc: None, width: 0, height: 0, frame_rate: 0.0 }), None);
        let codec = b"\x08\0\0\0\x01\0\x0cvideocodecid\0\x40\x1c\0\0\0\0\0\0\0\0\x09";
        assert_eq!(&unknown[13..], codec);
        let hevc = body(Some(Video { four_cc: Some("hvc1"), ..video }), None);
        assert!(
            hevc.windows(9).any(|window| window == [&[0], &f64::from(0x6876_6331).to_be_bytes()[..]].concat()),
            "{hevc:?}"
        );
        let mono = body(None, Some(Audio { channels: 1, ..audio }));
        assert!(mono.windows(9).any(|window| window == b"\x06stereo\x01\0"), "{mono:?}");
    }
}
