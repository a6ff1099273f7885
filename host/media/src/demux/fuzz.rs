//! Fuzz target `segments`: whatever bytes a source sends, the counts of the demuxer balance.

use super::{AudioConfig, Choice, Config, Event, Mp4, Packed, TrackKind, Ts, VideoConfig, Witness};
use crate::limits::{DEMUX_BOX_BYTES_MAX, DEMUX_CONFIG_BYTES_MAX, DEMUX_SAMPLES_MAX, DEMUX_UNIT_BYTES_MAX};

/// Runs a demuxer over the data. The first byte selects the demuxer (in its last two bits: a transport stream, stored MP4, MP4,
/// packed audio) and the length of pieces; the first byte of each piece selects the call before it.
pub fn segments(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let size = 1 + usize::from(first >> 2) * 7;
    macro_rules! drive {
        ($demuxer:expr) => {{
            let mut demuxer = $demuxer;
            let mut fed = 0;
            let mut events = 0;
            for piece in rest.chunks(size) {
                let (step, piece) = piece.split_first().unwrap_or((&0, &[]));
                match step {
                    0..=7 => demuxer.segment_end(),
                    8 => demuxer.discontinuity(),
                    _ => {}
                }
                demuxer.feed(piece);
                fed += piece.len();
                events += std::iter::from_fn(|| demuxer.next_event()).inspect(check).count();
                held(&demuxer.witness(), fed);
            }
            demuxer.end();
            events += std::iter::from_fn(|| demuxer.next_event()).inspect(check).count();
            held(&demuxer.witness(), fed);
            assert!(events <= 8 + 4 * fed, "{events} events of {fed} bytes");
        }};
    }
    match first & 3 {
        0 => drive!(Ts::new(Choice::default())),
        1 => drive!(Mp4::stored(Choice::default())),
        2 => drive!(Mp4::new(Choice::default())),
        _ => drive!(Packed::new()),
    }
}

fn held(witness: &Witness, fed: usize) {
    assert!(witness.is_balanced(), "{witness:#?}");
    assert_eq!(witness.container.bytes, fed as u64);
    let most = DEMUX_UNIT_BYTES_MAX.max(DEMUX_BOX_BYTES_MAX) as u64;
    assert!(witness.container.held <= most, "{witness:#?}");
    for track in [&witness.video, &witness.audio] {
        assert!(track.taken.units <= (DEMUX_SAMPLES_MAX + fed) as u64, "{witness:#?}");
    }
}

fn check(event: &Event) {
    if let Event::Config(config) = event {
        let (Config::Video(VideoConfig { record, .. }) | Config::Audio(AudioConfig { record, .. })) = config;
        assert!(record.len() <= 2 * DEMUX_CONFIG_BYTES_MAX, "{} bytes", record.len());
    }
    if let Event::Packet(packet) = event {
        assert!(!packet.data.is_empty() && packet.data.len() <= DEMUX_UNIT_BYTES_MAX, "{packet:?}");
        assert!(packet.kind == TrackKind::Video || packet.key.is_key(), "{packet:?}");
    }
}
