//! Reads sample entries (ISO/IEC 14496-12 section 8.5.2, ISO/IEC 14496-15), which describe the coding of a track's
//! samples.

use super::super::es::bits::Bits;
use super::super::event::{AudioConfig, Codec, Config, VideoConfig};
use crate::adts;
use crate::limits::{DEMUX_CONFIG_BYTES_MAX, DEMUX_STREAMS_MAX};
use crate::probe::boxes::{Boxes, child};

/// A sample entry: the coding of some samples of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The codec of the samples.
    pub codec: Codec,
    /// Whether the samples are encrypted (`encv`, `enca`).
    pub encrypted: bool,
    /// The configuration that a decoder needs; `None` if it is not known.
    pub config: Option<Config>,
    /// Number of bytes of the length before each NAL unit, 1 to 4.
    pub length_bytes: usize,
    /// The entry is of AAC and has no AudioSpecificConfig: `config` is made from the entry's other fields, and the samples may
    /// have ADTS headers, which tell more.
    pub bare: bool,
}

/// Bytes of a VisualSampleEntry before its boxes.
const VISUAL: usize = 78;
/// Bytes of an AudioSampleEntry before its boxes, by version of QuickTime.
const AUDIO: [usize; 3] = [28, 44, 64];

impl Entry {
    /// Reads all entries of an `stsd` box.
    pub fn all(stsd: &[u8]) -> Vec<Self> {
        let entries = Boxes::of(stsd.get(8..).unwrap_or_default());
        entries.take(DEMUX_STREAMS_MAX).map(|found| Self::parse(&found.name, found.body)).collect()
    }

    fn parse(name: &[u8; 4], body: &[u8]) -> Self {
        let encrypted = matches!(name, b"encv" | b"enca");
        let unknown = Self { codec: Codec::Other(0), encrypted, config: None, length_bytes: 4, bare: false };
        let visual = body.get(VISUAL..).unwrap_or_default();
        let version = body.get(9).copied().map_or(0, usize::from);
        let sound = body.get(*AUDIO.get(version).unwrap_or(&AUDIO[0])..).unwrap_or_default();
        let found = match name {
            b"avc1" | b"avc2" | b"avc3" | b"avc4" => pictures(Codec::H264, body, child(visual, b"avcC"), 4),
            b"hvc1" | b"hev1" => pictures(Codec::Hevc, body, child(visual, b"hvcC"), 21),
            b"av01" => pictures(Codec::Av1, body, child(visual, b"av1C"), usize::MAX),
            b"mp4a" => child(sound, b"esds").and_then(|esds| mpeg4(body, esds)),
            b".mp3" | b"ms\0U" => Some(plain(Codec::MpegAudio, body, &[])),
            b"ac-3" => Some(plain(Codec::Ac3, body, &[])),
            b"ec-3" => Some(plain(Codec::Eac3, body, &[])),
            b"Opus" => Some(plain(Codec::Opus, body, child(sound, b"dOps").unwrap_or_default())),
            _ => None,
        };
        let record = |entry: &Self| match &entry.config {
            Some(Config::Video(video)) => video.record.len(),
            Some(Config::Audio(audio)) => audio.record.len(),
            None => 0,
        };
        found.filter(|entry| record(entry) <= DEMUX_CONFIG_BYTES_MAX).unwrap_or(unknown)
    }
}

/// Reads a video entry. `length` is the index of the record's byte whose last two bits hold the number of bytes of a
/// NAL unit length, less 1.
fn pictures(codec: Codec, body: &[u8], record: Option<&[u8]>, length: usize) -> Option<Entry> {
    let mut record = record?.to_vec();
    let short = |at: usize| body.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
    let (width, height) = (short(24)?.into(), short(26)?.into());
    let mut length_bytes = 4;
    if let Some(byte) = record.get_mut(length) {
        length_bytes = usize::from(*byte & 3) + 1;
        *byte |= 3;
    }
    let config = Config::Video(VideoConfig { codec, record, width, height, frame_rate: None });
    Some(Entry { codec, encrypted: false, config: Some(config), length_bytes, bare: false })
}

fn plain(codec: Codec, body: &[u8], record: &[u8]) -> Entry {
    let byte = |at: usize| body.get(at).copied().unwrap_or_default();
    let channels = byte(17);
    let sample_rate = u32::from(byte(24)) << 8 | u32::from(byte(25));
    let config = AudioConfig { codec, record: record.to_vec(), sample_rate, channels, layer: 0 };
    Entry { codec, encrypted: false, config: Some(Config::Audio(config)), length_bytes: 4, bare: false }
}

/// Reads an `mp4a` entry from the descriptors of its `esds` box (ISO/IEC 14496-1 section 7.2.6).
fn mpeg4(body: &[u8], esds: &[u8]) -> Option<Entry> {
    // ES_ID and flags, and what they bring along.
    let stream = descriptor(esds.get(4..)?, 3)?;
    let flags = stream.get(2)?;
    let mut at = 3;
    if flags & 0x80 != 0 {
        at += 2;
    }
    if flags & 0x40 != 0 {
        at += 1 + usize::from(*stream.get(at)?);
    }
    if flags & 0x20 != 0 {
        at += 2;
    }
    let decoder = descriptor(stream.get(at..)?, 4)?;
    let object = match decoder.first()? {
        0x40 | 0x67 => AAC_LC,
        0x66 => AAC_MAIN,
        0x68 => AAC_SSR,
        0x69 | 0x6b => return Some(plain(Codec::MpegAudio, body, &[])),
        _ => return None,
    };
    let Some(record) = decoder.get(13..).and_then(|rest| descriptor(rest, 5)) else { return bare(body, object) };
    let (sample_rate, channels) = specific(record)?;
    Some(aac(record.to_vec(), sample_rate, channels, false))
}

fn aac(record: Vec<u8>, sample_rate: u32, channels: u8, bare: bool) -> Entry {
    let config = AudioConfig { codec: Codec::Aac, record, sample_rate, channels, layer: 0 };
    Entry { codec: Codec::Aac, encrypted: false, config: Some(Config::Audio(config)), length_bytes: 4, bare }
}

/// Audio object types (ISO/IEC 14496-3 table 1.17).
const AAC_MAIN: u8 = 1;
const AAC_LC: u8 = 2;
const AAC_SSR: u8 = 3;

/// Makes the AudioSpecificConfig that is missing from the entry's sample rate and number of channels.
fn bare(body: &[u8], object: u8) -> Option<Entry> {
    let Entry { config: Some(Config::Audio(AudioConfig { sample_rate, channels, .. })), .. } =
        plain(Codec::Aac, body, &[])
    else {
        return None;
    };
    let rate = u8::try_from(adts::RATES.iter().position(|rate| *rate == sample_rate)?).ok()?;
    let configuration = match channels {
        1..=6 => channels,
        8 => 7,
        _ => return None,
    };
    let record = vec![object << 3 | rate >> 1, rate << 7 | configuration << 3];
    Some(aac(record, sample_rate, channels, true))
}

/// Returns the body of the first descriptor with this tag.
fn descriptor(mut bytes: &[u8], tag: u8) -> Option<&[u8]> {
    loop {
        let (found, mut rest) = bytes.split_first()?;
        let mut length = 0;
        for _ in 0..4 {
            let (byte, after) = rest.split_first()?;
            (length, rest) = (length << 7 | usize::from(byte & 0x7f), after);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (body, after) = rest.split_at(length.min(rest.len()));
        if *found == tag {
            return Some(body);
        }
        bytes = after;
    }
}

/// Reads the sample rate and the number of channels from an AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1).
fn specific(record: &[u8]) -> Option<(u32, u8)> {
    // No emulation prevention in it: zeros and a 3 cannot meet in its first 8 bytes but in a rate of 24 bits, which nobody uses.
    let mut bits = Bits::new(record.get(..record.len().min(8))?);
    if bits.bits(5)? == 31 {
        bits.skip(6)?;
    }
    let index = bits.bits(4)?;
    let rate = if index == 15 { bits.bits(24)? } else { *adts::RATES.get(usize::try_from(index).ok()?)? };
    let channels = bits.bits(4)? as u8;
    Some((rate, if channels == 7 { 8 } else { channels }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aac_is_told_from_other_descriptors() {
        // One byte and four bytes of length, a dependency and a URL.
        let decoder = |object: u8| [&[4, 17, object, 0x15][..], &[0; 11], &[5, 2, 0x11, 0x90]].concat();
        let plain = [&[0, 0, 0, 0, 3, 22, 0, 1, 0][..], &decoder(0x40)].concat();
        let found = mpeg4(&[0; 28], &plain).unwrap();
        let Some(Config::Audio(config)) = found.config else { panic!("{found:?}") };
        assert_eq!((config.sample_rate, config.channels, &config.record[..]), (48_000, 2, &[0x11, 0x90][..]));
        let long =
            [&[0, 0, 0, 0, 3, 0x80, 0x80, 0x80, 27, 0, 1, 0xc0, 9, 9, 2, b'a', b'b'][..], &decoder(0x6b)].concat();
        assert_eq!(mpeg4(&[0; 28], &long).unwrap().codec, Codec::MpegAudio);
        assert_eq!(mpeg4(&[0; 28], &[&[0, 0, 0, 0, 3, 22, 0, 1, 0][..], &decoder(0xdd)].concat()), None);
        for end in 0..plain.len() {
            let _ = mpeg4(&[0; 28], &plain[..end]);
        }
    }
}
