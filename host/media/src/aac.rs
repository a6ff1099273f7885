//! The packets of an AAC-LC file, to be put in front of others: fragmented MP4 -> packets -> ADTS.
//!
//! Files come from ffmpeg or from us. What cannot be read is `None`: callers go on without it.

use std::ops::Range;

pub use crate::adts::{Header, SAMPLES};
use crate::demux::{Choice, Codec, Config, Event, Mp4, TrackKind};
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
    /// Reads the audio track of a fragmented MP4 file. `None` if it is not AAC-LC of one configuration.
    pub fn of_mp4(data: &[u8]) -> Option<Self> {
        let mut demuxer = Mp4::stored(Choice::default());
        demuxer.feed(data);
        demuxer.end();
        let (mut header, mut packets) = (None, Vec::new());
        while let Some(event) = demuxer.next_event() {
            match event {
                Event::Config(Config::Audio(config)) => {
                    let told = Header::of_config(&config.record).filter(|_| config.codec == Codec::Aac)?;
                    if *header.get_or_insert(told) != told {
                        return None;
                    }
                }
                Event::Packet(packet) if packet.kind == TrackKind::Audio => packets.push(packet.data),
                _ => {}
            }
            if packets.len() as u64 > PROBE_PACKETS_MAX {
                return None;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demux::Packed;

    fn packets() -> Packets {
        let header = Header::of_config(&[0x11, 0x90]).unwrap();
        Packets { header, packets: (1..=5).map(|n| vec![0x21; n * 10]).collect() }
    }

    /// The frames of an ADTS file, read by the demuxer of packed audio.
    fn read_back(adts: &[u8]) -> Vec<Vec<u8>> {
        let mut demuxer = Packed::starting_at(0);
        demuxer.feed(adts);
        demuxer.end();
        let events = std::iter::from_fn(|| demuxer.next_event());
        events.filter_map(|event| if let Event::Packet(packet) = event { Some(packet.data) } else { None }).collect()
    }

    #[test]
    fn adts_is_read_back() {
        let all = packets().to_adts(0..5).unwrap();
        assert_eq!(all.len(), 150 + 5 * 7);
        assert_eq!(read_back(&all), packets().packets);
        assert_eq!(read_back(&packets().to_adts(3..5).unwrap()), packets().packets[3..]);
        assert_eq!(packets().to_adts(3..6), None, "not as many");
        let mut large = packets();
        large.packets[0].resize(9000, 0);
        assert_eq!(large.to_adts(0..1), None, "a header has 13 bits");
    }

    #[test]
    fn what_is_no_aac_is_none() {
        let all = packets().to_adts(0..5).unwrap();
        for other in [&all[..all.len() - 1], &all[1..], b"", b"\0\0\0\x08ftyp"] {
            assert_eq!(Packets::of_mp4(other), None);
        }
    }
}
