//! Fuzz target `plans`: a plan that passes the check can be done with what is there, within the policy, without overflow.

use super::check;
use crate::contract::remux::{
    Absence, AudioChoice, AudioTrack, Coding, Facts, Fit, Mix, Policy, RemuxPlan, Reply, ReturnedAudio,
};
use crate::limits::{REMUX_BITRATES, STAGE_TEXT_CHARS_MAX};
use arbitrary::{Result, Unstructured};

/// Makes facts and a plan up, checks the plan, and holds what passed against the rules once more, in other words.
pub fn plans(data: &[u8]) {
    let _ = run(&mut Unstructured::new(data));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let facts = facts(u)?;
    let mut plan = plan(u, &facts)?;
    let asked = plan.clone();
    if let Err(reason) = check::plan(&facts, &mut plan) {
        assert!(!reason.is_empty());
        return Ok(());
    }
    assert!(plan.note.chars().count() <= STAGE_TEXT_CHARS_MAX && asked.note.starts_with(&plan.note));
    assert_eq!(RemuxPlan { note: asked.note.clone(), ..plan.clone() }, asked, "only the note is changed");

    let (original, returned) = match (&facts.audio, &facts.reply) {
        (original, Reply::Returned(returned)) => (original.as_ref(), Some(returned)),
        (original, Reply::Absent(_)) => (original.as_ref(), None),
    };
    let processed = matches!(plan.audio, AudioChoice::Processed | AudioChoice::Mix(_));
    assert_eq!(original.is_none(), plan.audio == AudioChoice::None, "{facts:?} {plan:?}");
    assert!(!processed || returned.is_some(), "{facts:?} {plan:?}");
    match plan.coding {
        Coding::Copy => {
            assert!(plan.stretch_permille == 0, "{plan:?}");
            assert!(
                matches!(plan.audio, AudioChoice::None | AudioChoice::Original | AudioChoice::Processed),
                "{plan:?}"
            );
            assert!(plan.audio != AudioChoice::Processed || returned.is_some_and(|audio| audio.copyable), "{facts:?}");
        }
        Coding::Encode(rate) => assert!(rate.is_none_or(|rate| REMUX_BITRATES.contains(&rate)), "{plan:?}"),
    }
    let policy = &facts.policy;
    assert!(i64::from(plan.stretch_permille).abs() <= i64::from(policy.max_stretch_permille), "{facts:?} {plan:?}");
    assert!(plan.stretch_permille > -1000, "something is left: {plan:?}");
    assert!(i128::from(plan.offset_us).abs() <= i128::from(policy.max_offset_us), "{facts:?} {plan:?}");
    if let AudioChoice::Mix(mix) = plan.audio {
        let most = i64::from(policy.max_gain_centibel);
        let gains = [mix.original_gain_centibel, mix.processed_gain_centibel];
        assert!(gains.iter().all(|gain| i64::from(*gain).abs() <= most), "{facts:?} {plan:?}");
        let length_us = original.map_or(0, |audio| u128::from(audio.duration_us));
        assert!(u128::from(mix.ramp_ms) * 2000 <= length_us, "{facts:?} {plan:?}");
    }
    if let (true, Fit::Leave, Some(original), Some(returned)) = (processed, plan.fit, original, returned) {
        let after = returned.duration_us as f64 * f64::from(1000 + plan.stretch_permille) / 1000.0;
        let off = (after - original.duration_us as f64).abs();
        // Lengths are rounded to microseconds, and a double has 53 bits.
        let rounding = 4.0 + after * 1e-12;
        assert!(off <= original.packet_us as f64 + rounding, "{off} us: {facts:?} {plan:?}");
    }
    Ok(())
}

/// A length: of a batch, of nothing, or any.
fn length_us(u: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u.int_in_range(0..=4)? {
        0 => u.arbitrary()?,
        1 => 0,
        2 => u.int_in_range(29_900_000..=30_100_000)?,
        _ => 30_000_000,
    })
}

fn facts(u: &mut Unstructured<'_>) -> Result<Facts> {
    let audio = if u.ratio(1, 6)? {
        None
    } else {
        Some(AudioTrack {
            codec: "aac".into(),
            first_pts_us: u.arbitrary()?,
            duration_us: length_us(u)?,
            packets: u.arbitrary()?,
            sample_rate_hz: u.arbitrary()?,
            channels: u.arbitrary()?,
            packet_us: if u.ratio(1, 5)? { u.arbitrary()? } else { 21_333 },
        })
    };
    let reply = if u.ratio(1, 4)? {
        Reply::Absent(Absence::Failed(u.arbitrary()?))
    } else {
        Reply::Returned(ReturnedAudio {
            container: "fmp4".into(),
            codec: "aac".into(),
            duration_us: length_us(u)?,
            packets: u.arbitrary()?,
            sample_rate_hz: u.arbitrary()?,
            channels: u.arbitrary()?,
            copyable: u.ratio(3, 4)?,
            metadata: "{}".into(),
        })
    };
    let policy = Policy {
        max_stretch_permille: if u.ratio(1, 5)? { u.arbitrary()? } else { *u.choose(&[250, 1000, 1001])? },
        max_offset_us: if u.ratio(1, 5)? { u.arbitrary()? } else { 1_000_000 },
        max_gain_centibel: if u.ratio(1, 5)? { u.arbitrary()? } else { 6_000 },
    };
    Ok(Facts { batch: u.arbitrary()?, video: None, audio, reply, time_left_ms: u.arbitrary()?, policy })
}

fn plan(u: &mut Unstructured<'_>, facts: &Facts) -> Result<RemuxPlan> {
    let gain =
        |u: &mut Unstructured<'_>| Ok(if u.ratio(1, 6)? { u.arbitrary()? } else { u.int_in_range(-6_100..=6_100)? });
    let audio = match u.int_in_range(0..=9)? {
        0 => AudioChoice::None,
        1 | 2 => AudioChoice::Original,
        3 => AudioChoice::Silence,
        4..=6 => AudioChoice::Processed,
        _ => AudioChoice::Mix(Mix {
            original_gain_centibel: gain(u)?,
            processed_gain_centibel: gain(u)?,
            ramp_ms: if u.ratio(1, 6)? { u.arbitrary()? } else { u.int_in_range(0..=16_000)? },
        }),
    };
    let coding = match u.int_in_range(0..=3)? {
        0 => Coding::Encode(None),
        1 => Coding::Encode(Some(u.arbitrary()?)),
        2 => Coding::Encode(Some(u.int_in_range(15_000..=513_000)?)),
        _ => Coding::Copy,
    };
    let stretch_permille = match u.int_in_range(0..=6)? {
        0 => u.arbitrary()?,
        1 => u.int_in_range(-1001..=300)?,
        2 => i32::try_from(facts.policy.max_stretch_permille).unwrap_or(i32::MIN),
        3 => i32::try_from(facts.policy.max_stretch_permille).map_or(i32::MIN, |most| -most),
        _ => 0,
    };
    let offset_us = match u.int_in_range(0..=3)? {
        0 => u.arbitrary()?,
        1 => i64::try_from(facts.policy.max_offset_us).unwrap_or(i64::MIN),
        _ => 0,
    };
    let note: String = u.arbitrary()?;
    Ok(RemuxPlan {
        audio,
        coding,
        stretch_permille,
        fit: if u.arbitrary()? { Fit::Leave } else { Fit::TrimOrPad },
        offset_us,
        note: note.repeat(u.int_in_range(0..=40)?),
        marked: u.arbitrary()?,
    })
}
