//! What a mix sounds like: two tones, each measured by itself in what ffmpeg made of the plan.

use super::*;

/// The original's tone ([`SOUND`]) and the processed one.
const TONES: [u32; 2] = [440, 2000];

/// Mean level of a tone in decibels, from one second to another.
fn level(file: &Path, tone: u32, from: f64, to: f64) -> f64 {
    let filter = format!("bandpass=f={tone}:width_type=h:w=200,atrim={from}:{to},volumedetect");
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(file)
        .args(["-af", &filter, "-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    let mean = text.split("mean_volume: ").nth(1).and_then(|rest| rest.split(' ').next());
    mean.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// The levels of both tones at the start, in the middle and at the end of 6 s, against what each has by itself.
async fn mixed(original_centibel: i32, processed_centibel: i32, ramp_ms: u32) -> [[f64; 3]; 2] {
    let media = Media::ts(&format!("{PICTURE}{SOUND}"));
    let dir = media.batch();
    let facts = splitter().split(&media.segments, &dir).await.unwrap();
    ffmpeg_in(&dir, "-f lavfi -i sine=f=2000:r=44100:d=6 reply.wav");
    let path = dir.join("reply.wav");
    let audio = Audio::Mix { original_centibel, processed_centibel, ramp_ms };
    let plan = Plan { audio, coding: Coding::Encode(None), fit: Fit::TrimOrPad, ..Plan::original(true, "") };
    let (slots, reply) = (slots(), Reply { path: &path, format: "wav", channels: 1, skip: 0 });
    let turn = Turn { slots: &slots, by: None };
    let processed =
        encode(&dir, &facts.audio.unwrap(), &plan, Some(reply), &Before::Nothing, None, turn).await.unwrap();
    let alone = [level(&dir.join(names::AUDIO), TONES[0], 2.0, 4.0), level(&path, TONES[1], 2.0, 4.0)];
    [0, 1].map(|n| {
        [(0.05, 0.1), (2.0, 4.0), (5.9, 5.95)].map(|(from, to)| level(&processed.path, TONES[n], from, to) - alone[n])
    })
}

fn assert_near(level: f64, wanted: f64) {
    assert!((level - wanted).abs() < 1.5, "{level} dB, wanted {wanted}");
}

#[tokio::test]
async fn ramps_lead_from_the_original_alone_to_the_mix_and_back() {
    let [original, processed] = mixed(-1500, -300, 1000).await;
    assert_near(original[1], -15.0);
    assert_near(processed[1], -3.0);
    for end in [0, 2] {
        // A tenth of the way at most: the original has nearly its own level, the processed is 20 dB below its level.
        assert!((-1.5..0.5).contains(&original[end]), "{original:?}");
        assert!(processed[end] < -18.0, "{processed:?}");
    }
}

#[tokio::test]
async fn without_ramps_the_levels_hold_from_end_to_end() {
    let [original, processed] = mixed(-1200, 0, 0).await;
    original.into_iter().for_each(|level| assert_near(level, -12.0));
    processed.into_iter().for_each(|level| assert_near(level, 0.0));
}
