//! What goes on air: the processed audio where it is usable and fits, else the original.
//!
//! In: the facts of a batch. Out: a plan. Holds no state. Every plan keeps within the policy in the facts.

use crate::settings::Settings;

/// A batch's original audio.
#[derive(Debug, Clone, Copy)]
pub struct Audio {
    /// Length in microseconds.
    pub duration_us: u64,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Channel count.
    pub channels: u32,
    /// Length of one packet in microseconds.
    pub packet_us: u64,
}

/// Audio that came back.
#[derive(Debug, Clone, Copy)]
pub struct Returned {
    /// Length in microseconds.
    pub duration_us: u64,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Channel count.
    pub channels: u32,
    /// True if its packets can go on air without being encoded.
    pub copyable: bool,
}

/// All that a plan is made from.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The original audio; absent if the batch has none.
    pub audio: Option<Audio>,
    /// What came back, or why nothing did, in words.
    pub reply: Result<Returned, String>,
    /// True if nothing was sent, on purpose: then an original is nothing to tell of.
    pub not_sent: bool,
    /// Largest change of speed that the host takes, in per mille.
    pub max_stretch_permille: u32,
}

/// The audio to put under the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The batch has no audio.
    None,
    /// The source's own.
    Original,
    /// The processor's.
    Processed,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which audio.
    pub choice: Choice,
    /// Absent: copied. Else encoded, with the bit rate where it is set.
    pub encode: Option<Option<u32>>,
    /// Change of length in per mille.
    pub stretch_permille: i32,
    /// Whether to trim or pad to the original's length; otherwise it is left as it is.
    pub trim_or_pad: bool,
    /// Why, for the operator.
    pub note: String,
    /// Whether the operator should look.
    pub marked: bool,
}

/// Makes the plan for one batch.
pub fn plan(settings: &Settings, facts: &Facts) -> Plan {
    let Some(audio) = facts.audio else {
        return Plan { choice: Choice::None, ..untouched("the batch has no audio", false) };
    };
    match &facts.reply {
        Err(why) if facts.not_sent => untouched(why, false),
        Err(why) => untouched(why, true),
        Ok(returned) => replace(settings, audio, *returned, facts.max_stretch_permille),
    }
}

fn replace(settings: &Settings, audio: Audio, returned: Returned, max_stretch_permille: u32) -> Plan {
    let (was, is) = (audio.duration_us, returned.duration_us);
    if was == 0 || is == 0 {
        return untouched("the original or the returned audio has no length", true);
    }
    let difference = was.abs_diff(is);
    let same_format = returned.sample_rate_hz == audio.sample_rate_hz && returned.channels == audio.channels;
    let encode = Some(settings.bitrate);
    let told = told(was, is);

    if difference <= audio.packet_us {
        // Another sample rate or channel count in mid-stream breaks players, so such audio is encoded to the original's.
        let copy = returned.copyable && same_format;
        let how = if copy { "copied" } else { "encoded" };
        return Plan {
            choice: Choice::Processed,
            encode: if copy { None } else { encode },
            stretch_permille: 0,
            trim_or_pad: !copy,
            note: format!("processed audio, {told}: {how}"),
            marked: false,
        };
    }

    // A difference of exactly 10 % is still "up to 10 %": round up only what is over.
    let off_permille = u64::try_from((u128::from(difference) * 1000).div_ceil(u128::from(was))).unwrap_or(u64::MAX);
    let stretch = stretch_permille(was, is);
    let in_policy = stretch.is_some_and(|stretch| stretch.unsigned_abs() <= max_stretch_permille);
    let Some(stretch_permille) = stretch.filter(|_| in_policy && off_permille <= settings.stretch_marked_permille)
    else {
        return untouched(&format!("the processed audio is {told}: too much to stretch"), true);
    };
    Plan {
        choice: Choice::Processed,
        encode,
        stretch_permille,
        trim_or_pad: true,
        note: format!("processed audio, {told}: stretched by {stretch_permille} per mille"),
        marked: off_permille > settings.stretch_permille,
    }
}

/// The change that makes `is` as long as `was`, in per mille of `is`, to the nearest.
fn stretch_permille(was: u64, is: u64) -> Option<i32> {
    let (was, is) = (i128::from(was), i128::from(is));
    let change = (was - is) * 1000;
    let rounded = (change.abs() * 2 + is).div_euclid(is * 2) * change.signum();
    i32::try_from(rounded).ok()
}

fn told(was: u64, is: u64) -> String {
    let difference_ms = was.abs_diff(is) / 1000;
    match is.cmp(&was) {
        std::cmp::Ordering::Equal => "as long as the original".to_owned(),
        std::cmp::Ordering::Greater => format!("{difference_ms} ms longer than the original"),
        std::cmp::Ordering::Less => format!("{difference_ms} ms shorter than the original"),
    }
}

/// The original audio, copied.
fn untouched(why: &str, marked: bool) -> Plan {
    Plan {
        choice: Choice::Original,
        encode: None,
        stretch_permille: 0,
        trim_or_pad: false,
        note: why.to_owned(),
        marked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn settings() -> Settings {
        Settings::read("{}").unwrap()
    }

    fn returned(duration_us: u64) -> Returned {
        Returned { duration_us, sample_rate_hz: 48_000, channels: 2, copyable: true }
    }

    fn facts(reply: Result<Returned, String>) -> Facts {
        let audio = Audio { duration_us: 30 * SECOND, sample_rate_hz: 48_000, channels: 2, packet_us: 21_333 };
        Facts { audio: Some(audio), reply, not_sent: false, max_stretch_permille: 250 }
    }

    #[test]
    fn no_audio_stays_no_audio() {
        let mut facts = facts(Ok(returned(30 * SECOND)));
        facts.audio = None;
        let plan = plan(&settings(), &facts);
        assert_eq!((plan.choice, plan.encode, plan.marked), (Choice::None, None, false));
    }

    #[test]
    fn without_a_reply_the_original_is_copied() {
        let absent = plan(&settings(), &facts(Err("late".into())));
        assert_eq!((absent.choice, absent.encode, absent.marked), (Choice::Original, None, true));
        assert_eq!(absent.note, "late");
        let not_sent = plan(&settings(), &Facts { not_sent: true, ..facts(Err("nothing sent".into())) });
        assert!(!not_sent.marked);
    }

    #[test]
    fn within_one_packet_it_is_copied_as_it_is() {
        for duration in [30 * SECOND, 30 * SECOND + 21_333, 30 * SECOND - 21_333] {
            let plan = plan(&settings(), &facts(Ok(returned(duration))));
            assert_eq!((plan.choice, plan.encode), (Choice::Processed, None), "{duration}");
            assert_eq!((plan.stretch_permille, plan.trim_or_pad, plan.marked), (0, false, false));
        }
    }

    #[test]
    fn what_cannot_be_copied_is_encoded_and_fitted() {
        let wav = Returned { copyable: false, ..returned(30 * SECOND) };
        let mono = Returned { channels: 1, ..returned(30 * SECOND) };
        let slow = Returned { sample_rate_hz: 44_100, ..returned(30 * SECOND) };
        let settings = Settings { bitrate: Some(128_000), ..settings() };
        for reply in [wav, mono, slow] {
            let plan = plan(&settings, &facts(Ok(reply)));
            assert_eq!((plan.choice, plan.encode), (Choice::Processed, Some(Some(128_000))));
            assert!(plan.trim_or_pad && plan.stretch_permille == 0);
        }
    }

    #[test]
    fn lengths_fall_into_stretch_mark_and_original() {
        // (returned length in ms, choice, stretch in per mille, marked)
        let cases = [
            (30_022, Choice::Processed, -1, false),
            (33_000, Choice::Processed, -91, false),
            (27_000, Choice::Processed, 111, false),
            (33_001, Choice::Processed, -91, true),
            (36_000, Choice::Processed, -167, true),
            (24_000, Choice::Processed, 250, true),
            (36_001, Choice::Original, 0, true),
            (23_999, Choice::Original, 0, true),
            (1, Choice::Original, 0, true),
            (9_000_000, Choice::Original, 0, true),
        ];
        for (ms, choice, stretch, marked) in cases {
            let plan = plan(&settings(), &facts(Ok(returned(ms * 1000))));
            assert_eq!((plan.choice, plan.stretch_permille, plan.marked), (choice, stretch, marked), "{ms} ms");
            assert_eq!(plan.encode.is_some(), choice == Choice::Processed, "{ms} ms");
        }
    }

    #[test]
    fn the_stretched_length_is_within_one_packet() {
        for ms in (24_000..=36_000_u64).step_by(7) {
            let plan = plan(&settings(), &facts(Ok(returned(ms * 1000))));
            let after = ms as f64 * (1.0 + f64::from(plan.stretch_permille) / 1000.0);
            assert!((after - 30_000.0).abs() <= 21.333, "{ms} ms becomes {after} ms");
        }
    }

    #[test]
    fn the_hosts_policy_is_kept() {
        let strict = Facts { max_stretch_permille: 50, ..facts(Ok(returned(33 * SECOND))) };
        let plan = plan(&settings(), &strict);
        assert_eq!((plan.choice, plan.marked), (Choice::Original, true));
        assert!(plan.note.contains("3000 ms longer"), "{}", plan.note);
    }

    #[test]
    fn absurd_lengths_do_not_overflow() {
        for duration in [0, 1, u64::MAX] {
            assert_eq!(plan(&settings(), &facts(Ok(returned(duration)))).choice, Choice::Original, "{duration}");
        }
        let mut facts = facts(Ok(returned(1)));
        facts.audio = Some(Audio { duration_us: u64::MAX, ..facts.audio.unwrap() });
        assert_eq!(plan(&settings(), &facts).choice, Choice::Original);
    }
}
