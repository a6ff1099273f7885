//! Reads packets with ffprobe, for comparison.

use std::process::{Command, Stdio};

use super::super::TrackKind;
use super::clip;

/// A packet as ffprobe lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    pub kind: TrackKind,
    pub pts: Option<i64>,
    pub dts: Option<i64>,
    pub size: usize,
    pub key: bool,
    /// CRC-32 of the packet's data, as ffprobe prints it.
    pub crc: u32,
}

/// Lists the packets of a file, with times in the file's time base (90 kHz in a transport stream).
pub fn packets(bytes: &[u8], name: &str) -> Vec<Probed> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-ignore_editlist", "0", "-show_packets", "-show_data_hash", "CRC32"])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("[PACKET]").filter_map(packet).collect()
}

fn packet(text: &str) -> Option<Probed> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let kind = match field("codec_type")? {
        "video" => TrackKind::Video,
        "audio" => TrackKind::Audio,
        _ => return None,
    };
    let crc = field("data_hash")?.strip_prefix("CRC32:")?;
    Some(Probed {
        kind,
        pts: field("pts")?.parse().ok(),
        dts: field("dts")?.parse().ok(),
        size: field("size")?.parse().unwrap(),
        key: field("flags")?.contains('K'),
        crc: u32::from_str_radix(crc, 16).unwrap(),
    })
}

/// Lists the packets of a transport stream. Times and keys are those that ffprobe reads there; sizes and data are those
/// that ffmpeg writes into MP4, without start codes and ADTS headers.
pub fn transport(bytes: &[u8]) -> Vec<Probed> {
    let mut times = packets(bytes, "a.ts");
    let mp4 = packets(&clip::remux(bytes, "a.ts", "-copyts", "a.mp4"), "a.mp4");
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let data: Vec<_> = mp4.iter().filter(|packet| packet.kind == kind).collect();
        let into: Vec<_> = times.iter_mut().filter(|packet| packet.kind == kind).collect();
        assert_eq!(data.len(), into.len(), "{kind}");
        for (into, from) in into.into_iter().zip(data) {
            (into.size, into.crc) = (from.size, from.crc);
        }
    }
    times
}

/// Computes the CRC-32 that ffprobe and zlib use.
pub fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
