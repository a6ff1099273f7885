//! Replies of real encoders keep their length and place: what an encoder adds is neither heard nor stretched away.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::super::facts;
use super::super::reply::{Decision, Heard};
use super::sound::{late_by, samples};
use super::*;
use crate::demux::Demuxed;
use outboard_exchange::{Reply as Answer, Returned};
use outboard_media::probe::probe;
use outboard_stage::contract::remux as wit;
use tokio::time::Instant;

/// What processors encode with: ffmpeg's words, and the file's name.
pub const ENCODERS: [(&str, &str); 8] = [
    ("-c:a pcm_s16le", "reply.wav"),
    ("-c:a pcm_s16le -ar 44100 -ac 1", "other.wav"),
    ("-c:a aac -b:a 192k -f adts", "reply.aac"),
    ("-c:a aac -b:a 192k -movflags empty_moov+default_base_moof", "no-edit-list.mp4"),
    ("-c:a aac -b:a 192k -movflags delay_moov+default_base_moof -frag_duration 1000000", "fragments.mp4"),
    ("-c:a aac -b:a 192k -ar 44100", "edit-list.m4a"),
    ("-c:a libmp3lame -b:a 192k", "lame.mp3"),
    ("-c:a libmp3lame -b:a 192k -write_xing 0", "untold.mp3"),
];

/// A reply that ffmpeg makes with these words: the file `name` in a folder.
pub fn returned(dir: &Path, words: &str, name: &str) -> Returned {
    ffmpeg_in(dir, &format!("{words} {name}"));
    returned_file(&dir.join(name))
}

/// This file as a reply.
pub fn returned_file(path: &Path) -> Returned {
    let audio = Bytes::from(std::fs::read(path).unwrap());
    let (metadata, round_trip) = (Value::Null, std::time::Duration::ZERO);
    let probe = probe(&audio).unwrap();
    Returned { audio, probe, metadata, round_trip, attempts: 1, answered: Instant::now() }
}

/// Noise is like itself in one place only.
const NOISE: &str = "-f lavfi -i anoisesrc=r=48000:d=6:c=pink:seed=7:a=0.5 -ac 2 ";

#[tokio::test]
async fn what_an_encoder_adds_is_neither_heard_nor_stretched_away() {
    let media = Media::ts(&format!("{PICTURE}{NOISE}"));
    let dir = media.batch();
    let facts = splitter().split(&media.segments[..1], &dir).await.unwrap();
    let audio = facts.audio.clone().unwrap();
    let source = samples(&dir.join(names::AUDIO), &[], 2).remove(0);
    let placed = Timeline::default().place(&facts, false);
    let (complete, sent) = (Instant::now(), Instant::now());
    let batch = Demuxed {
        number: 0,
        dir: dir.clone(),
        facts,
        layout: None,
        placed,
        pending: None,
        pre_roll: None,
        complete,
        sent,
        open: Duration::ZERO,
    };
    for (words, name) in ENCODERS {
        // A processor that decodes and encodes.
        let returned = returned(&dir, &format!("-i {} {words}", names::AUDIO), name);
        let heard = Heard::of(&returned, &batch, &audio);
        let (format, channels) = (returned.probe.container.ffmpeg_name(), returned.probe.channels);
        let told = facts::of(&batch, &Decision::of(Answer::Returned(returned)), 0);
        let wit::Reply::Returned(told) = told.reply else { panic!("{name}") };
        assert_eq!(told.duration_us, audio.duration_us(), "{name}");
        assert!(!told.copyable, "{name}: it does not join with what is before and behind it");

        let path = dir.join(name);
        let plan = Plan {
            audio: Audio::Processed,
            coding: Coding::Encode(None),
            fit: Fit::TrimOrPad,
            ..Plan::original(true, "")
        };
        let slots = slots();
        let turn = Turn { slots: &slots, by: None };
        let reply = Reply { path: &path, format, channels, skip: heard.skip };
        let made = encode(&dir, &audio, &plan, Some(reply), &Before::Nothing, None, turn).await.unwrap();
        let air = samples(&made.path, &[], 2).remove(0).split_off(1024 * made.priming as usize);
        let late = late_by(&source, &air, 30_000, 3000, 1400);
        let most = if name.ends_with("wav") { 1 } else { 48 };
        assert!(late.abs() <= most, "{name}: {late} samples late");
    }
}
