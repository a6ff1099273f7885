//! The packets of an AAC-LC file, to be put in front of others: MP4 or ADTS -> packets -> ADTS.
//!
//! Files come from ffmpeg, from us, or from a processor after [`crate::probe`]. What cannot be read is `None`: callers go on
//! without it.

use std::io::Cursor;
use std::ops::Range;

use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, ReadBytes as _};
use symphonia::default::formats::IsoMp4Reader;

pub use crate::adts::{Header, SAMPLES};
use crate::limits::PROBE_PACKETS_MAX;

/// The packets of one track of AAC-LC with 1024 samples each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packets {
    /// Rate and channels of the packets.
    pub header: Header,
    /// The packets in order, without headers.
    pub packets: Vec<Vec<u8>>,
}

impl Packets {
    /// Reads the first audio track of an MP4 file. `None` if it is not AAC-LC or cannot be read.
    pub fn of_mp4(data: &[u8]) -> Option<Self> {
        // The reader calculates with what the file says, and some sums overflow.
        std::panic::catch_unwind(|| read_mp4(data)).ok()?
    }

    /// Reads ADTS frames that follow one another without gaps. `None` if they are not AAC-LC of one rate, with one block each.
    pub fn of_adts(data: &[u8]) -> Option<Self> {
        let (mut header, mut packets, mut rest) = (None, Vec::new(), data);
        while !rest.is_empty() && !rest.starts_with(b"TAG") {
            let frame = Header::parse(rest).filter(|frame| frame.blocks == 1)?;
            let known = *header.get_or_insert(Header::of_config(&frame.config())?);
            if frame.config() != known.config() {
                return None;
            }
            packets.push(rest.get(frame.header..frame.length)?.to_vec());
            rest = rest.get(frame.length..)?;
        }
        Some(Self { header: header?, packets })
    }

    /// Writes some of the packets with ADTS headers. `None` if there are not as many, or if one is too large.
    pub fn to_adts(&self, range: Range<usize>) -> Option<Vec<u8>> {
        let mut adts = Vec::new();
        for packet in self.packets.get(range)? {
            adts.extend(self.header.to_bytes(packet.len())?);
            adts.extend(packet);
        }
        Some(adts)
    }
}

fn read_mp4(data: &[u8]) -> Option<Packets> {
    let mut source = MediaSourceStream::new(Box::new(Cursor::new(data)), Default::default());
    // It steps back over the size of the first box.
    source.read_quad_bytes().ok()?;
    let mut reader = IsoMp4Reader::try_new(source, FormatOptions::default()).ok()?;
    let track = reader.default_track(TrackType::Audio)?;
    let (id, parameters) = (track.id, track.codec_params.as_ref()?.audio()?);
    if parameters.codec != CODEC_ID_AAC {
        return None;
    }
    let header = Header::of_config(parameters.extra_data.as_deref()?)?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet().ok()? {
        if packet.track_id == id {
            packets.push(packet.data.into_vec());
        }
        if packets.len() as u64 > PROBE_PACKETS_MAX {
            return None;
        }
    }
    Some(Packets { header, packets })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets() -> Packets {
        let header = Header::of_config(&[0x11, 0x90]).unwrap();
        Packets { header, packets: (1..=5).map(|n| vec![0x21; n * 10]).collect() }
    }

    #[test]
    fn adts_is_read_back() {
        let all = packets().to_adts(0..5).unwrap();
        assert_eq!(all.len(), 150 + 5 * 7);
        assert_eq!(Packets::of_adts(&all), Some(packets()));
        let last = Packets::of_adts(&packets().to_adts(3..5).unwrap()).unwrap();
        assert_eq!(last.packets, packets().packets[3..]);
        assert_eq!(packets().to_adts(3..6), None, "not as many");
        let mut large = packets();
        large.packets[0].resize(9000, 0);
        assert_eq!(large.to_adts(0..1), None, "a header has 13 bits");
    }

    #[test]
    fn what_is_no_aac_is_none() {
        let all = packets().to_adts(0..5).unwrap();
        for other in [&all[..all.len() - 1], &all[1..], b"", b"\0\0\0\x08ftyp"] {
            assert_eq!((Packets::of_adts(other), Packets::of_mp4(other)), (None, None));
        }
    }
}
