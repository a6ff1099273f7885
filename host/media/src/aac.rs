//! The packets of an AAC-LC file, to be put in front of others: fragmented MP4 or ADTS -> packets -> ADTS.
//!
//! Files come from ffmpeg, from us, or from a processor after [`crate::probe`]. What cannot be read is `None`: callers go on without it.

use std::ops::Range;

pub use crate::adts::{Header, SAMPLES};
use crate::demux::{Choice, Codec, Config, Demuxer, Event, Mp4, Packed, TrackKind};
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
        Self::read(&mut Demuxer::Mp4(Box::new(Mp4::stored(Choice::default()))), data)
    }

    /// Reads ADTS frames that follow one another without gaps. `None` if they are not AAC-LC of one configuration.
    pub fn of_adts(data: &[u8]) -> Option<Self> {
        let mut demuxer = Demuxer::Packed(Box::new(Packed::starting_at(0)));
        let packets = Self::read(&mut demuxer, data)?;
        let witness = demuxer.witness();
        let unused = witness.track(TrackKind::Audio).unused_in_all();
        (unused.units == 0 && unused.bytes == 0 && witness.container.skipped == 0).then_some(packets)
    }

    fn read(demuxer: &mut Demuxer, data: &[u8]) -> Option<Self> {
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
