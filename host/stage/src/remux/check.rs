//! The contract's rules for a plan: the audio it uses exists, and every number is within the policy.
//!
//! Pure: no input or output. An error names the broken rule, with the numbers. A note that is too long is cut instead.

use crate::contract::remux::{AudioChoice, Coding, Facts, Fit, Mix, RemuxPlan, Reply};
use crate::error::clipped;
use crate::limits::REMUX_BITRATES;

/// Checks a plan, and cuts its note to length.
///
/// # Errors
/// A sentence that names the broken rule.
pub(super) fn plan(facts: &Facts, plan: &mut RemuxPlan) -> Result<(), String> {
    plan.note = clipped(std::mem::take(&mut plan.note));
    sources(facts, plan)?;
    coding(facts, plan)?;
    numbers(facts, plan)?;
    length(facts, plan)
}

/// Checks that the chosen audio exists.
fn sources(facts: &Facts, plan: &RemuxPlan) -> Result<(), String> {
    let original = facts.audio.is_some();
    let returned = matches!(facts.reply, Reply::Returned(_));
    match plan.audio {
        AudioChoice::None if original => Err("no audio, though the batch has some".to_owned()),
        AudioChoice::Original | AudioChoice::Silence if !original => {
            Err("original audio or silence as long, but the batch has no audio".to_owned())
        }
        AudioChoice::Processed | AudioChoice::Mix(_) if !returned => {
            Err("processed audio, but none came back".to_owned())
        }
        AudioChoice::Processed | AudioChoice::Mix(_) if !original => {
            Err("processed audio for a batch without audio".to_owned())
        }
        _ => Ok(()),
    }
}

/// Checks that copied audio can be copied, and that audio whose samples change is encoded.
fn coding(facts: &Facts, plan: &RemuxPlan) -> Result<(), String> {
    match plan.coding {
        Coding::Encode(Some(rate)) if !REMUX_BITRATES.contains(&rate) => {
            Err(format!("{rate} bit/s is not from {} to {}", REMUX_BITRATES.start(), REMUX_BITRATES.end()))
        }
        Coding::Encode(_) => Ok(()),
        Coding::Copy if matches!(plan.audio, AudioChoice::Mix(_) | AudioChoice::Silence) => {
            Err("a mix or silence cannot be copied".to_owned())
        }
        Coding::Copy if plan.stretch_permille != 0 => Err("what is stretched cannot be copied".to_owned()),
        Coding::Copy => match (&plan.audio, &facts.reply) {
            (AudioChoice::Processed, Reply::Returned(audio)) if !audio.copyable => {
                Err(format!("{} in {} cannot be copied", audio.codec, audio.container))
            }
            _ => Ok(()),
        },
    }
}

fn numbers(facts: &Facts, plan: &RemuxPlan) -> Result<(), String> {
    let policy = &facts.policy;
    if plan.stretch_permille.unsigned_abs() > policy.max_stretch_permille {
        return Err(format!(
            "stretch by {} per mille; the policy allows {}",
            plan.stretch_permille, policy.max_stretch_permille
        ));
    }
    // A stretch to nothing is wrong whatever the policy allows.
    if plan.stretch_permille <= -1000 {
        return Err(format!("stretch by {} per mille leaves nothing", plan.stretch_permille));
    }
    if plan.offset_us.unsigned_abs() > policy.max_offset_us {
        return Err(format!("offset by {} us; the policy allows {}", plan.offset_us, policy.max_offset_us));
    }
    let AudioChoice::Mix(Mix { original_gain_centibel, processed_gain_centibel, ramp_ms }) = plan.audio else {
        return Ok(());
    };
    for gain in [original_gain_centibel, processed_gain_centibel] {
        if gain.unsigned_abs() > policy.max_gain_centibel {
            return Err(format!("gain of {gain} centibel; the policy allows {}", policy.max_gain_centibel));
        }
    }
    let length_ms = facts.audio.as_ref().map_or(0, |audio| audio.duration_us / 1000);
    if u64::from(ramp_ms) * 2 > length_ms {
        return Err(format!("two ramps of {ramp_ms} ms in {length_ms} ms of audio"));
    }
    Ok(())
}

/// What rounding to microseconds of two lengths and of a packet adds to a difference.
const ROUNDING_US: u128 = 2;

/// Checks, for `leave`, that the stretched audio is as long as the original, within one packet.
fn length(facts: &Facts, plan: &RemuxPlan) -> Result<(), String> {
    let (Fit::Leave, AudioChoice::Processed | AudioChoice::Mix(_)) = (plan.fit, &plan.audio) else {
        return Ok(());
    };
    let (Some(original), Reply::Returned(returned)) = (&facts.audio, &facts.reply) else {
        return Ok(());
    };
    let factor = u128::try_from(1000 + i64::from(plan.stretch_permille)).unwrap_or(0);
    let stretched = u128::from(returned.duration_us) * factor / 1000;
    let difference = stretched.abs_diff(u128::from(original.duration_us));
    if difference > u128::from(original.packet_us) + ROUNDING_US {
        return Err(format!("audio that differs by {difference} us from the original is left as it is"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::remux::{Absence, AudioTrack, Policy, ReturnedAudio};
    use crate::limits::STAGE_TEXT_CHARS_MAX;
    use crate::remux::original;

    fn facts() -> Facts {
        Facts {
            batch: 1,
            video: None,
            audio: Some(AudioTrack {
                codec: "aac".into(),
                first_pts_us: 0,
                duration_us: 30_000_000,
                packets: 1406,
                sample_rate_hz: 48_000,
                channels: 2,
                packet_us: 21_333,
            }),
            reply: Reply::Returned(ReturnedAudio {
                container: "fmp4".into(),
                codec: "aac".into(),
                duration_us: 30_000_000,
                packets: 1406,
                sample_rate_hz: 48_000,
                channels: 2,
                copyable: true,
                metadata: "{}".into(),
            }),
            time_left_ms: 1000,
            policy: Policy { max_stretch_permille: 200, max_offset_us: 1000, max_gain_centibel: 2000 },
        }
    }

    fn processed() -> RemuxPlan {
        RemuxPlan { audio: AudioChoice::Processed, ..original(&facts(), String::new()) }
    }

    fn mix(gain: i32, ramp_ms: u32) -> AudioChoice {
        AudioChoice::Mix(Mix { original_gain_centibel: gain, processed_gain_centibel: 0, ramp_ms })
    }

    #[test]
    fn plans_within_the_rules_are_taken() {
        let encode = |plan: RemuxPlan| RemuxPlan { coding: Coding::Encode(None), ..plan };
        for mut good in [
            original(&facts(), String::new()),
            processed(),
            encode(RemuxPlan { audio: mix(-2000, 15_000), ..processed() }),
            encode(RemuxPlan { audio: AudioChoice::Silence, ..processed() }),
            RemuxPlan {
                coding: Coding::Encode(Some(128_000)),
                stretch_permille: -200,
                fit: Fit::TrimOrPad,
                ..processed()
            },
            RemuxPlan { offset_us: -1000, ..processed() },
        ] {
            assert_eq!(plan(&facts(), &mut good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn plans_that_break_a_rule_are_refused_with_the_reason() {
        let encode = Coding::Encode(None);
        let cases = [
            (RemuxPlan { audio: AudioChoice::None, ..processed() }, "though the batch has some"),
            (RemuxPlan { audio: mix(0, 0), ..processed() }, "cannot be copied"),
            (RemuxPlan { audio: AudioChoice::Silence, ..processed() }, "cannot be copied"),
            (RemuxPlan { stretch_permille: 1, ..processed() }, "stretched cannot be copied"),
            (RemuxPlan { coding: Coding::Encode(Some(1)), ..processed() }, "bit/s"),
            (RemuxPlan { coding: encode, stretch_permille: 201, ..processed() }, "policy allows 200"),
            (RemuxPlan { coding: encode, stretch_permille: i32::MIN, ..processed() }, "policy allows 200"),
            (RemuxPlan { offset_us: 1001, ..processed() }, "offset"),
            (RemuxPlan { offset_us: i64::MIN, ..processed() }, "offset"),
            (RemuxPlan { coding: encode, audio: mix(2001, 0), ..processed() }, "gain"),
            (RemuxPlan { coding: encode, audio: mix(i32::MIN, 0), ..processed() }, "gain"),
            (RemuxPlan { coding: encode, audio: mix(0, 15_001), ..processed() }, "ramps"),
            (RemuxPlan { coding: encode, stretch_permille: 100, ..processed() }, "left as it is"),
        ];
        for (mut bad, says) in cases {
            let reason = plan(&facts(), &mut bad).unwrap_err();
            assert!(reason.contains(says), "{bad:?}: {reason}");
        }
    }

    #[test]
    fn rounding_to_a_microsecond_does_not_decide() {
        // A packet is 21333.3 us long.
        for (us, left) in [(30_021_334, true), (29_978_666, true), (30_021_354, false), (29_978_646, false)] {
            let mut facts = facts();
            if let Reply::Returned(audio) = &mut facts.reply {
                audio.duration_us = us;
            }
            assert_eq!(plan(&facts, &mut processed()).is_ok(), left, "{us}");
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_chosen() {
        let silent = Facts { audio: None, ..facts() };
        let absent = Facts { reply: Reply::Absent(Absence::Late), ..facts() };
        let mut wav = facts();
        if let Reply::Returned(audio) = &mut wav.reply {
            audio.copyable = false;
        }
        let kept = RemuxPlan { audio: AudioChoice::Original, ..processed() };
        for (facts, mut bad, says) in [
            (&silent, processed(), "without audio"),
            (&silent, kept, "no audio"),
            (&absent, processed(), "none came back"),
            (&wav, processed(), "aac in fmp4 cannot be copied"),
        ] {
            assert!(plan(facts, &mut bad).unwrap_err().contains(says));
        }
        let mut none = original(&silent, String::new());
        assert_eq!((plan(&silent, &mut none), none.audio), (Ok(()), AudioChoice::None));
    }

    #[test]
    fn a_policy_without_bounds_still_leaves_a_length() {
        let mut wild = facts();
        wild.policy.max_stretch_permille = u32::MAX;
        let mut gone = RemuxPlan { coding: Coding::Encode(None), stretch_permille: -1000, ..processed() };
        assert!(plan(&wild, &mut gone).unwrap_err().contains("leaves nothing"));
    }

    #[test]
    fn notes_are_cut() {
        let mut wordy = RemuxPlan { note: "ö".repeat(5000), ..processed() };
        assert_eq!(plan(&facts(), &mut wordy), Ok(()));
        assert_eq!(wordy.note.chars().count(), STAGE_TEXT_CHARS_MAX);
    }
}
