//! Plans a mix of the processed audio and the original at lower volume; the original alone if there is no usable processed audio.
//!
//! In: the facts of a batch. Out: a plan within the policy of the facts. It has no state.

use crate::settings::Settings;
use stage_kit::remux::{self, Audio, Choice, Facts, Fit, Plan, Returned, length_difference};

/// Makes the plan for one batch.
pub fn plan(settings: &Settings, facts: &Facts) -> Plan {
    remux::plan(facts, |audio, returned| duck(settings, facts, audio, returned))
}

fn duck(settings: &Settings, facts: &Facts, audio: Audio, returned: Returned) -> Plan {
    let difference = length_difference(audio, returned);
    let (stretch_permille, marked) = match settings.lengths.fit(audio, returned, facts.max_stretch_permille) {
        Fit::AsItIs => (0, false),
        Fit::Stretch { permille, marked } => (permille, marked),
        Fit::TooFar => {
            return Plan::original(&format!("the processed audio is {difference}: too much to stretch"), true);
        }
    };
    let most = i32::try_from(facts.max_gain_centibel).unwrap_or(i32::MAX);
    let within_policy = |centibel: i32| centibel.clamp(-most, most);
    // Two ramps must fit into the batch.
    let longest_ramp_ms = u32::try_from(audio.duration_us / 2000).unwrap_or(u32::MAX);
    let original_centibel = within_policy(settings.original_centibel);
    let level = f64::from(original_centibel) / 100.0;
    let stretched = match stretch_permille {
        0 => String::new(),
        permille => format!(" and stretched by {permille} per mille"),
    };
    Plan {
        choice: Choice::Mix {
            original_centibel,
            processed_centibel: within_policy(settings.processed_centibel),
            ramp_ms: settings.ramp_ms.min(longest_ramp_ms),
        },
        encode: Some(settings.bitrate),
        stretch_permille,
        trim_or_pad: true,
        note: format!("processed audio, {difference}{stretched}, over the original at {level} dB"),
        marked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn settings(text: &str) -> Settings {
        Settings::read(text).unwrap()
    }

    fn facts(duration_us: u64) -> Facts {
        Facts {
            audio: Some(Audio { duration_us: 30 * SECOND, sample_rate_hz: 48_000, channels: 2, packet_us: 21_333 }),
            reply: Ok(Returned { duration_us, sample_rate_hz: 22_050, channels: 1, copyable: false }),
            not_sent: false,
            max_stretch_permille: 250,
            max_gain_centibel: 6000,
        }
    }

    #[test]
    fn both_are_heard_at_the_levels_that_are_set() {
        let set = settings(r#"{"original_gain_db":-20,"processed_gain_db":3,"ramp_ms":100,"bitrate_kbps":96}"#);
        let plan = plan(&set, &facts(30 * SECOND));
        let mix = Choice::Mix { original_centibel: -2000, processed_centibel: 300, ramp_ms: 100 };
        assert_eq!((plan.choice, plan.encode), (mix, Some(Some(96_000))));
        assert_eq!((plan.stretch_permille, plan.trim_or_pad, plan.marked), (0, true, false));
        assert!(plan.note.ends_with("over the original at -20 dB"), "{}", plan.note);
    }

    #[test]
    fn lengths_fall_into_stretch_mark_and_original() {
        for (ms, stretch, marked) in [(30_021, 0, false), (33_000, -91, false), (36_000, -167, true)] {
            let plan = plan(&settings("{}"), &facts(ms * 1000));
            assert!(matches!(plan.choice, Choice::Mix { .. }), "{ms} ms");
            assert_eq!((plan.stretch_permille, plan.marked), (stretch, marked), "{ms} ms");
        }
        let far = plan(&settings("{}"), &facts(37 * SECOND));
        assert_eq!((far.choice, far.encode, far.marked), (Choice::Original, None, true));
    }

    #[test]
    fn where_nothing_came_the_original_is_at_its_own_level() {
        let absent = plan(&settings("{}"), &Facts { reply: Err("late".into()), ..facts(SECOND) });
        assert_eq!((absent.choice, absent.encode, absent.marked), (Choice::Original, None, true));
        let none = plan(&settings("{}"), &Facts { audio: None, ..facts(SECOND) });
        assert_eq!(none.choice, Choice::None);
    }

    #[test]
    fn the_hosts_policy_and_the_batchs_length_are_kept() {
        let mut strict = Facts { max_gain_centibel: 500, ..facts(SECOND) };
        strict.audio = strict.audio.map(|audio| Audio { duration_us: SECOND, ..audio });
        let plan = plan(&settings(r#"{"processed_gain_db":20,"ramp_ms":2000}"#), &strict);
        assert_eq!(plan.choice, Choice::Mix { original_centibel: -500, processed_centibel: 500, ramp_ms: 500 });
    }
}
