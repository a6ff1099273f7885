//! Plans the processed audio if it is usable and its length fits, else the original.
//!
//! In: the facts of a batch. Out: a plan within the policy of the facts. It has no state.

use crate::settings::Settings;
use stage_kit::remux::{self, Audio, Choice, Facts, Fit, Plan, Returned, length_difference};

/// Makes the plan for one batch.
pub fn plan(settings: &Settings, facts: &Facts) -> Plan {
    remux::plan(facts, |audio, returned| replace(settings, audio, returned, facts.max_stretch_permille))
}

fn replace(settings: &Settings, audio: Audio, returned: Returned, max_stretch_permille: u32) -> Plan {
    let difference = length_difference(audio, returned);
    let encoded = |stretch_permille: i32, note: String, marked: bool| Plan {
        choice: Choice::Processed,
        encode: Some(settings.bitrate),
        stretch_permille,
        trim_or_pad: true,
        note,
        marked,
    };
    match settings.lengths.fit(audio, returned, max_stretch_permille) {
        Fit::AsItIs if can_be_copied(audio, returned) => Plan {
            encode: None,
            // The host accepts a difference of one packet; if the difference is larger, whole packets are cut.
            trim_or_pad: audio.duration_us.abs_diff(returned.duration_us) > audio.packets_us(1),
            ..encoded(0, format!("processed audio, {difference}: copied"), false)
        },
        Fit::AsItIs => encoded(0, format!("processed audio, {difference}: encoded"), false),
        Fit::Stretch { permille, marked } => {
            encoded(permille, format!("processed audio, {difference}: stretched by {permille} per mille"), marked)
        }
        Fit::TooFar => Plan::original(&format!("the processed audio is {difference}: too much to stretch"), true),
    }
}

/// True if the packets can go on air without encoding. Audio with another sample rate or channel count is encoded, as a change in the
/// middle of a stream breaks players; so is audio that is shorter by more than a packet, as the silence must be encoded.
fn can_be_copied(audio: Audio, returned: Returned) -> bool {
    let same_format = returned.sample_rate_hz == audio.sample_rate_hz && returned.channels == audio.channels;
    let missing_us = audio.duration_us.saturating_sub(returned.duration_us);
    returned.copyable && same_format && missing_us <= audio.packets_us(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn settings(text: &str) -> Settings {
        Settings::read(text).unwrap()
    }

    fn returned(duration_us: u64) -> Returned {
        Returned { duration_us, sample_rate_hz: 48_000, channels: 2, copyable: true }
    }

    fn facts(reply: Returned) -> Facts {
        let audio = Audio { duration_us: 30 * SECOND, sample_rate_hz: 48_000, channels: 2, packet_us: 21_333 };
        Facts {
            audio: Some(audio),
            reply: Ok(reply),
            not_sent: false,
            max_stretch_permille: 250,
            max_gain_centibel: 6000,
        }
    }

    #[test]
    fn within_one_packet_it_is_copied_as_it_is() {
        for duration in [30 * SECOND, 30 * SECOND + 21_334, 30 * SECOND - 21_334] {
            let plan = plan(&settings("{}"), &facts(returned(duration)));
            assert_eq!((plan.choice, plan.encode), (Choice::Processed, None), "{duration}");
            assert_eq!((plan.stretch_permille, plan.trim_or_pad, plan.marked), (0, false, false));
        }
    }

    #[test]
    fn a_wider_tolerance_cuts_whole_packets_and_fills_with_silence() {
        let settings = settings(r#"{"tolerance_frames":3}"#);
        let longer = plan(&settings, &facts(returned(30 * SECOND + 60_000)));
        assert_eq!((longer.encode, longer.stretch_permille, longer.trim_or_pad), (None, 0, true));
        let shorter = plan(&settings, &facts(returned(30 * SECOND - 60_000)));
        assert_eq!((shorter.encode, shorter.stretch_permille, shorter.trim_or_pad), (Some(None), 0, true));
        assert!(!longer.marked && !shorter.marked);
    }

    #[test]
    fn what_cannot_be_copied_is_encoded_and_fitted() {
        let wav = Returned { copyable: false, ..returned(30 * SECOND) };
        let mono = Returned { channels: 1, ..returned(30 * SECOND) };
        let slow = Returned { sample_rate_hz: 44_100, ..returned(30 * SECOND) };
        for reply in [wav, mono, slow] {
            let plan = plan(&settings(r#"{"bitrate_kbps":128}"#), &facts(reply));
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
            (33_001, Choice::Processed, -91, true),
            (24_000, Choice::Processed, 250, true),
            (36_001, Choice::Original, 0, true),
            (23_999, Choice::Original, 0, true),
        ];
        for (ms, choice, stretch, marked) in cases {
            let plan = plan(&settings("{}"), &facts(returned(ms * 1000)));
            assert_eq!((plan.choice, plan.stretch_permille, plan.marked), (choice, stretch, marked), "{ms} ms");
            assert_eq!(plan.encode.is_some(), choice == Choice::Processed, "{ms} ms");
            assert!(plan.note.contains("than the original"), "{}", plan.note);
        }
    }

    #[test]
    fn the_hosts_policy_is_kept() {
        let plan = plan(&settings("{}"), &Facts { max_stretch_permille: 50, ..facts(returned(33 * SECOND)) });
        assert_eq!((plan.choice, plan.marked), (Choice::Original, true));
        assert!(plan.note.contains("3000 ms longer"), "{}", plan.note);
    }
}
