//! Law 3: one timeline. The skew that we add between audio and video is at most 1 ms and does not grow; timestamps
//! never go back. Encoded replies stay within 25 ms.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use outboard_tests::host::{Ended, Host};
use outboard_tests::media::{Clip, Entry, LiveOrigin, Packet, entries, source_packets};
use outboard_tests::onair::monotonic;
use outboard_tests::over_borders::over_borders;
use outboard_tests::receiver::nginx::Nginx;

struct Aired {
    programme: Vec<Entry>,
    nginx: Nginx,
    ended: Ended,
}

/// Airs a flash and a beep each second through an echo with `faults`.
async fn air(faults: &[&str]) -> Aired {
    let programme = flashes();
    aired(programme.clone(), programme, "4", faults).await
}

fn flashes() -> Vec<Entry> {
    entries(&Clip { flash: true, ..Clip::small(24) }, false)
}

/// Airs `sent`, which has the packets of `programme`, in batches of so many seconds.
async fn aired(programme: Vec<Entry>, sent: Vec<Entry>, batch_seconds: &str, faults: &[&str]) -> Aired {
    let origin = LiveOrigin::start(sent).await;
    let (_echo, url) = Host::echo(0, faults).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("time");
    let options = ["--source", &origin.url, "--processor", &url, "--to", &to, "--batch-seconds", batch_seconds];
    let more = ["--batches", "100", "--cushion-seconds", "6"];
    let ended = Host::run(storage.path(), &[&options[..], &more[..]].concat()).ended(Duration::from_secs(180)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    Aired { programme, nginx, ended }
}

impl Aired {
    fn source(&self, stream: &str) -> Vec<Packet> {
        let paths: Vec<_> = self.programme.iter().map(|entry| entry.path.clone()).collect();
        source_packets(&paths, stream)
    }

    fn on_air(&self, stream: &str) -> Vec<Packet> {
        monotonic(&self.nginx.files(1, "time")[0], stream)
    }
}

#[tokio::test]
async fn copied_sound_keeps_its_distance_to_the_picture() {
    let aired = air(&[]).await;
    assert_eq!(aired.ended.count("original"), 0, "{:#?}", aired.ended.log);
    assert_in_step(&aired);
}

/// Frames of sound reach over the border of each segment, and each segment is a batch. Replies may be late on a busy
/// machine: the original takes the same place.
#[tokio::test]
async fn sound_over_every_border_keeps_its_distance_to_the_picture() {
    let (programme, dir) = (flashes(), tempfile::tempdir().unwrap());
    let sent = over_borders(&programme, dir.path());
    let aired = aired(programme, sent, "2", &[]).await;
    assert_eq!(aired.ended.count("batches"), 12, "{}", aired.ended.report());
    assert_in_step(&aired);
}

fn assert_in_step(aired: &Aired) {
    assert!(aired.ended.report()["max_skew_ms"].as_f64().unwrap() <= 1.0);
    let shift = |stream: &str| -> Vec<f64> {
        let (source, air) = (aired.source(stream), aired.on_air(stream));
        assert_eq!(source.len(), air.len());
        source.iter().zip(&air).map(|(source, air)| (air.pts - source.pts) * 1000.0).collect()
    };
    let (video, audio) = (shift("v"), shift("a"));
    // One shift for the whole stream and both tracks: only rounding to milliseconds is added.
    let all = || video.iter().chain(&audio).copied();
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    assert!(most - least <= 1.0 + 1e-6, "the shift varies from {least} to {most} ms");
}

#[tokio::test]
async fn encoded_sound_stays_within_25_ms() {
    let aired = air(&["wav@all"]).await;
    assert_eq!(aired.ended.count("original"), 0, "{:#?}", aired.ended.log);
    let paths: Vec<_> = aired.programme.iter().map(|entry| std::fs::read(&entry.path).unwrap()).collect();
    let dir = tempfile::tempdir().unwrap();
    let joined = dir.path().join("source.ts");
    std::fs::write(&joined, paths.concat()).unwrap();
    let source = skews(&joined, &aired.source("v"));
    let air = skews(&aired.nginx.files(1, "time")[0], &aired.on_air("v"));
    assert!(source.len() >= 20, "{source:?}");
    assert_eq!(source.len(), air.len(), "{air:?}");
    let most = source.iter().zip(&air).map(|(source, air)| (air - source).abs()).fold(0.0, f64::max);
    assert!(most <= 25.0, "a beep moved by {most:.1} ms: from {source:.1?} to {air:.1?} ms after its flash");
}

#[tokio::test]
async fn replies_of_every_container_and_length_are_heard_without_holes() {
    let faults = ["adts@0..1", "mp3@2..3", "shorten:5%@4", "lengthen:15%@5"];
    let aired = air(&faults).await;
    assert_eq!((aired.ended.count("processed"), aired.ended.count("original")), (6, 0), "{:#?}", aired.ended.log);
    let (source, air) = (aired.source("a"), aired.on_air("a"));
    let holes = air.windows(2).map(|pair| pair[1].dts - pair[0].dts).filter(|step| *step > 0.045);
    assert_eq!(holes.count(), 0, "no step over two packets");
    assert!(source.len().abs_diff(air.len()) <= 6, "one packet a batch at most: {} of {}", air.len(), source.len());
    // ADTS was copied, packet by packet.
    let copied = source.iter().zip(&air).take_while(|(source, air)| source.hash == air.hash).count();
    assert!(copied >= 2 * 186, "{copied} packets were copied");
    assert_eq!(aired.source("v").len(), aired.on_air("v").len());
}

/// For each second: milliseconds from the flash (frames 0, 30, 60, … as shown) to the start of the nearest beep.
fn skews(file: &Path, video: &[Packet]) -> Vec<f64> {
    let mut shown: Vec<f64> = video.iter().map(|packet| packet.pts).collect();
    shown.sort_by(f64::total_cmp);
    let beeps = beeps(file);
    let flashes = shown.iter().step_by(30).skip(1);
    let nearest = |flash: &f64| {
        let distances = beeps.iter().map(|beep| (beep - flash) * 1000.0);
        distances.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap()
    };
    flashes.map(nearest).collect()
}

/// When beeps start, in seconds of the file's time.
fn beeps(file: &Path) -> Vec<f64> {
    let first = outboard_tests::media::packets(file, "a")[0].pts;
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:a", "-af", "aresample=async=0", "-ac", "1", "-ar", "48000", "-f", "f32le", "-"])
        .output()
        .unwrap();
    let samples = out.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    let (mut starts, mut quiet) = (Vec::new(), 0);
    for (n, sample) in samples.enumerate() {
        if sample.abs() > 0.15 {
            if quiet > 24_000 {
                starts.push(first + n as f64 / 48_000.0);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    starts
}
