//! Playlists as they occur in the field, one folder for each case in `fixtures/hls`.
//!
//! `1.m3u8`, `2.m3u8` … are the responses in order; other playlists are served under their own names; `told.txt` lists
//! the events that the source must report. Media is generated from the names in the playlists.

use std::path::Path;

use outboard::media::segment::Cue;

use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hls");

macro_rules! cases {
    ($($name:ident)*) => {
        $(#[tokio::test] async fn $name() { play(&stringify!($name).replace('_', "-")).await })*

        #[test]
        fn every_folder_is_played() {
            let mut played = vec![$(stringify!($name).replace('_', "-")),*];
            let folders = std::fs::read_dir(FIXTURES).unwrap();
            let mut folders: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            played.sort();
            folders.sort();
            assert_eq!(folders, played);
        }
    };
}

cases! {
    cues date_without_colon define define_missing discontinuity endlist event_playlist ext_x_gap i_frames_only key_method_none live_edge
    login_page low_latency_parts_are_left_to_the_whole map_changes master_audio_missing master_audio_without_address master_highest_variant master_odd_attributes
    master_separate_audio
    names_change_dates_stay old_copy_of_a_cache packed_aac relative_and_query_urls restart_told_by_its_dates
    restart_under_the_same_numbers sample_aes sequence_goes_back sequence_is_missing slid_away start_offset title_with_commas token_in_the_path
    token_refresh widevine
}

async fn play(case: &str) {
    let folder = Path::new(FIXTURES).join(case);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let origin = Origin::start().await;
    origin.make_media();
    let mut answers = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        match name.trim_end_matches(".m3u8").parse::<u32>() {
            Ok(number) => answers.push((number, read(&name))),
            Err(_) => drop(origin.put(&format!("/live/{name}"), read(&name))),
        }
    }
    answers.sort();
    origin.script("/live/x.m3u8", answers.into_iter().map(|(_, text)| text));
    let mut run = Run::start(origin.url("/live/x.m3u8"));
    let mut told = Vec::new();
    while let Some(event) = run.event().await {
        told.push(with_cues(&event));
    }
    if let Err(error) = run.task.await.unwrap() {
        told.push(format!("error {error}"));
    }
    let expected = read("told.txt");
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        let fits = match expected.strip_prefix("error ") {
            Some(words) => told.starts_with("error ") && told.contains(words),
            None => told == expected,
        };
        assert!(fits, "told: {told}\nexpected: {expected}");
    }
}

fn with_cues(event: &SourceEvent) -> String {
    let mut words = vec![in_words(event)];
    if let SourceEvent::Segment(segment) = event {
        words.extend(segment.cues.iter().map(|cue| match cue {
            Cue::Out(length) => format!("cue-out({}s)", length.unwrap_or_default() / 1_000_000),
            Cue::In => "cue-in".to_owned(),
            Cue::Other(text) => format!("cue({text})"),
        }));
    }
    words.join(" ")
}
