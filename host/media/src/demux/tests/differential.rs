//! Our demuxer against ffmpeg's, over each clip that the tests make: the same packets with the same times, keys and data, but
//! for the differences that are listed here. A clip names those that it has; one that is not there any more fails too.

use std::collections::{BTreeSet, HashMap};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use super::super::*;
use super::probe::{self, Probed};

/// Most ticks of 90 kHz that [`Difference::RoundedDown`] makes.
const ROUNDED_MAX: i64 = 16;
/// Most of [`Difference::RoundedEdit`]: half a tick of a track of 12 800 per second.
const EDIT_MAX: i64 = 4;

/// What ffmpeg does otherwise, and why ours stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// ffmpeg leaves the zero byte of the next access unit's start code at the end of the last NAL unit of H.265.
    /// It belongs to the start code (ITU-T H.265 annex B).
    ZeroByteOfHevc,
    /// ffmpeg adds up durations that are rounded down to ticks where several frames are in one PES packet. Ours are exact to
    /// half a tick.
    RoundedDown,
    /// ffmpeg adds the largest composition offset below 0 to all presentation times of an MP4 track, which puts separate
    /// sound out of step. `tfdt` and `trun` are taken as they are.
    OffsetsBelowZero,
    /// ffmpeg rounds the length of an empty edit to ticks of the track. Ours is exact.
    RoundedEdit,
}

/// Checks that a file that ffmpeg wrote has these differences and no others, if it is one that our demuxer reads.
pub fn check(bytes: &[u8], name: &str, expected: &[Difference]) {
    let fragmented = name.ends_with(".mp4") && bytes.windows(4).any(|four| four == b"moof");
    if fragmented || name.ends_with(".ts") {
        assert_eq!(differences(bytes, name), expected.iter().copied().collect(), "{name}");
    }
}

/// Makes a file once for the whole test run.
pub fn once(key: String, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    static MADE: OnceLock<Mutex<HashMap<String, Arc<OnceLock<Vec<u8>>>>>> = OnceLock::new();
    let one = MADE.get_or_init(Mutex::default).lock().unwrap().entry(key).or_default().clone();
    one.get_or_init(make).clone()
}

/// Demuxes a clip in both ways; returns the differences, and stops the test at any that is not listed.
pub fn differences(bytes: &[u8], name: &str) -> BTreeSet<Difference> {
    let mut demuxer = Demuxer::recognise(bytes, Choice::default()).expect("a container that is known");
    let mut packets = Vec::new();
    demuxer.feed(bytes);
    packets.extend(std::iter::from_fn(|| demuxer.next_event()));
    demuxer.end();
    packets.extend(std::iter::from_fn(|| demuxer.next_event()));
    let config = |event: &Event| match event {
        Event::Config(Config::Video(config)) => Some(config.codec),
        _ => None,
    };
    let hevc = packets.iter().find_map(config) == Some(Codec::Hevc);
    let probed = if matches!(demuxer, Demuxer::Mp4(_)) { fragmented(bytes, name) } else { probe::transport(bytes) };
    let (mut found, transport) = (BTreeSet::new(), matches!(demuxer, Demuxer::Ts(_)));
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let ours = packets.iter().filter_map(|event| match event {
            Event::Packet(packet) if packet.kind == kind => Some(packet),
            _ => None,
        });
        let ours: Vec<&Packet> = ours.collect();
        let theirs: Vec<&Probed> = probed.iter().filter(|packet| packet.kind == kind).collect();
        assert_eq!(ours.len(), theirs.len(), "{kind} packets of {name}");
        let below = ours.iter().map(|packet| packet.pts - packet.dts).min().unwrap_or(0).min(0);
        for (n, (our, their)) in ours.into_iter().zip(theirs).enumerate() {
            let place = format!("{kind} packet {n} of {name}: {our:?}, and ffmpeg has {their:?}");
            if hevc && kind == TrackKind::Video && their.size == our.data.len() + 1 {
                assert_eq!(probe::crc(&with_zero_byte(&our.data)), their.crc, "{place}");
                found.insert(Difference::ZeroByteOfHevc);
            } else {
                assert_eq!((our.data.len(), probe::crc(&our.data)), (their.size, their.crc), "{place}");
            }
            assert_eq!(our.key.is_key(), their.key, "{place}");
            for (our, their, offset) in [(our.dts, their.dts, 0), (our.pts, their.pts, -below)] {
                match their.map(|their| their - our) {
                    Some(0) if offset == 0 => {}
                    Some(off) if off == offset => _ = found.insert(Difference::OffsetsBelowZero),
                    Some(off) if transport && kind == TrackKind::Audio && off.abs() <= ROUNDED_MAX => {
                        found.insert(Difference::RoundedDown);
                    }
                    Some(off) if matches!(demuxer, Demuxer::Mp4(_)) && off.abs() <= EDIT_MAX => {
                        found.insert(Difference::RoundedEdit);
                    }
                    _ => panic!("{place}"),
                }
            }
        }
    }
    found
}

/// A picture whose last NAL unit has a zero byte more.
fn with_zero_byte(data: &[u8]) -> Vec<u8> {
    let (mut last, mut next) = (0, 0);
    while let Some(length) = data.get(next..next + 4) {
        last = next;
        next += 4 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
    }
    let mut data = [data, &[0]].concat();
    let length = (data.len() - last - 4) as u32;
    data[last..last + 4].copy_from_slice(&length.to_be_bytes());
    data
}

/// The packets of fragmented MP4, with times in ticks of 90 kHz.
fn fragmented(bytes: &[u8], name: &str) -> Vec<Probed> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_type,time_base", "-of", "csv=p=0"])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let scale = |kind: TrackKind| -> i64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{kind},1/")));
        let digits = |scale: &str| scale.chars().take_while(char::is_ascii_digit).collect::<String>();
        line.map_or(1, |scale| digits(scale).parse().unwrap())
    };
    let mut packets = probe::packets(bytes, name);
    for packet in &mut packets {
        let scale = scale(packet.kind);
        let ticks = |time: i64| (time * 90_000 * 2 + scale).div_euclid(scale * 2);
        (packet.pts, packet.dts) = (packet.pts.map(ticks), packet.dts.map(ticks));
    }
    packets
}
