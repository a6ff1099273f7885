//! The units of a stream that ffmpeg made, to be packed again.

use super::super::TrackKind;

/// An access unit or frame with its bytes from the elementary stream.
#[derive(Debug, Clone)]
pub struct Unit {
    pub kind: TrackKind,
    pub pts: i64,
    pub dts: i64,
    pub bytes: Vec<u8>,
}

/// Reads the units of a stream by ffmpeg that has one unit per PES packet, in its order: PID 256 has video, PID 257
/// audio.
pub fn units(stream: &[u8]) -> Vec<Unit> {
    let mut open: [Option<Vec<u8>>; 2] = [None, None];
    let mut units = Vec::new();
    let close = |at: usize, pes: Vec<u8>, units: &mut Vec<Unit>| {
        let stamp = |b: &[u8]| {
            let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| i64::from(b[n]));
            (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1
        };
        let pts = stamp(&pes[9..]);
        let dts = if pes[7] & 0x40 != 0 { stamp(&pes[14..]) } else { pts };
        let kind = [TrackKind::Video, TrackKind::Audio][at];
        units.push(Unit { kind, pts, dts, bytes: pes[9 + usize::from(pes[8])..].to_vec() });
    };
    for packet in stream.chunks_exact(188) {
        let pid = usize::from(packet[1] & 0x1f) << 8 | usize::from(packet[2]);
        let Some(at) = pid.checked_sub(256).filter(|at| *at < 2) else { continue };
        let payload = &packet[match packet[3] >> 4 & 3 {
            1 => 4,
            3 => 5 + usize::from(packet[4]),
            _ => 188,
        }..];
        let start = packet[1] & 0x40 != 0;
        if start && let Some(pes) = open[at].replace(Vec::new()) {
            close(at, pes, &mut units);
        }
        open[at].as_mut().unwrap().extend(payload);
    }
    for (at, pes) in open.into_iter().enumerate() {
        close(at, pes.unwrap(), &mut units);
    }
    units
}
