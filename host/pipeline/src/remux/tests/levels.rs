//! Replies keep their level, whatever number of channels they and the original have.

use super::sound::{level, samples};
use super::*;
use outboard_media::facts::Packet;

/// An original of 2 s.
fn original(channels: u32) -> TrackFacts {
    let packet = |n: i64| Packet { dts_us: n * 64_000 / 3, pts_us: n * 64_000 / 3, duration_us: 21_333, size: 1 };
    TrackFacts { sample_rate: 48_000, channels, packets: (0..94).map(packet).collect(), ..TrackFacts::default() }
}

/// The level of each channel on air against that of the tone, for a reply where the tone is in some channels.
async fn levels(reply: &str, replys: u32, originals: u32, extra: &str) -> Vec<f64> {
    let dir = tempfile::tempdir().unwrap();
    let tone = "-f lavfi -i aevalsrc=0.25*sin(2*PI*997*t):s=48000:d=2.0053";
    ffmpeg_in(dir.path(), &format!("{tone} -af pan={reply} {extra} reply.wav"));
    let path = dir.path().join("reply.wav");
    let plan =
        Plan { audio: Audio::Processed, coding: Coding::Encode(None), fit: Fit::TrimOrPad, ..Plan::original(true, "") };
    let (slots, reply) = (slots(), Reply { path: &path, format: "wav", channels: replys, skip: 0 });
    let turn = Turn { slots: &slots, by: None };
    let made =
        encode(dir.path(), &original(originals), &plan, Some(reply), &Before::Nothing, None, turn).await.unwrap();
    let tone = 20.0 * 0.25_f64.log10() - 10.0 * 2.0_f64.log10();
    let heard = samples(&made.path, &[], originals as usize);
    heard.iter().map(|samples| level(&samples[20_000..70_000]) - tone).collect()
}

fn assert_levels(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (found_db, wanted_db) in found.iter().zip(wanted) {
        let silent = *wanted_db < -40.0 && *found_db < -40.0;
        assert!(silent || (found_db - wanted_db).abs() <= 0.1, "{found:.2?} dB, wanted {wanted:?}");
    }
}

#[tokio::test]
async fn one_channel_is_as_loud_in_two_and_two_are_not_louder_in_one() {
    for depth in ["-c:a pcm_s16le", "-c:a pcm_f32le"] {
        assert_levels(&levels("mono|c0=c0", 1, 2, depth).await, &[0.0, 0.0]);
        assert_levels(&levels("stereo|c0=c0|c1=c0", 2, 1, depth).await, &[0.0]);
        assert_levels(&levels("stereo|c0=c0|c1=0*c0", 2, 1, depth).await, &[-6.02]);
    }
    assert_levels(&levels("stereo|c0=c0|c1=0.5*c0", 2, 2, "").await, &[0.0, -6.02]);
}

/// ITU-R BS.775: centre and surrounds at -3 dB, nothing scaled down for the sake of what might be added up.
#[tokio::test]
async fn surround_becomes_stereo_with_centre_and_surrounds_at_minus_3_db() {
    for (channel, left, right) in
        [("FL", 0.0, -99.0), ("FC", -3.01, -3.01), ("LFE", -99.0, -99.0), ("BR", -99.0, -3.01)]
    {
        for depth in ["-c:a pcm_s16le", "-c:a pcm_f32le"] {
            assert_levels(&levels(&format!("5.1|{channel}=c0"), 6, 2, depth).await, &[left, right]);
        }
    }
    assert_levels(&levels("5.1|FC=c0", 6, 1, "").await, &[-3.01]);
}
