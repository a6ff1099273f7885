//! Tests of packed audio: codecs, ID3 timestamps and the borders of segments.

use super::super::*;
use super::clip;
use super::repack::Random;
use super::run::{self, Run, Step};

fn tag(ticks: u64) -> Vec<u8> {
    let body =
        [&b"PRIV\0\0\0\x35\0\0com.apple.streaming.transportStreamTimestamp\0"[..], &ticks.to_be_bytes()].concat();
    [&b"ID3\x04\0\0\0\0\0"[..], &[body.len() as u8], &body].concat()
}

fn sound(args: &[&str], name: &str) -> Vec<u8> {
    let all =
        [&["-f", "lavfi", "-i", "sine=440:sample_rate=48000,volume=0.5", "-t", "2", "-ac", "2"][..], args].concat();
    clip::ffmpeg(&all, name)
}

fn fed(segments: &[Vec<u8>], piece: usize) -> Run {
    let mut steps = Vec::new();
    for segment in segments {
        steps.extend(segment.chunks(piece).map(Step::Feed));
        steps.push(Step::SegmentEnd);
    }
    run::drive(Packed::new(), &steps)
}

/// Cuts the bytes anywhere and puts tags with the time of the first frame that begins in each piece before them.
#[test]
fn frames_reach_over_borders_and_tags() {
    let adts = sound(&["-c:a", "aac"], "a.aac");
    let mut starts = vec![];
    let mut at = 0;
    while at < adts.len() {
        starts.push(at);
        at += usize::from(adts[at + 3] & 3) << 11 | usize::from(adts[at + 4]) << 3 | usize::from(adts[at + 5]) >> 5;
    }
    let wrap = (1 << 33) - 90_000;
    let mut random = Random(6);
    for piece in [1, 50, 100_000] {
        let mut segments = Vec::new();
        let mut from = 0;
        while from < adts.len() {
            let to = (from + 2000 + random.below(9000)).min(adts.len());
            let first = starts.iter().position(|start| (from..to).contains(start)).unwrap_or(0) as u64;
            segments.push([&tag((wrap + first * 1920) & ((1 << 33) - 1))[..], &adts[from..to]].concat());
            from = to;
        }
        let run = fed(&segments, piece);
        let times: Vec<_> = run.packets.iter().map(|packet| packet.pts).collect();
        assert_eq!(times, (0..starts.len() as i64).map(|n| wrap as i64 + n * 1920).collect::<Vec<_>>(), "{piece}");
        let bytes: usize = run.packets.iter().map(|packet| packet.data.len() + 7).sum();
        assert_eq!((bytes, run.configs.len()), (adts.len(), 1));
        assert_eq!(run.witness.audio.unused_in_all(), Count::default());
    }
}

#[test]
fn a_file_without_a_timestamp_starts_where_it_is_told() {
    let adts = sound(&["-c:a", "aac"], "a.aac");
    assert!(fed(std::slice::from_ref(&adts), 500).packets.is_empty(), "without a time there are no packets");
    let steps: Vec<_> = adts.chunks(500).map(Step::Feed).collect();
    let run = run::drive(Packed::starting_at(-7), &steps);
    let times: Vec<_> = run.packets.iter().map(|packet| packet.pts).collect();
    assert_eq!(times, (0..times.len() as i64).map(|n| n * 1920 - 7).collect::<Vec<_>>());
    let bytes: usize = run.packets.iter().map(|packet| packet.data.len() + 7).sum();
    assert_eq!((bytes, run.witness.audio.unused_in_all()), (adts.len(), Count::default()));
}

#[test]
fn the_codec_is_told_by_the_first_frame() {
    for (args, name, codec, count) in [
        (&["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"][..], "a.mp3", Codec::MpegAudio, 84),
        (&["-c:a", "ac3"], "a.ac3", Codec::Ac3, 63),
        (&["-c:a", "eac3"], "a.eac3", Codec::Eac3, 63),
    ] {
        let bytes = sound(args, name);
        let run = fed(&[[&b"junk"[..], &tag(9000), &bytes].concat()], 1000);
        assert_eq!(run.streams[0].streams[0].codec, codec, "{name}");
        let held: usize = run.packets.iter().map(|packet| packet.data.len()).sum();
        // A tag is looked for at a segment's start only.
        assert!(held <= bytes.len(), "{name}");
        let run = fed(&[[&tag(9000)[..], &bytes].concat()], 1000);
        assert!(run.packets.len().abs_diff(count) <= 2, "{name}: {}", run.packets.len());
        assert_eq!(run.packets.iter().map(|packet| packet.data.len()).sum::<usize>(), bytes.len(), "{name}");
        assert_eq!(run.packets[0].pts, 9000);
    }
}

#[test]
fn damage_is_counted() {
    let adts = sound(&["-c:a", "aac"], "a.aac");
    let mut random = Random(2);
    for _ in 0..100 {
        let mut bytes = [&tag(1)[..], &adts].concat();
        for _ in 0..=random.below(5) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes.truncate(at + 1),
                _ => {
                    let end = (at + random.below(300)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        let at = random.below(bytes.len());
        fed(&[bytes[..at].to_vec(), bytes[at..].to_vec()], 1 + random.below(3000));
    }
    let run = fed(&[adts], 1000);
    assert!(run.packets.is_empty());
    assert!(run.witness.audio.unused(Reason::NoTime).units > 90, "without a tag no time is known");
}
