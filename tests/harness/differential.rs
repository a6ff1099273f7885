//! Our demuxer against ffmpeg's, over each clip that is made for these tests: the same packets at the same times.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::path::PathBuf;

use md5::{Digest as _, Md5};
use outboard::media::demux::{Choice, Event, TrackKind, Ts};

use crate::media::source_packets;

/// Longest difference in seconds: ffmpeg rounds the length of a frame down to ticks of 90 kHz where several are in one PES
/// packet, and our times are exact to half a tick.
const ROUNDED: f64 = 0.000_25;
/// Longest difference that all packets of a track may have: the start of a track is rounded to a millisecond where ffmpeg
/// puts its packets into MP4 for comparison.
const START: f64 = 0.001;

/// Demuxes the segments of a transport stream, which follow each other, in both ways.
///
/// # Panics
/// If a packet differs.
pub fn agree(segments: &[PathBuf], has: [bool; 2]) {
    let (mut demuxer, mut packets) = (Ts::new(Choice::default()), Vec::new());
    for path in segments {
        demuxer.feed(&std::fs::read(path).unwrap());
        demuxer.segment_end();
        packets.extend(std::iter::from_fn(|| demuxer.next_event()));
    }
    demuxer.end();
    packets.extend(std::iter::from_fn(|| demuxer.next_event()));
    for (kind, stream, has) in [(TrackKind::Video, "v", has[0]), (TrackKind::Audio, "a", has[1])] {
        let ours = packets.iter().filter_map(|event| match event {
            Event::Packet(packet) if packet.kind == kind => Some(packet),
            _ => None,
        });
        let ours: Vec<_> = ours.collect();
        let theirs = if has { source_packets(segments, stream) } else { Vec::new() };
        let off = |ours: i64, theirs: f64| ours as f64 / 90_000.0 - theirs;
        let start = ours.iter().zip(&theirs).next().map_or(0.0, |(our, their)| off(our.pts, their.pts));
        assert!(start.abs() <= START, "{kind} begins {start} s after ffmpeg's");
        for (n, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            let hash: String = Md5::digest(&our.data).iter().map(|byte| format!("{byte:02x}")).collect();
            let off = [off(our.pts, their.pts), off(our.dts, their.dts)];
            if !their.hash.ends_with(&hash) || off.iter().any(|off| (off - start).abs() > ROUNDED) {
                panic!("{kind} packet {n}: {our:?} {hash}, and ffmpeg has {their:?}");
            }
        }
        assert_eq!(ours.len(), theirs.len(), "{kind} packets of {segments:?}");
    }
}
