//! What a dry run sees of a source's first segments.

use std::time::Duration;

use super::super::survey::Survey;
use super::cuts::{clip, made};
use super::stream::Stream;
use crate::remux::testing::{PICTURE, SOUND};
use outboard_media::demux::repack::{Pack, units};
use outboard_media::demux::{Choice, Wish};
use outboard_media::segment::Container;

const MS: Duration = Duration::from_millis(1);
/// 25 pictures of the clip, which has 30 a second.
const GROUP: Duration = Duration::from_micros(833_333);

fn survey(stream: &Stream, batch: Duration) -> Survey {
    Survey::of(&stream.segments, &Choice::default(), batch).unwrap()
}

fn words(survey: &Survey) -> Vec<String> {
    survey.streams.iter().map(|seen| format!("{} {}", seen.words(), seen.why_not.is_none())).collect()
}

#[test]
fn key_frames_are_held_against_the_batch() {
    let segments = Pack::default().segments(&units(&clip()));
    let stream = Stream::ts(&segments[..2]);
    let good = survey(&stream, 1000 * MS);
    assert_eq!((good.key_frames, &good.warnings[..]), (Some(GROUP), &[][..]));
    assert_eq!(words(&good), ["PID 256: h264 true", "PID 257: aac true"]);
    let short = survey(&stream, 500 * MS);
    assert_eq!(short.warnings.len(), 1, "{short:?}");
    assert!(short.warnings[0].starts_with("PID 256: key frames are 0.8 s apart, and a batch has 0.5 s;"), "{short:?}");
}

#[test]
fn a_second_key_frame_that_does_not_come_is_told_where_a_batch_would_have_none() {
    let long = made(&format!("{PICTURE}{SOUND}"), "-g 500 -t 3", "long.ts");
    let stream = Stream::ts(&[long]);
    let (inside, beyond) = (survey(&stream, 4000 * MS), survey(&stream, 2000 * MS));
    assert_eq!((inside.key_frames, inside.warnings.len()), (None, 0), "there may be one after three seconds");
    assert!(beyond.warnings[0].contains("key frames are at least 3.0 s apart"), "{beyond:?}");
}

#[test]
fn a_segment_that_begins_without_a_key_frame_is_named() {
    let clip = clip();
    let packets = clip.len() / 188;
    let halves = [clip[..packets / 2 * 188].to_vec(), clip[packets / 2 * 188..].to_vec()];
    let found = survey(&Stream::ts(&halves), 4000 * MS);
    assert_eq!(
        found.warnings,
        ["segment 1 (1): PID 256: its first picture is no key frame; a segment should begin with a key frame"]
    );
}

/// Pictures and frames that reach over borders, or that are only known to be whole after one, are as they should be.
#[test]
fn what_reaches_over_a_border_is_no_fault() {
    let units = units(&clip());
    for pack in [
        Pack { audio_pes: Some(1400), ..Pack::default() },
        Pack { stuffed: 10, twice: 50, null: 9, ..Pack::default() },
        Pack { table_segments: 3, new_counters: true, ..Pack::default() },
        Pack { lengths: true, ..Pack::default() },
        Pack { move_at: Some(1), ..Pack::default() },
    ] {
        let found = survey(&Stream::ts(&pack.segments(&units)), 4000 * MS);
        assert_eq!((found.key_frames, &found.warnings[..]), (Some(GROUP), &[][..]), "{pack:?}");
    }
    let mut jumping = Stream::ts(&Pack { shift_at: Some((1, 90_000_000)), ..Pack::default() }.segments(&units));
    jumping.segments[1].discontinuity = true;
    let found = survey(&jumping, 4000 * MS);
    assert_eq!((found.key_frames, &found.warnings[..]), (Some(GROUP), &[][..]));
}

#[test]
fn separate_sound_is_listed_with_the_pictures() {
    let both = format!("{PICTURE}{SOUND}");
    let picture = made(&both, "-t 2 -map 0:v", "v.ts");
    let mut stream = Stream::new(Container::MpegTs, None, &[picture]);
    stream.beside(0, "a.ts", &made(&both, "-t 2 -map 1:a", "a.ts"), Container::MpegTs, None);
    let found = survey(&stream, 4000 * MS);
    assert_eq!(words(&found), ["PID 256: h264 true", "PID 256: aac true"]);
}

#[test]
fn the_choice_decides_and_unknown_content_has_no_streams() {
    let both = format!("{PICTURE}{SOUND}");
    let two = made(&both, "-t 2 -map 0:v -map 1:a -map 1:a -metadata:s:a:1 language=deu", "two.ts");
    let audio = Wish { language: Some("de".to_owned()), ..Wish::default() };
    let choice = Choice { audio, ..Choice::default() };
    let stream = Stream::ts(&[two]);
    let found = Survey::of(&stream.segments, &choice, 4000 * MS).unwrap();
    assert_eq!(words(&found), ["PID 256: h264 true", "PID 257: aac false", "PID 258: aac (deu) true"]);
    assert_eq!(survey(&Stream::ts(&[b"WEBVTT\n\n".to_vec()]), MS), Survey::default());
    let mut gone = Stream::ts(&[vec![0; 188]]);
    gone.segments[0].main.path = "/nowhere/segment-0.ts".into();
    assert!(Survey::of(&gone.segments, &choice, MS).is_err());
}
