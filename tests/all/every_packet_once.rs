//! Law 1: every media packet of each fetched segment goes on air exactly once and in order.
//!
//! Can fail: a batch border that cuts, a discontinuity that loses its tail, a header sent as media, a packet sent
//! twice.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard::media::flv::TagKind;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, Entry, LiveOrigin, entries, ffmpeg, packets};
use outboard_tests::onair::{assert_same_packets, hashes, join_sessions, monotonic, of_entries};
use outboard_tests::over_borders::over_borders;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;

#[tokio::test]
async fn packets_on_air_are_the_sources_over_batches_and_a_discontinuity() {
    let picture = Clip { size: Some((1920, 1080)), ..Clip::small(20) };
    let other = Clip { tone: 880, ..Clip::small(14) };
    let programme = [entries(&picture, false), entries(&other, true)].concat();
    let origin = LiveOrigin::start(programme.clone()).await;
    let processor = Processor::start(ServerKind::Node, "echo", &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("law1");
    let options = ["--source", &origin.url, "--processor", &processor.url(), "--to", &to];
    let more = ["--batch-seconds", "4", "--batches", "100", "--cushion-seconds", "4"];
    let ended = Host::run(storage.path(), &[&options[..], &more[..]].concat()).ended(Duration::from_secs(120)).await;

    assert!(ended.status.success(), "{:#?}", ended.log);
    assert!(ended.count("batches") >= 8, "{}", ended.report());
    assert_eq!((ended.count("original"), ended.count("packets_lost")), (0, 0), "{:#?}", ended.log);
    let files = nginx.files(1, "law1");
    assert_eq!(files.len(), 1, "one RTMP session");
    let mut total = 0;
    for stream in ["v", "a"] {
        let source: Vec<_> = of_entries(&programme, stream).concat();
        let air = monotonic(&files[0], stream);
        assert!(source.len() > 900, "{} packets prove little", source.len());
        assert_same_packets(&hashes(&air), &hashes(&source), stream);
        total += source.len() as u64;
    }
    assert_eq!((ended.count("packets_in"), ended.count("packets_on_air")), (total, total));
    let recording = nginx.recordings("law1").remove(0);
    let mut times: Vec<u64> = recording.packets.iter().map(|packet| packet.dts_ms).collect();
    assert!(times.is_sorted(), "sound and picture interleave by time");
    times.dedup();
    assert!(times.len() > 1000);
    // Headers are sent again only when they change: one for each of the two videos. (For audio headers, nginx's
    // recorder also writes cached ones.)
    let of = |kind: TagKind| recording.headers.iter().filter(move |header| header.0 == kind).map(|header| &header.1);
    assert_eq!(of(TagKind::Video).count(), 2, "{:02x?}", recording.headers);
    assert_ne!(of(TagKind::Video).next(), of(TagKind::Video).next_back());
    assert_eq!(of(TagKind::Audio).next(), of(TagKind::Audio).next_back());
}

/// Stereo becomes mono inside of a segment and of a batch, without a discontinuity tag: the receiver is told right before the
/// first packet that is mono.
#[tokio::test]
async fn a_change_of_channels_inside_a_batch_is_told_at_its_packet() {
    let made = tempfile::tempdir().unwrap();
    let path = |name: &str| made.path().join(name).display().to_string();
    let noise = "anoisesrc=r=48000:a=0.1:seed=1";
    for (name, seconds, channels) in [("a", "5", "2"), ("b", "7", "1")] {
        let file = path(&format!("{name}.aac"));
        ffmpeg(&["-f", "lavfi", "-i", noise, "-t", seconds, "-c:a", "aac", "-ac", channels, &file]);
    }
    let [stereo, mono] = ["a.aac", "b.aac"].map(|name| std::fs::read(path(name)).unwrap());
    std::fs::write(path("ab.aac"), [stereo, mono].concat()).unwrap();
    let picture = "testsrc2=s=320x180:r=30:d=12";
    let inputs = ["-f", "lavfi", "-i", picture, "-i", &path("ab.aac"), "-map", "0:v", "-map", "1:a"];
    let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-sc_threshold", "0", "-c:a", "copy"];
    let hls = ["-t", "12", "-f", "hls", "-hls_list_size", "0", "-hls_time", "2"];
    let names = ["-hls_segment_filename", &path("segment-%d.ts"), &path("list.m3u8")];
    ffmpeg(&[&inputs[..], &coding, &hls, &names].concat());
    let entry = |n| Entry { path: path(&format!("segment-{n}.ts")).into(), discontinuity: false };
    let programme: Vec<_> = (0..6).map(entry).collect();
    let origin = LiveOrigin::start(programme.clone()).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("channels");
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(120)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0, "{:#?}", ended.log);
    let files = nginx.files(1, "channels");
    for stream in ["v", "a"] {
        let source = of_entries(&programme, stream).concat();
        assert!(source.len() >= 360);
        assert_same_packets(&hashes(&monotonic(&files[0], stream)), &hashes(&source), stream);
    }
    let recording = nginx.recordings("channels").remove(0);
    let sounds = recording.headers.iter().zip(&recording.headers_at).filter(|(header, _)| header.0 == TagKind::Audio);
    let mut told: Vec<(&[u8], usize)> = sounds.map(|((_, body), at)| (&body[..], *at)).collect();
    // nginx's recorder also writes cached ones.
    told.dedup_by_key(|(body, _)| *body);
    let [(first, _), (second, at)] = told[..] else { panic!("{told:02x?}") };
    // AudioSpecificConfig: the channels are behind five bits of type and four of rate.
    assert_eq!([first[3] >> 3 & 0xf, second[3] >> 3 & 0xf], [2, 1]);
    let before = recording.packets[..at].iter().filter(|packet| packet.kind == TagKind::Audio).count();
    let stereo = packets(&made.path().join("a.aac"), "a").len();
    assert_eq!(before, stereo, "packets before the new header");
}

#[tokio::test]
async fn frames_over_the_border_of_each_batch_are_whole() {
    over_borders_in_batches_of("4").await;
}

/// Each segment is a batch.
#[tokio::test]
async fn frames_over_the_border_of_each_short_batch_are_whole() {
    over_borders_in_batches_of("2").await;
}

/// Frames of sound that begin in one batch and end in the next, also where the host is killed between the two.
async fn over_borders_in_batches_of(seconds: &str) {
    let clip = entries(&Clip::small(28), false);
    let packed = tempfile::tempdir().unwrap();
    let programme = over_borders(&clip, packed.path());
    let origin = LiveOrigin::start(programme).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("borders");
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", seconds, "--batches", "100"];
    let host = Host::run(storage.path(), &options);
    host.until("on air batch=1", Duration::from_secs(60)).await;
    // Not at the key frame itself: what was written just before it may not have arrived.
    tokio::time::sleep(Duration::from_millis(700)).await;
    host.kill().await;
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(120)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.lines_with("cannot be used"), 0, "{:#?}", ended.log);
    assert_eq!(ended.lines_with("resuming where the last run ended"), 1, "{:#?}", ended.log);
    for (stream, group) in [("v", 60), ("a", 95)] {
        let source: Vec<_> = of_entries(&clip, stream).concat();
        let want = hashes(&source);
        let sessions: Vec<_> = nginx.files(1, "borders").iter().map(|file| monotonic(file, stream)).collect();
        let (joined, repeats) = join_sessions(&sessions, &want, stream);
        assert_same_packets(&joined, &want, stream);
        assert!(repeats.iter().all(|repeat| *repeat <= group), "{stream}: {repeats:?} packets repeat");
    }
}

#[tokio::test]
async fn a_stream_without_sound_goes_on_air_untouched() {
    let clip = Clip { sound: false, ..Clip::small(8) };
    silent_or_blind(clip, "v", 240).await;
}

#[tokio::test]
async fn a_stream_without_pictures_goes_on_air_through_the_processor() {
    let clip = Clip { size: None, ..Clip::small(8) };
    silent_or_blind(clip, "a", 300).await;
}

async fn silent_or_blind(clip: Clip, stream: &str, at_least: usize) {
    let programme = entries(&clip, false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let processor = Processor::start(ServerKind::Python, "echo", &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("one");
    let options = ["--source", &origin.url, "--processor", &processor.url(), "--to", &to];
    let more = ["--batch-seconds", "4", "--batches", "100"];
    let ended = Host::run(storage.path(), &[&options[..], &more[..]].concat()).ended(Duration::from_secs(60)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0);
    assert_eq!(ended.count("processed") > 0, stream == "a", "{}", ended.report());
    let source: Vec<_> = of_entries(&programme, stream).concat();
    let air = monotonic(&nginx.files(1, "one")[0], stream);
    assert!(source.len() >= at_least, "{} packets", source.len());
    assert_same_packets(&hashes(&air), &hashes(&source), stream);
}
