//! Whether a reply begins with the packet that was sent as pre-roll: then its packets are the source's.

use outboard_media::demux::{Choice, Demuxer, Event, Mp4, Packed, TrackKind};
use outboard_media::probe::{Container, Probe};

/// Bytes of a reply that are read at once, up to its first packet.
const PIECE: usize = 4096;

/// Whether the first packet of sound in a reply is this one.
pub(super) fn is_first(probe: &Probe, reply: &[u8], packet: &[u8]) -> bool {
    let mut demuxer = match probe.container {
        Container::Fmp4 => Demuxer::Mp4(Box::new(Mp4::stored(Choice::default()))),
        Container::Adts => Demuxer::Packed(Box::new(Packed::starting_at(0))),
        _ => return false,
    };
    for piece in reply.chunks(PIECE) {
        demuxer.feed(piece);
        while let Some(event) = demuxer.next_event() {
            match event {
                Event::Packet(found) if found.kind == TrackKind::Audio => return found.data == packet,
                _ => {}
            }
        }
    }
    false
}
