//! The demux step's files and facts: against those of ffmpeg, and over streams cut in many ways.

mod against_ffmpeg;
mod cuts;
mod encoded;
mod field;
mod step;
mod stream;
mod streaming;
mod survey;

use super::*;
use outboard_media::facts::{Packet, TrackFacts};

#[test]
fn promised_sound_must_be_there() {
    let packet = Packet { dts_us: 0, pts_us: 0, duration_us: 0, size: 1 };
    let track = |packets| Some(TrackFacts { packets, ..TrackFacts::default() });
    let facts = |audio| BatchFacts { video: track(vec![packet]), audio };
    let promise = Started { promised_sound: Some("AUDIO=\"a\"".into()), ..Started::default() };
    for silent in [facts(None), facts(track(Vec::new()))] {
        let why = check_sound(Some(&promise), &silent).unwrap_err().to_string();
        assert!(why.contains("declares audio (AUDIO=\"a\")"), "{why}");
        check_sound(Some(&Started::default()), &silent).unwrap();
        check_sound(None, &silent).unwrap();
    }
    check_sound(Some(&promise), &facts(track(vec![packet]))).unwrap();
}
