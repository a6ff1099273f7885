//! Sample entries: what a player needs to choose and to set up a decoder (ISO/IEC 14496-12 section 8.5.2, ISO/IEC 14496-15,
//! AV1 Codec ISO Media File Format Binding section 2.3, Encapsulation of Opus in ISOBMFF section 4.3).

use super::{Audio, Video, boxed, full, put16, put32};
use crate::demux::Codec;

/// The entry of a video track. Its decoder is told by the record alone: parameter sets are not in the samples by this entry,
/// though samples may repeat them.
pub(super) fn video(video: Video<'_>) -> Vec<u8> {
    let (entry, record) = match video.codec {
        Codec::Hevc => (*b"hvc1", *b"hvcC"),
        Codec::Av1 => (*b"av01", *b"av1C"),
        _ => (*b"avc1", *b"avcC"),
    };
    let short = |value: u32| u16::try_from(value).unwrap_or(0);
    boxed(entry, |entry| {
        put32(entry, &[0]);
        put16(entry, &[0, 1]);
        put32(entry, &[0; 4]);
        put16(entry, &[short(video.width), short(video.height)]);
        // 72 dpi, one frame a sample, no name.
        put32(entry, &[0x0048_0000, 0x0048_0000, 0]);
        put16(entry, &[1]);
        put32(entry, &[0; 8]);
        // 24 bits, no colour table.
        put16(entry, &[0x0018, 0xffff]);
        entry.extend(boxed(record, |record| record.extend(video.config)));
    })
}

/// The entry of an audio track.
pub(super) fn audio(audio: Audio<'_>) -> Vec<u8> {
    let name = match audio.codec {
        // QuickTime's name, for all layers.
        Codec::MpegAudio => *b".mp3",
        Codec::Ac3 => *b"ac-3",
        Codec::Eac3 => *b"ec-3",
        Codec::Opus => *b"Opus",
        _ => *b"mp4a",
    };
    boxed(name, |entry| {
        put32(entry, &[0]);
        put16(entry, &[0, 1]);
        put32(entry, &[0, 0]);
        put16(entry, &[u16::try_from(audio.channels).unwrap_or(2), 16, 0, 0]);
        // 16 bits hold up to 65 kHz; decoders go by the configuration.
        put32(entry, &[u16::try_from(audio.sample_rate).map_or(0, |rate| u32::from(rate) << 16)]);
        match audio.codec {
            Codec::Opus => entry.extend(boxed(*b"dOps", |dops| dops.extend(audio.config))),
            // Each frame tells all.
            Codec::MpegAudio | Codec::Ac3 | Codec::Eac3 => {}
            _ => entry.extend(esds(audio.config)),
        }
    })
}

/// The descriptors of AAC (ISO/IEC 14496-1 section 7.2.6): AAC (0x40), an audio stream (5).
fn esds(config: &[u8]) -> Vec<u8> {
    full(*b"esds", 0, 0, |esds| {
        let specific = descriptor(5, config);
        let decoder = [&[0x40, 0x15, 0, 0, 0][..], &[0; 8], &specific].concat();
        let stream = [&[0, 0, 0][..], &descriptor(4, &decoder), &descriptor(6, &[2])].concat();
        esds.extend(descriptor(3, &stream));
    })
}

/// An MPEG-4 descriptor: tag, length in groups of seven bits, body.
fn descriptor(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let group = |shift: usize| (length >> shift) as u8 & 0x7f;
    let mut out = vec![tag, group(21) | 0x80, group(14) | 0x80, group(7) | 0x80, group(0)];
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_any_length_are_written() {
        assert_eq!(descriptor(5, &[1, 2]), [5, 0x80, 0x80, 0x80, 2, 1, 2]);
        assert_eq!(descriptor(5, &[0; 200])[..5], [5, 0x80, 0x80, 0x81, 0x48]);
    }
}
