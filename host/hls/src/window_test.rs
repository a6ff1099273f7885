use url::Url;

use super::super::playlist::parse_media;
use super::*;
use outboard_media::segment::Identity;

/// A playlist of 6 s segments, each named `name` and its number.
fn list(sequence: u64, names: &str) -> MediaPlaylist {
    listed(sequence, 6, names, "")
}

/// Words are URIs; `|` is a discontinuity, `!` a gap, `@<seconds>` a date-time; each applies to the next word.
fn listed(sequence: u64, target: u64, words: &str, end: &str) -> MediaPlaylist {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n");
    for word in words.split_whitespace() {
        text += &match word.split_at(1) {
            ("|", _) => "#EXT-X-DISCONTINUITY\n".to_owned(),
            ("!", _) => "#EXT-X-GAP\n".to_owned(),
            ("@", seconds) => {
                format!("#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:{:0>2}:{:0>2}Z\n", minute(seconds), second(seconds))
            }
            ("#", _) => format!("{word}\n"),
            _ => format!("#EXTINF:{target},\n{word}\n"),
        };
    }
    parse_media(&Url::parse("http://h/live/x.m3u8").unwrap(), &(text + end), None).unwrap()
}

fn minute(seconds: &str) -> u64 {
    seconds.parse::<u64>().unwrap() / 60
}

fn second(seconds: &str) -> u64 {
    seconds.parse::<u64>().unwrap() % 60
}

/// Steps in words: names of segments, `|name` after a discontinuity, `gap N <seconds>`, `epoch N reason`.
fn told(steps: &[Step]) -> Vec<String> {
    let name = |entry: &Entry| entry.uri.path().rsplit('/').next().unwrap().to_owned();
    let words = steps.iter().map(|step| match step {
        Step::Segment(planned) if planned.discontinuity => format!("|{}", name(&planned.entry)),
        Step::Segment(planned) => name(&planned.entry),
        Step::Mark(Mark::Gap { segments, duration, reason }) => {
            format!("gap {segments} {}s {reason:?}", duration.as_secs_f64())
        }
        Step::Mark(Mark::Epoch { number, reason }) => format!("epoch {number} {reason:?}"),
    });
    words.collect()
}

#[test]
fn a_stream_that_is_to_be_live_skips_what_piled_up() {
    let names = |from: u32, to: u32| (from..to).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
    let update = |window: &mut Window, from: u32, to: u32| {
        told(&window.update(&list(u64::from(from), &names(from, to)), Duration::from_secs(u64::from(to) * 6)))
    };
    let new = |live| Window::new(Start::LiveEdge, None).catching_up(live);
    let mut window = new(true);
    assert_eq!(update(&mut window, 0, 6), ["s3", "s4", "s5"], "a start is no catching up");
    // Two segments before the edge can come with one slow load.
    assert_eq!(update(&mut window, 3, 11), ["s6", "s7", "s8", "s9", "s10"]);
    // After an absence of ten segments.
    assert_eq!(update(&mut window, 8, 21), ["gap 7 42s Behind", "|s18", "s19", "s20"]);
    assert_eq!(update(&mut window, 9, 22), ["s21"]);
    // Segments that left the playlist are missed; listed ones are skipped.
    assert_eq!(update(&mut window, 30, 40), ["gap 8 48s Missed", "gap 7 42s Behind", "|s37", "s38", "s39"]);
    let mut window = new(false);
    assert_eq!(update(&mut window, 0, 6).len() + update(&mut window, 3, 16).len(), 13, "by default nothing is skipped");
}

struct Live {
    window: Window,
    now: Duration,
}

impl Live {
    fn new() -> Self {
        Self { window: Window::new(Start::LiveEdge, None), now: Duration::from_secs(1000) }
    }

    /// Loads a playlist six seconds after the previous one.
    fn load(&mut self, playlist: &MediaPlaylist) -> Vec<String> {
        self.after(6, playlist)
    }

    fn after(&mut self, seconds: u64, playlist: &MediaPlaylist) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        told(&self.window.update(playlist, self.now))
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_live_source_starts_three_targets_before_the_end() {
    let mut live = Live::new();
    assert_eq!(live.load(&list(10, "a b c d e")), ["c", "d", "e"]);
    assert_eq!(Live::new().load(&list(10, "a b")), ["a", "b"], "a short playlist from its beginning");
    let short = listed(1, 2, "a b c d", "").entries;
    let uneven = MediaPlaylist { target: Duration::from_secs(6), entries: short, ..list(1, "") };
    assert_eq!(Live::new().load(&uneven), ["a", "b", "c", "d"], "measured in time, not in segments");
    assert_eq!(Live::new().load(&list(10, "| a")), ["a"], "nothing before it that it could break with");
}

#[test]
fn vod_and_renditions_start_at_the_beginning() {
    assert_eq!(Live::new().load(&listed(0, 6, "a b c d e", "#EXT-X-ENDLIST\n")), ["a", "b", "c", "d", "e"]);
    let mut window = Window::new(Start::Beginning, None);
    assert_eq!(told(&window.update(&list(10, "a b c d e"), Duration::ZERO)), ["a", "b", "c", "d", "e"]);
}

#[test]
fn only_new_segments_once() {
    let mut live = Live::new();
    live.load(&list(10, "a b c"));
    assert_eq!(live.load(&list(10, "a b c")), NOTHING);
    assert_eq!(live.load(&list(11, "b c d")), ["d"]);
    assert_eq!(live.load(&list(13, "d e | f")), ["e", "|f"]);
    assert_eq!(live.load(&list(16, "g h")), ["g", "h"], "all we had slid out, the next follows on");
}

#[test]
fn what_slid_out_is_counted() {
    let mut live = Live::new();
    live.load(&list(10, "a b c"));
    assert_eq!(live.after(30, &list(16, "g h i")), ["gap 3 18s Missed", "|g", "h", "i"]);
    assert_eq!(live.load(&list(17, "h i j")), ["j"]);
}

#[test]
fn what_slid_out_is_measured_by_date() {
    let mut live = Live::new();
    live.load(&list(10, "@0 a b c"));
    assert_eq!(live.after(30, &list(16, "@36 g h i")), ["gap 3 18s Missed", "|g", "h", "i"]);
    assert_eq!(live.after(6, &list(19, "@60 j")), ["j"], "the numbers go on, the hole in time is the origin's own");
}

#[test]
fn marked_gaps_are_counted_together() {
    let mut live = Live::new();
    live.load(&list(10, "a b c"));
    assert_eq!(live.load(&list(10, "a b c ! d ! e f g")), ["gap 2 12s Marked", "|f", "g"]);
    assert_eq!(Live::new().load(&list(1, "! a b")), ["gap 1 6s Marked", "b"]);
}

#[test]
fn a_refreshed_token_is_the_same_segment() {
    let mut live = Live::new();
    live.load(&list(10, "a.ts?t=1 b.ts?t=1"));
    assert_eq!(live.load(&list(10, "a.ts?t=2 b.ts?t=2 c.ts?t=2")), ["c.ts"]);
    assert_eq!(live.load(&list(11, "/tok3/b.ts http://edge7/tok3/c.ts /tok3/d.ts")), ["d.ts"], "in the path");
    let mut dated = Live::new();
    dated.load(&list(10, "@0 a b"));
    assert_eq!(dated.load(&list(10, "@0 other names c")), ["c"], "the date-time comes first");
}

#[test]
fn a_number_alone_proves_nothing() {
    let mut live = Live::new();
    live.load(&list(10, "a b c"));
    assert_eq!(live.load(&list(10, "a b x y")), ["epoch 1 Replaced", "|x", "y"]);
    let mut dated = Live::new();
    dated.load(&list(0, "@0 seg0 seg1"));
    assert_eq!(dated.load(&list(0, "@300 seg0 seg1")), ["epoch 1 Restarted", "|seg0", "seg1"]);
}

#[test]
fn numbers_that_go_back_are_believed_at_the_second_load() {
    let mut live = Live::new();
    live.load(&list(500, "a b c"));
    assert_eq!(live.load(&list(0, "x")), NOTHING);
    assert!(live.window.is_waiting());
    assert_eq!(live.after(3, &list(0, "x")), ["epoch 1 Restarted", "|x"]);
    assert!(!live.window.is_waiting());
    assert_eq!(live.load(&list(0, "x y")), ["y"]);
    assert_eq!(live.window.epoch(), 1);
}

#[test]
fn one_answer_from_an_old_cache_changes_nothing() {
    let mut live = Live::new();
    live.load(&list(500, "a b c"));
    assert_eq!(live.load(&list(20, "k l m")), NOTHING);
    assert_eq!(live.load(&list(501, "b c d")), ["d"]);
    assert_eq!(live.load(&list(20, "k l m")), NOTHING, "the suspicion was forgotten");
    assert_eq!(live.load(&list(502, "c d e")), ["e"]);
}

#[test]
fn a_later_date_makes_a_restart_certain_at_once() {
    let mut live = Live::new();
    live.load(&list(500, "@0 a b c"));
    assert_eq!(live.load(&list(0, "@40 x y")), ["epoch 1 Restarted", "|x", "y"]);
}

#[test]
fn a_slower_edge_that_lists_what_we_had_is_waited_for() {
    let mut live = Live::new();
    live.load(&list(10, "a b c d"));
    live.load(&list(11, "b c d e"));
    assert_eq!(live.after(3, &list(10, "a b c d")), NOTHING);
    assert_eq!(live.after(3, &list(11, "b c d e")), NOTHING);
    assert_eq!(live.after(3, &list(12, "c d e f")), ["f"]);
}

#[test]
fn a_restart_with_the_same_names_is_seen_once_it_moved_for_two_targets() {
    let mut live = Live::new();
    live.load(&list(0, "s0 s1 s2"));
    assert_eq!(live.load(&list(0, "s0")), NOTHING);
    assert_eq!(live.load(&list(0, "s0 s1")), NOTHING);
    assert_eq!(live.load(&list(0, "s0 s1")), ["epoch 1 Restarted", "|s0", "s1"]);
    assert_eq!(live.load(&list(0, "s0 s1 s2")), ["s2"]);
}

#[test]
fn a_frozen_old_copy_never_counts_as_a_restart() {
    let mut live = Live::new();
    live.load(&list(10, "a b c d"));
    for _ in 0..20 {
        assert_eq!(live.load(&list(9, "z a b")), NOTHING);
    }
    assert_eq!(live.load(&list(11, "b c d e")), ["e"]);
}

#[test]
fn renumbered_segments_are_found_by_address_or_date() {
    let mut live = Live::new();
    live.load(&list(500, "a b c"));
    assert_eq!(live.load(&list(0, "b c d")), ["epoch 1 Renumbered", "|d"]);
    let mut dated = Live::new();
    dated.load(&list(500, "@0 a b c"));
    assert_eq!(dated.load(&list(0, "@6 x y z")), ["epoch 1 Renumbered", "|z"]);
    assert_eq!(dated.load(&list(70, "@24 w")), ["epoch 2 Renumbered", "|w"], "follows on in time");
}

#[test]
fn a_jump_that_time_cannot_explain_is_an_epoch() {
    let mut live = Live::new();
    live.load(&list(10, "a b c"));
    assert_eq!(live.load(&list(1_700_000_000, "k l m n")), ["epoch 1 Jumped", "|l", "m", "n"]);
    let mut dated = Live::new();
    dated.load(&list(10, "@0 a b c"));
    assert_eq!(dated.load(&list(9000, "@30 x")), ["epoch 1 Jumped", "|x"]);
}

#[test]
fn replaced_content_with_dates_goes_on_at_the_right_time() {
    let mut live = Live::new();
    live.load(&list(10, "@0 a b c"));
    assert_eq!(live.load(&list(0, "@3 p q r s")), ["epoch 1 Replaced", "|s"], "p q r overlap what we had");
}

#[test]
fn dates_that_go_back_wait_and_then_count_as_a_restart() {
    let mut live = Live::new();
    live.load(&list(500, "@600 a b c"));
    assert_eq!(live.load(&list(0, "@0 x")), NOTHING);
    assert_eq!(live.load(&list(0, "@0 x y")), NOTHING);
    assert_eq!(live.load(&list(0, "@0 x y z")), ["epoch 1 Restarted", "|x", "y", "z"]);
}

#[test]
fn another_origin_is_an_epoch_wherever_it_is() {
    let mut live = Live::new();
    live.load(&list(10, "a b c"));
    live.window.moved();
    assert_eq!(live.load(&list(3, "p q r s t")), ["epoch 1 Moved", "|r", "s", "t"]);
    live.window.moved();
    assert_eq!(live.load(&list(4, "q r s t u")), ["epoch 2 Moved", "|u"], "goes on where the segments are the same");
    let mut dated = Live::new();
    dated.load(&list(10, "@0 a b c"));
    dated.window.moved();
    assert_eq!(dated.load(&list(900, "@6 w x y z")), ["epoch 1 Renumbered", "|y", "z"], "x is what we had");
}

#[test]
fn resume_goes_on_after_the_last_segment() {
    let resume = |sequence, name: &str| Resume {
        next_index: 3,
        identity: Identity { uri: format!("http://h/live/{name}"), range: None, program_date_time_us: None },
        media_sequence: sequence,
        duration: Duration::from_secs(6),
        live: true,
    };
    let start = |resume: &Resume, playlist: &MediaPlaylist| {
        told(&Window::new(Start::LiveEdge, Some(resume)).update(playlist, Duration::ZERO))
    };
    assert_eq!(start(&resume(11, "b"), &list(10, "a b c d e f")), ["c", "d", "e", "f"]);
    assert_eq!(start(&resume(12, "c"), &list(10, "a b c")), NOTHING);
    assert_eq!(start(&resume(5, "z"), &list(10, "a b")), ["gap 4 24s Missed", "|a", "b"]);
    let vod = listed(0, 6, "a b c", "#EXT-X-ENDLIST\n");
    assert_eq!(start(&resume(0, "a"), &vod), ["b", "c"]);
}

#[test]
fn an_empty_playlist_is_waited_for() {
    let mut live = Live::new();
    assert_eq!(live.load(&list(0, "")), NOTHING);
    assert_eq!(live.load(&list(0, "a")), ["a"]);
    assert_eq!(live.load(&list(0, "")), NOTHING);
    assert_eq!(live.load(&list(0, "a b")), ["b"]);
}

#[test]
fn byte_ranges_tell_segments_of_one_file_apart() {
    let mut live = Live::new();
    let first = list(0, "#EXT-X-BYTERANGE:10@0 m #EXT-X-BYTERANGE:10 m");
    let second = list(1, "#EXT-X-BYTERANGE:10@10 m #EXT-X-BYTERANGE:10 m");
    live.load(&first);
    let steps = live.window.update(&second, live.now);
    let ranges: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Segment(planned) => (planned.entry.range, planned.discontinuity),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ranges, [(Some((20, 10)), false)]);
}

#[test]
fn each_date_range_is_passed_on_once() {
    let mut live = Live::new();
    let cues = |steps: Vec<Step>| -> Vec<usize> {
        let count = |step: Step| match step {
            Step::Segment(planned) => planned.entry.cues.len(),
            _ => 0,
        };
        steps.into_iter().map(count).collect()
    };
    let first = list(0, "#EXT-X-DATERANGE:ID=\"1\" a #EXT-X-DATERANGE:ID=\"2\" b c d e");
    assert_eq!(cues(live.window.update(&first, live.now)), [1, 0, 0], "the one at the top, not the history");
    let second = list(
        0,
        "#EXT-X-DATERANGE:ID=\"1\" #EXT-X-DATERANGE:ID=\"3\" a #EXT-X-DATERANGE:ID=\"2\" b c d e #EXT-X-CUE-IN f",
    );
    assert_eq!(cues(live.window.update(&second, live.now)), [2], "new at the top, and its own");
    assert_eq!(cues(live.window.update(&list(1, "b c d e f #EXT-X-DATERANGE:ID=\"3\" g"), live.now)), [0]);
}

#[test]
fn the_clock_adds_up_from_the_first_entry_listed() {
    let mut window = Window::new(Start::LiveEdge, None);
    let clocks = |steps: Vec<Step>| -> Vec<i64> {
        let clock = |step: Step| match step {
            Step::Segment(planned) => planned.clock_us / 1_000_000,
            _ => -1,
        };
        steps.into_iter().map(clock).collect()
    };
    let now = Duration::from_secs(9);
    assert_eq!(clocks(window.update(&list(10, "a b c d e"), now)), [12, 18, 24]);
    assert_eq!(clocks(window.update(&list(17, "h ! i j"), now + Duration::from_secs(60))), [-1, 42, -1, 54]);
}

#[test]
fn names_that_change_with_every_answer_do_not_repeat_for_ever() {
    let mut live = Live::new();
    let mut epochs = 0;
    for load in 0..20_u64 {
        let names: Vec<String> = (load..load + 4).map(|number| format!("{number}-{load}")).collect();
        let told = live.load(&list(load, &names.join(" ")));
        epochs += told.iter().filter(|step| step.starts_with("epoch")).count();
        if load > 8 {
            assert_eq!(told, [names[3].clone()]);
        }
    }
    assert_eq!(epochs, 3);
}

#[test]
fn memory_is_bounded() {
    let names: Vec<String> = (0..SEGMENTS_KNOWN_MAX * 2).map(|n| format!("s{n}")).collect();
    let mut live = Live::new();
    live.load(&list(0, &names.join(" ")));
    assert_eq!(live.window.known.len(), SEGMENTS_KNOWN_MAX);
    assert_eq!(live.load(&list(0, &format!("{} new", names.join(" ")))), ["new"]);
}

/// Makes the same playlist as [`list`], without EXT-X-MEDIA-SEQUENCE.
fn unnumbered(words: &str) -> MediaPlaylist {
    let mut playlist = listed(0, 6, words, "");
    playlist.numbered = false;
    playlist
}

#[test]
fn a_playlist_without_numbers_goes_on_by_address() {
    let mut live = Live::new();
    assert_eq!(live.load(&unnumbered("a b c d")), ["b", "c", "d"]);
    assert_eq!(live.load(&unnumbered("b c d e")), ["e"]);
    assert_eq!(live.window.first_listed(), 1);
    assert_eq!(live.load(&unnumbered("b c d e")), NOTHING);
    assert_eq!(live.load(&unnumbered("d e f g")), ["f", "g"]);
    assert_eq!(live.load(&unnumbered("b c d e")), NOTHING, "an old copy");
    assert_eq!(live.load(&unnumbered("f g h i")), ["h", "i"]);
    assert_eq!(live.load(&unnumbered("f?t=2 g?t=2 h?t=2 i?t=2 j?t=2")), ["j"], "other tokens");
    assert_eq!(live.load(&unnumbered("v w x")), ["epoch 1 Replaced", "|v", "w", "x"], "nothing in common");
    assert_eq!(live.load(&unnumbered("w x y")), ["y"]);
}

#[test]
fn a_playlist_without_numbers_goes_on_by_date() {
    let mut live = Live::new();
    assert_eq!(live.load(&unnumbered("@0 a b c")), ["a", "b", "c"]);
    assert_eq!(live.load(&unnumbered("@6 x y z")), ["z"], "other names, the same dates");
    assert_eq!(live.load(&unnumbered("@36 p q")), ["gap 2 12s Missed", "|p", "q"]);
}

#[test]
fn names_that_come_again_are_told_apart_by_their_neighbours() {
    let mut live = Live::new();
    assert_eq!(live.load(&unnumbered("a b c a b c")), ["a", "b", "c"]);
    assert_eq!(live.load(&unnumbered("b c a b c a")), ["a"]);
    assert_eq!(live.load(&unnumbered("c a b c a b")), ["b"]);
}

#[test]
fn numbers_that_stand_still_are_given_up() {
    let mut live = Live::new();
    assert_eq!(live.load(&list(0, "a b c d")), ["b", "c", "d"]);
    assert_eq!(live.load(&list(0, "b c d e")), ["epoch 1 Renumbered", "|e"]);
    assert_eq!(live.load(&list(0, "c d e f")), ["epoch 2 Renumbered", "|f"]);
    assert_eq!(live.load(&list(0, "d e f g")), ["g"]);
    assert_eq!(live.load(&list(0, "e f g h")), ["h"]);
}

#[test]
fn resume_without_numbers_goes_on_by_address() {
    let identity = Identity { uri: "http://h/live/c".into(), range: None, program_date_time_us: None };
    let resume = Resume { next_index: 9, identity, media_sequence: 40, duration: Duration::from_secs(6), live: true };
    let mut live = Live { window: Window::new(Start::LiveEdge, Some(&resume)), now: Duration::ZERO };
    assert_eq!(live.load(&unnumbered("b c d e")), ["d", "e"]);
    assert_eq!(live.window.first_listed(), 39);
}

#[test]
fn where_a_live_source_starts_can_be_told() {
    let at = |start, offset, ended: bool| {
        let mut playlist = listed(10, 6, "a b c d e", if ended { "#EXT-X-ENDLIST\n" } else { "" });
        playlist.start_us = offset;
        let mut live = Live { window: Window::new(start, None), now: Duration::ZERO };
        live.load(&playlist).join("")
    };
    assert_eq!(at(Start::Behind(1), None, false), "e");
    assert_eq!(at(Start::Behind(2), Some(-30_000_000), false), "de", "the setting wins over EXT-X-START");
    assert_eq!(at(Start::Behind(99), None, false), "abcde");
    assert_eq!(at(Start::Behind(1), None, true), "abcde", "a recording is played from its start");
    assert_eq!(at(Start::LiveEdge, Some(-7_000_000), false), "de");
    assert_eq!(at(Start::LiveEdge, Some(-60_000_000), false), "abcde");
    assert_eq!(at(Start::LiveEdge, Some(6_000_000), false), "bcde");
    assert_eq!(at(Start::LiveEdge, Some(99_000_000), false), "e");
    assert_eq!(at(Start::LiveEdge, Some(12_500_000), true), "cde");
    assert_eq!(at(Start::Beginning, Some(12_500_000), false), "abcde");
}

/// A playlist of two hours whose segments of 6 s say that they last a millisecond.
#[test]
fn a_playlist_that_says_that_its_segments_last_nothing_is_not_begun_at_its_oldest() {
    let names: Vec<String> = (0..1200).map(|n| format!("s{n}")).collect();
    let mut playlist = list(10, &names.join(" "));
    playlist.entries.iter_mut().for_each(|entry| entry.duration_us = 1_000);
    let at_most = (LIVE_EDGE_TARGETS * EDGE_SEGMENTS_PER_TARGET) as usize;
    assert_eq!(Live::new().load(&playlist), names[1200 - at_most..]);
    // Segments that are really short: three target durations of them.
    playlist.entries.iter_mut().for_each(|entry| entry.duration_us = 1_000_000);
    assert_eq!(Live::new().load(&playlist), names[1200 - 18..]);
}

/// Segments of 8 s, of which EXTINF says 6 s: so the date of the next one is before the end of the last one.
#[test]
fn resume_by_dates_that_are_too_close_skips_nothing() {
    let identity = Identity {
        uri: "http://h/live/b".into(),
        range: None,
        program_date_time_us: list(10, "@6 b").entries[0].time_us,
    };
    let resume = Resume { next_index: 9, identity, media_sequence: 11, duration: Duration::from_secs(8), live: true };
    let mut live = Live { window: Window::new(Start::LiveEdge, Some(&resume)), now: Duration::ZERO };
    assert_eq!(live.load(&listed(12, 6, "@12 c d e", "")), ["c", "d", "e"]);
}

#[test]
fn time_in_which_the_machine_was_suspended_explains_what_is_missed() {
    let later = list(113, "f g h i j");
    let mut live = Live::new();
    live.load(&list(10, "a b c d e"));
    assert_eq!(live.after(600, &later), ["gap 98 588s Missed", "|f", "g", "h", "i", "j"]);
    // With a clock that stood still in the meantime it is another stream, of which only the live edge is taken.
    let mut stood = Live::new();
    stood.load(&list(10, "a b c d e"));
    assert_eq!(stood.after(6, &later), ["epoch 1 Jumped", "|h", "i", "j"]);
}
