//! Reads the headers of audio frames: the length of the frame and its configuration.

use super::super::event::{AudioConfig, Codec};
use crate::adts;

/// The result of reading a frame's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// More bytes are needed to decide.
    More,
    /// No frame begins at these bytes.
    Bad,
    /// A frame begins here; its header was read.
    Frame(Frame),
}

/// Lengths and configuration of a frame, from its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Bytes at the start of the frame that are not handed out, such as the ADTS header.
    pub strip: usize,
    /// Bytes of the whole frame; always more than [`strip`](Self::strip).
    pub length: usize,
    /// Number of samples of one channel in the frame.
    pub samples: u32,
    /// The configuration that a decoder needs for the frame.
    pub config: AudioConfig,
}

/// Largest number of bytes that is needed to read a header.
pub const HEAD_MAX: usize = 64;

/// Reads the header of a frame in this codec.
pub fn head(codec: Codec, bytes: &[u8]) -> Head {
    let read = match codec {
        Codec::Aac => aac,
        Codec::MpegAudio => mpeg,
        Codec::Ac3 | Codec::Eac3 => ac3,
        Codec::Opus => opus,
        _ => return Head::Bad,
    };
    match read(bytes) {
        Some(frame) if frame.strip < frame.length => Head::Frame(frame),
        Some(_) => Head::Bad,
        None if is_possible(codec, bytes) && bytes.len() < HEAD_MAX => Head::More,
        None => Head::Bad,
    }
}

/// Returns whether the bytes are too few to decide, but may be the start of a header.
fn is_possible(codec: Codec, bytes: &[u8]) -> bool {
    match (codec, bytes) {
        (_, []) => true,
        (Codec::Aac, [0xff]) => true,
        (Codec::Aac, [0xff, second, ..]) => second & 0xf6 == 0xf0 && bytes.len() < adts::HEADER,
        (Codec::MpegAudio, [0xff]) => true,
        (Codec::MpegAudio, [0xff, second, ..]) => second & 0xe0 == 0xe0 && bytes.len() < 4,
        (Codec::Ac3 | Codec::Eac3, [0x0b]) => true,
        (Codec::Ac3 | Codec::Eac3, [0x0b, 0x77, ..]) => bytes.len() < 8,
        (Codec::Opus, [0x7f]) => true,
        (Codec::Opus, [0x7f, second, ..]) => second & 0xe0 == 0xe0,
        _ => false,
    }
}

fn config(codec: Codec, sample_rate: u32, channels: u8) -> AudioConfig {
    AudioConfig { codec, record: Vec::new(), sample_rate, channels, layer: 0 }
}

fn aac(bytes: &[u8]) -> Option<Frame> {
    let found = adts::Header::parse(bytes)?;
    // Several blocks in one frame cannot be taken apart without decoding them; nobody sends that.
    let record = found.config().to_vec();
    Some(Frame {
        strip: found.header,
        length: found.length,
        samples: adts::SAMPLES * u32::from(found.blocks),
        config: AudioConfig { record, ..config(Codec::Aac, found.rate, found.channel_count()) },
    })
}

/// kb/s by bitrate_index (ISO/IEC 11172-3 section 2.4.2.3, 13818-3): layers 1 to 3 of MPEG-1, then layer 1 and the
/// others of MPEG-2.
const BITRATES: [[u32; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

fn mpeg(bytes: &[u8]) -> Option<Frame> {
    let &[0xff, b, c, d, ..] = bytes else { return None };
    if b & 0xe0 != 0xe0 {
        return None;
    }
    // version: 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5; layer: 3 is 1, 2 is 2, 1 is 3.
    let (version, layer) = (b >> 3 & 3, 4 - (b >> 1 & 3));
    if version == 1 || layer == 4 {
        return None;
    }
    let row = match (version, layer) {
        (3, layer) => usize::from(layer) - 1,
        (_, 1) => 3,
        _ => 4,
    };
    let kilobits = *BITRATES.get(row)?.get(usize::from(c >> 4)).filter(|rate| **rate > 0)?;
    let rate = *[44_100, 48_000, 32_000].get(usize::from(c >> 2 & 3))?;
    let rate = rate >> [2, 0, 1, 0][usize::from(version)];
    let padding = u32::from(c >> 1 & 1);
    let samples = match (layer, version) {
        (1, _) => 384,
        (3, 0 | 2) => 576,
        _ => 1152,
    };
    let length = match layer {
        1 => (12_000 * kilobits / rate + padding) * 4,
        _ => samples / 8 * 1000 * kilobits / rate + padding,
    };
    let channels = if d >> 6 == 3 { 1 } else { 2 };
    let config = AudioConfig { layer, ..config(Codec::MpegAudio, rate, channels) };
    Some(Frame { strip: 0, length: usize::try_from(length).ok()?, samples, config })
}

/// kb/s by frmsizecod / 2 (ETSI TS 102 366 table F.7.1).
const AC3_BITRATES: [u32; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
/// Channels by acmod, without the low frequency channel.
const AC3_CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// Reads the header of AC-3 (ETSI TS 102 366 section 4.4.1) or E-AC-3 (annex E.1.3.1); bsid shows which it is.
fn ac3(bytes: &[u8]) -> Option<Frame> {
    let &[0x0b, 0x77, c, d, e, f, g, h, ..] = bytes else { return None };
    let bsid = f >> 3;
    if bsid > 10 {
        return if bsid <= 16 { eac3([c, d, e]) } else { None };
    }
    let rate = *[48_000_u32, 44_100, 32_000].get(usize::from(e >> 6))?;
    let kilobits = *AC3_BITRATES.get(usize::from(e >> 1 & 0x1f))?;
    // Words of 16 bits in 1536 samples; at 44.1 kHz the odd code has one more.
    let words = 96_000 * kilobits / rate + if rate == 44_100 { u32::from(e & 1) } else { 0 };
    let mode = g >> 5;
    let (centre, surround) = (mode & 1 == 1 && mode != 1, mode & 4 != 0);
    let skip = 2 * (u32::from(centre) + u32::from(surround) + u32::from(mode == 2));
    let low = u16::from_be_bytes([g, h]) >> (12 - skip) & 1;
    let channels = AC3_CHANNELS[usize::from(mode)] + low as u8;
    Some(Frame {
        strip: 0,
        length: usize::try_from(words * 2).ok()?,
        samples: 1536,
        config: config(Codec::Ac3, rate >> bsid.saturating_sub(8), channels),
    })
}

fn eac3([c, d, e]: [u8; 3]) -> Option<Frame> {
    let length = (usize::from(c & 7) << 8 | usize::from(d)) * 2 + 2;
    let (code, second) = (usize::from(e >> 6), usize::from(e >> 4 & 3));
    let (rate, blocks) = match code {
        3 => (*[24_000, 22_050, 16_000].get(second)?, 6),
        _ => (*[48_000, 44_100, 32_000].get(code)?, [1, 2, 3, 6][second]),
    };
    let channels = AC3_CHANNELS[usize::from(e >> 1 & 7)] + (e & 1);
    // A dependent substream (strmtyp 1) belongs to the samples of the frame before it.
    let samples = if c >> 6 == 1 { 0 } else { blocks * 256 };
    Some(Frame { strip: 0, length, samples, config: config(Codec::Eac3, rate, channels) })
}

/// Opus in a transport stream: opus_control_header (ETSI TS 103 491 and the Opus in TS draft), then one packet (RFC
/// 6716).
fn opus(bytes: &[u8]) -> Option<Frame> {
    let &[0x7f, second, ..] = bytes else { return None };
    if second & 0xe0 != 0xe0 {
        return None;
    }
    let (mut at, mut size) = (2, 0);
    loop {
        let byte = *bytes.get(at)?;
        (at, size) = (at + 1, size + usize::from(byte));
        if byte != 0xff {
            break;
        }
    }
    at += if second & 0x10 != 0 { 2 } else { 0 } + if second & 0x08 != 0 { 2 } else { 0 };
    if second & 0x04 != 0 {
        at += 1 + usize::from(*bytes.get(at)?);
    }
    let kind = *bytes.get(at)?;
    let frames = match kind & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*bytes.get(at + 1)? & 0x3f),
    };
    // RFC 6716 table 2, in samples of 48 kHz.
    let samples = match kind >> 3 {
        mode @ 0..=11 => [480, 960, 1920, 2880][usize::from(mode & 3)],
        mode @ 12..=15 => [480, 960][usize::from(mode & 1)],
        mode => [120, 240, 480, 960][usize::from(mode & 3)],
    };
    let channels = if kind & 4 == 0 { 1 } else { 2 };
    Some(Frame {
        strip: at,
        length: at + size,
        samples: samples * frames,
        config: config(Codec::Opus, 48_000, channels),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(codec: Codec, bytes: &[u8]) -> (usize, u32, u32, u8) {
        for end in 0..bytes.len() {
            assert_eq!(head(codec, &bytes[..end]), Head::More, "{codec:?} {end}");
        }
        let Head::Frame(found) = head(codec, bytes) else { panic!("{codec:?} {bytes:x?}") };
        (found.length, found.samples, found.config.sample_rate, found.config.channels)
    }

    #[test]
    fn frames_of_each_codec_are_measured() {
        assert_eq!(frame(Codec::Aac, &[0xff, 0xf1, 0x4c, 0x80, 0x0d, 0x7f, 0xfc]), (107, 1024, 48_000, 2));
        assert_eq!(frame(Codec::MpegAudio, &[0xff, 0xfb, 0x90, 0x64]), (417, 1152, 44_100, 2));
        assert_eq!(frame(Codec::MpegAudio, &[0xff, 0xfd, 0x84, 0xc0]), (384, 1152, 48_000, 1));
        assert_eq!(frame(Codec::MpegAudio, &[0xff, 0xf3, 0x84, 0xc0]), (192, 576, 24_000, 1));
        // 3/2 with the low frequency channel, and plain stereo.
        assert_eq!(frame(Codec::Ac3, &[0x0b, 0x77, 0, 0, 0x1e, 0x40, 0xe1, 0]), (1792, 1536, 48_000, 6));
        assert_eq!(frame(Codec::Ac3, &[0x0b, 0x77, 0, 0, 0x54, 0x40, 0x40, 0]), (834, 1536, 44_100, 2));
        assert_eq!(frame(Codec::Eac3, &[0x0b, 0x77, 0x02, 0xff, 0x3f, 0x87, 0xff, 0]), (1536, 1536, 48_000, 6));
        assert_eq!(frame(Codec::Opus, &[0x7f, 0xe0, 0xff, 0x03, 0xfc]), (4 + 258, 960, 48_000, 2));
    }

    #[test]
    fn what_begins_no_frame_is_told_at_once() {
        for codec in [Codec::Aac, Codec::MpegAudio, Codec::Ac3, Codec::Opus, Codec::AacLatm] {
            assert_eq!(head(codec, &[0x12]), Head::Bad, "{codec:?}");
        }
        assert_eq!(head(Codec::Aac, &[0xff, 0xfb]), Head::Bad);
        assert_eq!(head(Codec::MpegAudio, &[0xff, 0xff, 0xff, 0xff]), Head::Bad);
        assert_eq!(head(Codec::Opus, &[&[0x7f, 0xe0][..], &[0xff; 70]].concat()), Head::Bad);
        assert_eq!(head(Codec::Opus, &[0x7f, 0xe0, 0, 0xfc]), Head::Bad, "an empty one");
    }
}
