//! Sound that is not AAC, against the source's own: every frame is encoded, and what is heard is in step, also at borders.

use std::path::Path;

use super::stream::{Batch, Stream};
use crate::remux::testing::ffmpeg_in;
use outboard_media::adts::{Header, SAMPLES};
use outboard_media::facts::{BatchFacts, Packet};
use outboard_media::segment::Container;

/// Noise that codecs keep: below 3 kHz.
const NOISE: &str = "-f lavfi -i anoisesrc=c=white:seed=7:a=0.4:d=12:r=48000,lowpass=f=3000";
const PICTURE: &str = "-f lavfi -i testsrc2=s=160x90:r=25:d=12";
/// Segments in each batch.
const BATCHES: [usize; 4] = [1, 2, 1, 2];
/// Samples in a window that is compared.
const WINDOW: usize = 1024;
/// What is heard may be off by so many samples: 1 ms.
const OFF_MAX: usize = 44;

struct Case {
    stream: Stream,
    /// The source's frames by ffmpeg.
    frames: Vec<Packet>,
    length_us: u64,
    rate: u32,
    /// The source's sound as ffmpeg decodes it, as one channel.
    heard: Vec<f32>,
}

fn case(coded: &str, container: Container) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let (end, kind) = if container == Container::MpegTs { ("ts", "mpegts") } else { ("m4s", "fmp4") };
    let video = "-c:v libx264 -preset ultrafast -g 50 -sc_threshold 0 -bf 0";
    ffmpeg_in(
        dir.path(),
        &format!(
            "{PICTURE} {NOISE} {video} {coded} -strict -2 -f hls -hls_time 2 -hls_list_size 0 -hls_segment_type {kind} \
             -hls_segment_filename segment-%d.{end} live.m3u8"
        ),
    );
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let segments: Vec<Vec<u8>> = (0..6).map(|n| read(&format!("segment-{n}.{end}"))).collect();
    let init = (container == Container::Fmp4).then(|| read("init.mp4"));
    std::fs::write(dir.path().join("whole"), [init.clone().unwrap_or_default(), segments.concat()].concat()).unwrap();
    ffmpeg_in(dir.path(), "-copyts -i whole -map 0:a -c copy -f framecrc frames");
    let facts = BatchFacts::parse(&String::from_utf8(read("frames")).unwrap()).unwrap().audio.unwrap();
    let heard = decoded(dir.path(), "whole");
    let stream = Stream::new(container, init.as_deref(), &segments);
    let (length_us, rate) = (facts.duration_us(), facts.sample_rate);
    Case { stream, frames: facts.packets, length_us, rate, heard }
}

/// All samples that a decoder makes of it, also those that a container says are to be left out.
fn decoded(dir: &Path, name: &str) -> Vec<f32> {
    ffmpeg_in(dir, &format!("-flags2 +skip_manual -i {name} -map 0:a -ac 1 -f f32le heard"));
    let bytes = std::fs::read(dir.join("heard")).unwrap();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

/// The sound of all batches, decoded as one stream.
fn on_air(dir: &Path, batches: &[Batch], rate: u32, channels: u32) -> Vec<f32> {
    let rate_index = [48_000, 44_100].iter().position(|known| *known == rate).unwrap() as u8 + 3;
    let header = Header { profile: 1, rate_index, rate, channels: channels as u8, header: 7, length: 8, blocks: 1 };
    let frame = |data: &Vec<u8>| [&header.to_bytes(data.len()).unwrap()[..], data].concat();
    let adts =
        batches.iter().flat_map(|batch| &batch.audio).flat_map(|sample| frame(&sample.data)).collect::<Vec<u8>>();
    std::fs::write(dir.join("air.aac"), adts).unwrap();
    decoded(dir, "air.aac")
}

fn energy(samples: impl Iterator<Item = f32>) -> f64 {
    samples.map(|sample| f64::from(sample).powi(2)).sum()
}

/// By how many samples `ours` is late, where both are most alike.
fn late_by(ours: &[f32], source: &[f32], at: usize) -> i64 {
    const REACH: i64 = 150;
    let like = |late: i64| -> f64 {
        let from = (at as i64 - late) as usize;
        ours[at..at + 2 * WINDOW].iter().zip(&source[from..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    (-REACH..=REACH).max_by(|a, b| like(*a).total_cmp(&like(*b))).unwrap()
}

/// Checks that the sound on air is that of the source.
fn assert_heard(case: &Case, batches: &[Batch], what: &str) {
    let facts: Vec<_> = batches.iter().map(|batch| batch.facts.audio.as_ref().unwrap()).collect();
    let (rate, channels) = (facts[0].sample_rate, facts[0].channels);
    assert_eq!(rate, case.rate, "{what}");
    // Every frame went in, and its samples came out.
    let encoded: u64 = batches.iter().map(|batch| batch.counts.encoded.as_ref().unwrap().frames).sum();
    assert_eq!(encoded, case.frames.len() as u64, "{what}");
    let packets: Vec<_> = facts.iter().flat_map(|facts| &facts.packets).collect();
    let samples = case.length_us as i64 * i64::from(rate) / 1_000_000;
    let off = packets.len() as i64 * i64::from(SAMPLES) - samples;
    assert!(off.abs() <= i64::from(SAMPLES), "{what}: {} packets for {samples} samples", packets.len());
    // One packet follows on the other, from the source's first frame on.
    let first_us = case.frames[0].pts_us;
    assert!((packets[0].pts_us - first_us).abs() <= 50, "{what}: {} and {first_us}", packets[0].pts_us);
    for (n, packet) in packets.iter().enumerate() {
        let at_us = packets[0].pts_us + n as i64 * 1_024_000_000 / i64::from(rate);
        assert!((packet.pts_us - at_us).abs() <= 100, "{what}: packet {n} at {} instead of {at_us}", packet.pts_us);
    }
    let ours = on_air(case.stream.dir.path(), batches, rate, channels);
    let length = ours.len().min(case.heard.len());
    assert!(length > 11 * rate as usize, "{what}: {length}");
    // In step.
    for at in (4 * WINDOW..length - 6 * WINDOW).step_by(23 * WINDOW) {
        let late = late_by(&ours, &case.heard, at);
        assert!(late.unsigned_abs() as usize <= OFF_MAX, "{what}: {late} samples late at {at}");
    }
    // Borders are like the rest.
    let off = |from: usize| {
        let pair = ours[from..from + WINDOW].iter().zip(&case.heard[from..]).map(|(a, b)| a - b);
        energy(pair) / energy(case.heard[from..from + WINDOW].iter().copied()).max(1e-9)
    };
    let borders: Vec<usize> = facts
        .iter()
        .scan(0, |at, facts| {
            *at += facts.packets.len() * WINDOW;
            Some(*at)
        })
        .collect();
    let mut elsewhere: Vec<f64> = (4..length / WINDOW - 4).map(|n| off(n * WINDOW)).collect();
    elsewhere.sort_by(f64::total_cmp);
    let usual = elsewhere[elsewhere.len() * 9 / 10];
    assert!(usual < 0.2, "{what}: the difference has {usual} of the energy");
    for border in &borders[..borders.len() - 1] {
        for from in [border - 2 * WINDOW, border - WINDOW, border - WINDOW / 2, *border, border + WINDOW] {
            assert!(off(from) < 2.0 * usual, "{what}: {} at {from}, border {border}, usual {usual}", off(from));
        }
    }
}

#[tokio::test]
async fn sound_that_is_not_aac_is_heard_in_step_and_without_borders() {
    use Container::{Fmp4, MpegTs};
    for (coded, container, from, bitrate) in [
        ("-c:a libmp3lame -ar 44100 -ac 2 -b:a 128k", MpegTs, "mp3", 128_000),
        ("-c:a mp2 -ac 1 -b:a 96k", MpegTs, "mp2", 64_000),
        ("-c:a ac3 -ac 6 -b:a 384k", MpegTs, "ac3", 384_000),
        ("-c:a eac3 -ac 2 -b:a 192k", MpegTs, "eac3", 128_000),
        ("-c:a libopus -ac 2 -b:a 128k", MpegTs, "opus", 128_000),
        ("-c:a libopus -ac 2 -b:a 128k", Fmp4, "opus", 128_000),
        ("-c:a ac3 -ac 2 -b:a 192k", Fmp4, "ac3", 128_000),
        ("-c:a libmp3lame -ac 2 -b:a 192k", Fmp4, "mp3", 128_000),
    ] {
        let case = case(coded, container);
        let batches = case.stream.through(&BATCHES, false).await;
        for batch in &batches {
            let (encoded, audio) = (batch.counts.encoded.as_ref().unwrap(), batch.facts.audio.as_ref().unwrap());
            assert_eq!((encoded.from, encoded.bitrate, encoded.failed), (from, bitrate, 0), "{coded}");
            assert_eq!((audio.codec.as_str(), audio.encoded_from.as_str()), ("aac", from), "{coded}");
        }
        assert_heard(&case, &batches, &format!("{coded} {container:?}"));
    }
}

#[tokio::test]
async fn after_a_restart_the_same_packets_follow() {
    let case = case("-c:a libmp3lame -ac 2 -b:a 128k", Container::MpegTs);
    let batches = case.stream.through(&BATCHES, true).await;
    assert_heard(&case, &batches, "restarted");
}
