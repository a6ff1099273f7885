use super::*;
use crate::settings;

const SECOND: u64 = 1_000_000;
const FIELDS: &[Field] = &[TOLERANCE, STRETCH, STRETCH_MARKED, BITRATE];

fn read(text: &str) -> (Lengths, Option<u32>, Vec<Problem>) {
    let mut problems = Vec::new();
    let values = settings::read(FIELDS, text).unwrap();
    (Lengths::read(&values, &mut problems), bitrate(&values, &mut problems), problems)
}

fn audio() -> Audio {
    Audio { duration_us: 30 * SECOND, sample_rate_hz: 48_000, channels: 2, packet_us: 21_333 }
}

fn returned(duration_us: u64) -> Returned {
    Returned { duration_us, sample_rate_hz: 48_000, channels: 2, copyable: true }
}

fn facts(reply: Result<Returned, String>) -> Facts {
    Facts { audio: Some(audio()), reply, not_sent: false, max_stretch_permille: 250, max_gain_centibel: 6000 }
}

fn stretch(permille: i32, marked: bool) -> Fit {
    Fit::Stretch { permille, marked }
}

#[test]
fn without_audio_to_work_with_the_original_stays() {
    let never = |_, _| panic!("there is nothing to decide");
    let absent = plan(&facts(Err("late".into())), never);
    assert_eq!((absent.choice, absent.encode, absent.marked), (Choice::Original, None, true));
    assert_eq!(absent.note, "late");
    assert!(!plan(&Facts { not_sent: true, ..facts(Err("nothing sent".into())) }, never).marked);
    assert_eq!(plan(&facts(Ok(returned(0))), never).choice, Choice::Original);
    let none = plan(&Facts { audio: None, ..facts(Ok(returned(30 * SECOND))) }, never);
    assert_eq!((none.choice, none.encode, none.marked), (Choice::None, None, false));
}

#[test]
fn lengths_fall_into_as_it_is_stretch_mark_and_original() {
    let (lengths, ..) = read("{}");
    for (us, fit) in [
        (30 * SECOND, Fit::AsItIs),
        (30 * SECOND + 21_333, Fit::AsItIs),
        (30 * SECOND - 21_333, Fit::AsItIs),
        // A packet is 21333.3 us: rounding does not decide.
        (30 * SECOND + 21_334, Fit::AsItIs),
        (30 * SECOND - 21_334, Fit::AsItIs),
        (30 * SECOND + 21_336, stretch(-1, false)),
        (30 * SECOND - 21_336, stretch(1, false)),
        (33 * SECOND, stretch(-91, false)),
        (27 * SECOND, stretch(111, false)),
        (33 * SECOND + 1, stretch(-91, true)),
        (27 * SECOND - 1, stretch(111, true)),
        (36 * SECOND, stretch(-167, true)),
        (24 * SECOND, stretch(250, true)),
        (36 * SECOND + 1, Fit::TooFar),
        (24 * SECOND - 1, Fit::TooFar),
        (1, Fit::TooFar),
        (9_000 * SECOND, Fit::TooFar),
    ] {
        assert_eq!(lengths.fit(audio(), returned(us), 250), fit, "{us} us");
    }
}

#[test]
fn every_bound_can_be_set() {
    let (lengths, ..) = read(r#"{"tolerance_frames":3,"stretch_percent":0,"stretch_marked_percent":5}"#);
    assert_eq!(lengths.fit(audio(), returned(30 * SECOND + 64_000), 250), Fit::AsItIs);
    assert_eq!(lengths.fit(audio(), returned(30 * SECOND + 64_010), 250), stretch(-2, true));
    assert_eq!(lengths.fit(audio(), returned(31_500_000), 250), stretch(-48, true));
    assert_eq!(lengths.fit(audio(), returned(31_500_001), 250), Fit::TooFar);
}

#[test]
fn the_hosts_policy_is_kept() {
    let (lengths, ..) = read("{}");
    assert_eq!(lengths.fit(audio(), returned(33 * SECOND), 90), Fit::TooFar);
    assert_eq!(lengths.fit(audio(), returned(33 * SECOND), 91), stretch(-91, false));
}

#[test]
fn the_stretched_length_is_within_one_packet() {
    let (lengths, ..) = read("{}");
    for ms in (24_000..=36_000_u64).step_by(7) {
        let permille = match lengths.fit(audio(), returned(ms * 1000), 250) {
            Fit::Stretch { permille, .. } => permille,
            Fit::AsItIs => 0,
            Fit::TooFar => panic!("{ms} ms"),
        };
        let after = ms as f64 * (1.0 + f64::from(permille) / 1000.0);
        assert!((after - 30_000.0).abs() <= 21.333, "{ms} ms becomes {after} ms");
    }
}

#[test]
fn absurd_lengths_do_not_overflow() {
    let (lengths, ..) = read("{}");
    let long = Audio { duration_us: u64::MAX, packet_us: 1, ..audio() };
    for (audio, us) in [(audio(), u64::MAX), (long, 1), (Audio { duration_us: 0, packet_us: 0, ..audio() }, 1)] {
        assert_eq!(lengths.fit(audio, returned(us), u32::MAX), Fit::TooFar, "{us}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_told_together() {
    let (.., problems) = read(r#"{"stretch_percent":30,"stretch_marked_percent":20,"bitrate_kbps":5}"#);
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["stretch_marked_percent", "bitrate_kbps"]);
    assert_eq!(read(r#"{"bitrate_kbps":128}"#).1, Some(128_000));
    assert_eq!(read("{}").1, None);
}
