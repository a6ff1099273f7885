//! Demux and remux together on real media: every packet comes out, once, with its own time.

use std::process::Command;

use super::encode::before::Before;
use super::encode::{Reply, encode};
use super::index::AirIndex;
use super::output::kept;
use super::output::series::Series;
use super::plan::{Audio, Coding, Fit};
use super::*;
use crate::demux::{self, Splitter};
use outboard_egress::spool::Track;
use outboard_media::facts::TrackFacts;
use outboard_media::segment::{Container, Part};
use outboard_media::timeline::Timeline;
use outboard_store::files::names;

mod lengths;
mod levels;
mod located;
mod mix;
mod seams;
mod sound;

use super::testing::{Media, PICTURE, SOUND, ffmpeg_in, slots, splitter};

/// MD5 of each packet that goes on air, as an independent reader sees them in the output.
fn air_hashes(media: &Media, stream: &str) -> Vec<String> {
    media.hashes(&media.batch().join(names::OUTPUT), stream)
}

async fn through(media: &Media) -> (BatchFacts, Placed, Remuxed) {
    let dir = media.batch();
    let facts = splitter().split(&media.segments, &dir).await.unwrap();
    let placed = Timeline::default().place(&facts, false);
    let slots = slots();
    let turn = Turn { slots: &slots, by: None };
    let job = Job {
        number: 0,
        dir: &dir,
        facts: &facts,
        layout: None,
        placed: &placed,
        with_audio: true,
        processed: None,
        turn,
    };
    let remuxed = remux(job).await.unwrap();
    Series::default().write(&dir, &remuxed.ready, &facts).unwrap();
    kept::write(&dir).unwrap();
    (facts, placed, remuxed)
}

fn assert_times(track: &Track, facts: &TrackFacts, start_us: i64) {
    assert_eq!(track.tags.len(), facts.packets.len());
    for (tag, packet) in track.tags.iter().zip(&facts.packets) {
        let error = (tag.dts_ms as i64 * 1000 - (packet.dts_us - start_us)).abs();
        assert!(error <= 500, "{tag:?} {packet:?}: {error} us");
    }
}

#[tokio::test]
async fn every_packet_of_a_ts_batch_comes_out_once_with_its_time() {
    let media = Media::ts(&format!("{PICTURE}{SOUND}"));
    let (facts, placed, remuxed) = through(&media).await;
    assert_eq!((remuxed.lost, remuxed.trimmed), (0, 0));
    let start = facts.video.as_ref().unwrap().first_dts_us().min(facts.audio.as_ref().unwrap().first_dts_us());
    assert_times(&remuxed.ready.video, facts.video.as_ref().unwrap(), start);
    assert_times(&remuxed.ready.audio, facts.audio.as_ref().unwrap(), start);
    for stream in ["v", "a"] {
        let source = media.source_hashes(stream);
        assert!(source.len() > 100, "{}", source.len());
        assert_eq!(air_hashes(&media, stream), source);
    }
    assert_eq!(remuxed.ready.video.tags.iter().filter(|tag| tag.key).count(), 6);
    assert!(placed.max_skew_us <= 1000);
    let again = AirIndex::read(&media.batch()).unwrap().ready;
    assert_eq!((again.video, again.audio), (remuxed.ready.video, remuxed.ready.audio));
    assert_eq!(demux::reload(&media.batch()).await.unwrap(), facts);
}

#[tokio::test]
async fn every_packet_of_an_fmp4_batch_comes_out_once() {
    let media = Media::new(&format!("{PICTURE}{SOUND}"), "-hls_segment_type fmp4", Container::Fmp4);
    let (_, _, remuxed) = through(&media).await;
    assert_eq!(remuxed.lost, 0);
    for stream in ["v", "a"] {
        let source = media.source_hashes(stream);
        assert!(source.len() > 100);
        assert_eq!(air_hashes(&media, stream), source);
    }
}

#[tokio::test]
async fn a_stream_without_sound_and_one_without_pictures_work() {
    let (facts, _, remuxed) = through(&Media::ts(PICTURE)).await;
    assert!(facts.audio.is_none() && remuxed.ready.audio.headers.is_empty());
    assert_eq!(remuxed.ready.video.tags.len(), 180);
    let (facts, _, remuxed) = through(&Media::ts(SOUND)).await;
    assert!(facts.video.is_none() && remuxed.ready.video.headers.is_empty());
    assert_eq!(remuxed.ready.audio.tags.len(), facts.audio.unwrap().packets.len());
}

#[tokio::test]
async fn sound_that_goes_away_comes_back() {
    let (with, without) = (Media::ts(&format!("{PICTURE}{SOUND}")), Media::ts(PICTURE));
    let mut splitter = Splitter::new(slots());
    let tracks = |facts: &BatchFacts| (facts.video.is_some(), facts.audio.is_some());
    for (media, sound) in [(&with, true), (&without, false), (&with, true), (&without, false)] {
        let facts = splitter.split(&media.segments, &media.batch()).await.unwrap();
        assert_eq!(tracks(&facts), (true, sound));
        assert_eq!(facts.video.unwrap().packets.len(), 180);
    }
    let packets = media_packets(&with);
    assert_eq!(splitter.split(&with.segments, &with.batch()).await.unwrap().packets(), packets);
}

fn media_packets(media: &Media) -> u64 {
    (media.source_hashes("v").len() + media.source_hashes("a").len()) as u64
}

#[tokio::test]
async fn packed_audio_keeps_its_time() {
    let mut media = Media::ts(&format!("{PICTURE}{SOUND}"));
    let apart = splitter().split(&media.segments, &media.batch()).await.unwrap();
    let dir = media.batch();
    for segment in &mut media.segments {
        let alone = splitter().split(std::slice::from_ref(segment), &dir).await.unwrap();
        let name = format!("segment-{}-audio-0.aac", segment.index);
        let from = segment.main.path.display();
        ffmpeg_in(media.dir.path(), &format!("-i {from} -map 0:a -c copy -f adts {name}"));
        let path = media.dir.path().join(name);
        let mut bytes =
            b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0com.apple.streaming.transportStreamTimestamp\0".to_vec();
        bytes.extend((u64::try_from(alone.audio.unwrap().first_pts_us()).unwrap() * 9 / 100).to_be_bytes());
        bytes.extend(std::fs::read(&path).unwrap());
        std::fs::write(&path, bytes).unwrap();
        segment.audio = vec![Part { path, bytes: 0, container: Container::PackedAac, init: None }];
    }
    let facts = splitter().split(&media.segments, &media.batch()).await.unwrap();
    let (audio, expected) = (facts.audio.unwrap(), apart.audio.unwrap());
    assert_eq!(audio.packets.len(), expected.packets.len());
    let worst = audio.packets.iter().zip(&expected.packets).map(|(got, want)| (got.pts_us - want.pts_us).abs()).max();
    assert!(worst.unwrap() < 1000, "{worst:?} us off");
    assert_eq!(facts.video, apart.video);
}

#[tokio::test]
async fn unsupported_codecs_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for (codec, named) in [("-c:v mpeg2video -c:a aac", "mpeg2video"), ("-c:v mpeg4 -c:a aac", "mpeg4")] {
        let path = dir.path().join("segment-0.ts");
        ffmpeg_in(dir.path(), &format!("{PICTURE}{SOUND}{codec} -t 2 segment-0.ts"));
        let mut media = Media { dir: tempfile::tempdir().unwrap(), segments: Media::ts(PICTURE).segments };
        media.segments.truncate(1);
        media.segments[0].main.path = path;
        let error = splitter().split(&media.segments, &media.batch()).await.unwrap_err();
        assert!(matches!(error, DemuxError::Unsupported(_)) && error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn encoded_replies_fill_the_originals_place() {
    let media = Media::ts(&format!("{PICTURE}{SOUND}"));
    let dir = media.batch();
    let facts = splitter().split(&media.segments, &dir).await.unwrap();
    let placed = Timeline::default().place(&facts, false);
    let audio = facts.audio.clone().unwrap();
    ffmpeg_in(&dir, "-f lavfi -i sine=f=880:r=22050:d=5.5 -ac 1 reply.wav");
    let path = dir.join("reply.wav");
    let slots = slots();
    let turn = Turn { slots: &slots, by: None };
    let mix = Audio::Mix { original_centibel: -1000, processed_centibel: 0, ramp_ms: 50 };
    for choice in [Audio::Processed, mix, Audio::Silence] {
        let plan =
            Plan { audio: choice, coding: Coding::Encode(None), fit: Fit::TrimOrPad, ..Plan::original(true, "") };
        let reply = Reply { path: &path, format: "wav", channels: 1, skip: 0 };
        let processed = encode(&dir, &audio, &plan, Some(reply), &Before::Nothing, None, turn).await.unwrap();
        let processed = Some(&processed);
        let (dir, facts, placed) = (&dir, &facts, &placed);
        let job = Job { number: 0, dir, facts, layout: None, placed, with_audio: true, processed, turn };
        let remuxed = remux(job).await.unwrap();
        let air = &remuxed.ready.audio.tags;
        let off_by = air.len().abs_diff(audio.packets.len());
        assert!(off_by <= 1, "{} packets for {}", air.len(), audio.packets.len());
        let last = audio.packets.last().unwrap().dts_us - audio.first_dts_us();
        let end = (air.last().unwrap().dts_ms - air[0].dts_ms) as i64;
        assert!((end * 1000 - last).abs() <= 25_000, "{end} ms for {last} us");
        // What ffmpeg does not write cannot be lost: the priming packet is left out, and the last one left to the next batch.
        assert_eq!((remuxed.lost, remuxed.trimmed), (0, 2));
    }
}

#[tokio::test]
async fn a_broken_segment_is_an_error_not_a_batch() {
    let media = Media::ts(PICTURE);
    for segment in &media.segments {
        std::fs::write(&segment.main.path, b"not a transport stream").unwrap();
    }
    let error = splitter().split(&media.segments, &media.batch()).await.unwrap_err().to_string();
    assert!(error.contains("ffmpeg"), "{error}");
    assert!(!media.batch().join(names::VIDEO).exists());
}
