use url::Url;

use super::super::playlist::parse_media;
use super::super::window::{Start, Window};
use super::*;

const WAIT: Duration = Duration::from_secs(18);

/// A playlist of `count` segments of this duration, `dated` from this second on.
fn list(sequence: u64, seconds: f64, count: u64, dated: Option<f64>, end: bool) -> MediaPlaylist {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n");
    if let Some(start) = dated {
        text += &format!("#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:{start:06.3}Z\n");
    }
    for number in sequence..sequence + count {
        text += &format!("#EXTINF:{seconds},\n{number}\n");
    }
    text += if end { "#EXT-X-ENDLIST\n" } else { "" };
    parse_media(&Url::parse("http://h/x.m3u8").unwrap(), &text, None).unwrap()
}

/// Both playlists with their windows and the pairing.
struct Both {
    pairing: Pairing,
    main: Window,
    audio: Window,
    now: Duration,
}

impl Both {
    fn new(main: &MediaPlaylist, audio: &MediaPlaylist) -> Self {
        let mut both = Self {
            pairing: Pairing::new(main, Some(audio), WAIT),
            main: Window::new(Start::LiveEdge, None),
            audio: Window::new(Start::Beginning, None),
            now: Duration::ZERO,
        };
        both.main(main);
        both.audio(audio);
        if audio.ended {
            both.pairing.end_audio();
        }
        both
    }

    fn main(&mut self, playlist: &MediaPlaylist) {
        for step in self.main.update(playlist, self.now) {
            self.pairing.push_main(step, self.now);
        }
    }

    fn audio(&mut self, playlist: &MediaPlaylist) -> Vec<String> {
        let steps = self.audio.update(playlist, self.now);
        steps.into_iter().filter_map(|step| self.pairing.push_audio(step)).map(told).collect()
    }

    fn next(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.pairing.next(self.now)).map(told).collect()
    }
}

/// Formats as `main: audio audio`, by number.
fn told(paired: Paired) -> String {
    let mark = |mark: Mark| match mark {
        Mark::Gap { segments, reason, .. } => format!("gap {segments} {reason:?}"),
        Mark::Epoch { reason, .. } => format!("epoch {reason:?}"),
    };
    match paired {
        Paired::Segment { main, audio } => {
            let audio: Vec<String> = audio.iter().map(|planned| planned.entry.sequence.to_string()).collect();
            format!("{}: {}", main.entry.sequence, audio.join(" "))
        }
        Paired::Main(paired) => format!("main {}", mark(paired)),
        Paired::Audio(paired) => format!("audio {}", mark(paired)),
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_same_grid_by_number() {
    let mut both = Both::new(&list(10, 6.0, 5, None, false), &list(9, 5.99, 6, None, false));
    assert_eq!(both.next(), ["12: 12", "13: 13", "14: 14"], "10 and 11 lie before the start");
}

#[test]
fn by_date_whatever_the_numbers() {
    let main = list(10, 6.0, 3, Some(0.0), false);
    let mut both = Both::new(&main, &list(700, 2.0, 9, Some(0.02), false));
    assert_eq!(both.next(), ["10: 700 701 702", "11: 703 704 705", "12: 706 707 708"]);
    let mut both = Both::new(&main, &list(700, 9.0, 2, Some(0.0), false));
    assert_eq!(both.next(), ["10: 700", "11: 701", "12: "], "each exactly once");
}

#[test]
fn a_rendition_that_began_earlier_sounds_under_the_first_picture() {
    let mut both = Both::new(&list(10, 6.0, 3, Some(4.0), false), &list(1, 6.0, 4, Some(0.0), false));
    assert_eq!(both.next(), ["10: 1 2", "11: 3", "12: 4"]);
}

#[test]
fn other_lengths_and_numbers_without_dates_meet_at_the_live_edge() {
    let mut both = Both::new(&list(10, 6.0, 4, None, false), &list(900, 2.0, 12, None, false));
    assert_eq!(both.next(), ["11: 903 904 905", "12: 906 907 908", "13: 909 910 911"]);
}

#[test]
fn vod_meets_at_the_beginning_and_sounds_out_with_the_last_picture() {
    let mut both = Both::new(&list(1, 6.0, 2, None, true), &list(1, 4.0, 4, None, true));
    assert_eq!(both.next(), ["1: 1 2", "2: 3 4"]);
    assert_eq!(both.pairing.rest(), None);
}

#[test]
fn sound_after_an_end_that_was_not_foreseen_is_told() {
    let mut both = Both::new(&list(1, 6.0, 2, Some(0.0), false), &list(1, 4.0, 4, Some(0.0), true));
    assert_eq!(both.next(), ["1: 1 2", "2: 3"]);
    assert!(matches!(both.pairing.rest(), Some(Mark::Gap { segments: 1, reason: GapReason::Unpaired, .. })));
    assert_eq!(both.pairing.rest(), None);
}

#[test]
fn dates_of_two_clocks_are_not_compared() {
    let main = list(10, 6.0, 3, Some(0.0), false);
    let mut both = Both::new(&main, &list(10, 6.0, 3, Some(40.0), false));
    assert_eq!(both.next(), ["10: 10", "11: 11", "12: 12"], "by number instead");
}

#[test]
fn a_segment_waits_for_its_sound_up_to_the_limit() {
    let mut both = Both::new(&list(10, 6.0, 3, None, false), &list(10, 6.0, 2, None, false));
    assert_eq!(both.next(), ["10: 10", "11: 11"]);
    assert_eq!(both.pairing.deadline(), Some(WAIT));
    both.now = Duration::from_secs(6);
    both.audio(&list(10, 6.0, 3, None, false));
    assert_eq!(both.next(), ["12: 12"]);
    both.main(&list(11, 6.0, 3, None, false));
    assert_eq!(both.next(), NOTHING);
    both.now += WAIT;
    assert_eq!(both.next(), ["13: "], "goes on without");
    both.audio(&list(11, 6.0, 4, None, false));
    both.main(&list(11, 6.0, 4, None, false));
    assert_eq!(both.next(), ["audio gap 1 Unpaired", "14: 14"], "too late for 13");
}

#[test]
fn the_end_of_the_rendition_holds_up_nothing() {
    let mut both = Both::new(&list(10, 6.0, 3, None, false), &list(10, 6.0, 1, None, false));
    both.pairing.end_audio();
    assert_eq!(both.next(), ["10: 10", "11: ", "12: "]);
}

#[test]
fn sound_of_a_missing_picture_is_told() {
    let mut both = Both::new(&list(10, 6.0, 3, None, false), &list(10, 6.0, 3, None, false));
    assert_eq!(both.next().len(), 3);
    both.now = Duration::from_secs(20);
    assert_eq!(both.audio(&list(13, 6.0, 3, None, false)), NOTHING);
    both.main(&list(14, 6.0, 2, None, false));
    assert_eq!(both.next(), ["main gap 1 Missed", "audio gap 1 Unpaired", "14: 14", "15: 15"]);
}

#[test]
fn gaps_and_epochs_of_the_rendition_pass_at_once() {
    let mut both = Both::new(&list(10, 6.0, 3, None, false), &list(10, 6.0, 3, None, false));
    both.next();
    both.now = Duration::from_secs(12);
    assert_eq!(both.audio(&list(14, 6.0, 1, None, false)), ["audio gap 1 Missed"]);
    both.main(&list(10, 6.0, 5, None, false));
    assert_eq!(both.next(), ["13: ", "14: 14"]);
}

#[test]
fn after_a_restart_what_comes_next_belongs_together() {
    let mut both = Both::new(&list(500, 6.0, 3, None, false), &list(500, 6.0, 3, None, false));
    both.next();
    for _ in 0..2 {
        both.main(&list(0, 6.0, 2, None, false));
    }
    assert_eq!(both.next(), ["main epoch Restarted"]);
    for _ in 0..2 {
        both.audio(&list(0, 6.0, 2, None, false));
    }
    assert_eq!(both.next(), ["0: 0", "1: 1"]);
}

#[test]
fn without_a_rendition_everything_passes() {
    let main = list(10, 6.0, 3, None, false);
    let mut pairing = Pairing::new(&main, None, WAIT);
    for step in Window::new(Start::LiveEdge, None).update(&main, Duration::ZERO) {
        pairing.push_main(step, Duration::ZERO);
    }
    assert_eq!(pairing.waiting(), 3);
    let all: Vec<String> = std::iter::from_fn(|| pairing.next(Duration::ZERO)).map(told).collect();
    assert_eq!(all, ["10: ", "11: ", "12: "]);
    assert_eq!((pairing.deadline(), pairing.rest()), (None, None));
}
