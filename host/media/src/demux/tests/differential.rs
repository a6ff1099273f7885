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
    type Once = Arc<OnceLock<Vec<u8>>>;
    static MADE: OnceLock<Mutex<HashMap<String, Once>>> = OnceLock::new();
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

/// Ours hands out nothing that cannot be decoded, and counts it.
#[test]
fn pictures_before_the_first_key_frame_are_ffmpegs_only() {
    let mut starts = 0;
    let headless: Vec<_> = super::clip::plain()
        .chunks(188)
        .filter(|packet| {
            let video = (packet[1] & 0x1f, packet[2]) == (1, 0);
            starts += usize::from(video && packet[1] & 0x40 != 0);
            !video || starts > 1
        })
        .collect();
    let bytes = headless.concat();
    let (ours, theirs) = (super::run::whole(&bytes), probe::packets(&bytes, "a.ts"));
    let theirs: Vec<_> = theirs.iter().filter(|packet| packet.kind == TrackKind::Video).collect();
    assert_eq!((ours.of(TrackKind::Video).len(), theirs.len()), (75, 99));
    assert_eq!(ours.witness.video.unused(Reason::BeforeKey).units, 24);
    for (our, their) in ours.of(TrackKind::Video).iter().zip(&theirs[24..]) {
        assert_eq!((Some(our.dts), Some(our.pts)), (their.dts, their.pts));
    }
}

/// ffmpeg looks into a private stream (stream_type 6) that does not say what it is; ours goes by the table.
#[test]
fn private_streams_without_a_descriptor_are_guessed_at_by_ffmpeg_only() {
    let clip = super::clip::Clip { audio: "-c:a ac3 -b:a 128k", ..super::clip::Clip::default() };
    let mut bytes = clip.make();
    let (mut changed, map) = (0, [0x50, 0]);
    for packet in bytes.chunks_mut(188).filter(|packet| packet[1..3] == map) {
        let end = 5 + 3 + usize::from(packet[7]) - 4;
        let at = (5..end).find(|at| packet[*at..*at + 3] == [0x81, 0xe1, 1]).expect("AC-3 in PID 257");
        packet[at] = 6;
        // Descriptors that nobody knows.
        let (mut next, last) = (at + 5, at + 5 + usize::from(packet[at + 4]));
        while next < last {
            packet[next] = 0x90;
            next += 2 + usize::from(packet[next + 1]);
        }
        let crc = packet[5..end].iter().fold(u32::MAX, |crc, byte| {
            let shift = |crc: u32, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
            (0..8).fold(crc ^ u32::from(*byte) << 24, shift)
        });
        packet[end..end + 4].copy_from_slice(&crc.to_be_bytes());
        changed += 1;
    }
    assert!(changed > 0, "ffmpeg sends its PMT in PID 4096");
    let (ours, theirs) = (super::run::whole(&bytes), probe::packets(&bytes, "a.ts"));
    let of = |kind| theirs.iter().filter(|packet| packet.kind == kind).count();
    assert_eq!((ours.of(TrackKind::Video).len(), ours.of(TrackKind::Audio).len()), (of(TrackKind::Video), 0));
    assert!(of(TrackKind::Audio) > 100, "{}", of(TrackKind::Audio));
    assert_eq!(ours.notices, []);
}
