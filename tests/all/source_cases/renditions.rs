//! Master playlists: the selected variant, and audio in a separate playlist.

use outboard::pipeline::source::{AudioChoice, Started, VariantChoice};
use outboard_tests::origin::aac;

use super::*;

const MASTER: &str = "#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"en/x.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Deutsch\",LANGUAGE=\"de\",AUTOSELECT=YES,URI=\"de/x.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Inside\",LANGUAGE=\"fr\"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\"
low/x.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720,CODECS=\"avc1.4d401f,mp4a.40.2\",AUDIO=\"a\"
high/x.m3u8
";

/// Every playlist of [`MASTER`] with one segment each, named after its folder.
async fn programme() -> Origin {
    let origin = Origin::start().await;
    origin.put("/master.m3u8", MASTER);
    for folder in ["low", "high"] {
        origin.put(&format!("/{folder}/x.m3u8"), ended(0, "a")).put(&format!("/{folder}/a.ts"), ts(folder));
    }
    for folder in ["en", "de"] {
        origin.put(&format!("/{folder}/x.m3u8"), ended(0, "a")).put(&format!("/{folder}/a.ts"), aac(folder));
    }
    origin
}

async fn choice(variant: VariantChoice, audio: AudioChoice) -> (Started, String) {
    let origin = programme().await;
    let mut run = Run::with(origin.url("/master.m3u8"), |config| (config.variant, config.audio) = (variant, audio));
    let Some(SourceEvent::Started(started)) = run.event().await else { panic!("no start") };
    (started, run.told().await)
}

#[tokio::test]
async fn the_highest_variant_with_its_default_sound() {
    let (started, told) = choice(VariantChoice::default(), AudioChoice::default()).await;
    assert_eq!(started.bandwidth, Some(3_000_000));
    assert_eq!(started.resolution, Some((1280, 720)));
    assert_eq!(started.codecs.as_deref(), Some("avc1.4d401f,mp4a.40.2"));
    assert_eq!(started.audio.as_deref(), Some("English (en)"));
    assert_eq!(told, "0 high +en");
}

#[tokio::test]
async fn what_is_asked_for() {
    let low = VariantChoice { max_bandwidth: Some(1_000_000), ..VariantChoice::default() };
    assert_eq!(choice(low, AudioChoice::default()).await.1, "0 low");
    let size = VariantChoice { resolution: Some((640, 360)), ..VariantChoice::default() };
    assert_eq!(choice(size, AudioChoice::default()).await.1, "0 low");
    let german = AudioChoice { language: Some("de".into()), name: None };
    assert_eq!(choice(VariantChoice::default(), german).await.1, "0 high +de");
    let inside = AudioChoice { language: Some("fr".into()), name: None };
    let (started, told) = choice(VariantChoice::default(), inside).await;
    assert_eq!((started.audio, told.as_str()), (None, "0 high"), "this sound is inside the variant");
}

#[tokio::test]
async fn each_sound_segment_once_with_the_picture_it_meets_first() {
    let origin = programme().await;
    let tags = |seconds: f64, names: &str| {
        let list: String = names.split(' ').map(|name| format!("#EXTINF:{seconds},\n{name}\n")).collect();
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z\n{list}#EXT-X-ENDLIST\n"
        )
    };
    for name in ["v0", "v1", "v2"] {
        origin.put(&format!("/high/{name}"), ts(name));
    }
    for name in ["s0", "s1", "s2", "s3", "s4", "s5"] {
        origin.put(&format!("/en/{name}"), aac(name));
    }
    origin.put("/high/x.m3u8", tags(6.0, "v0 v1 v2")).put("/en/x.m3u8", tags(4.0, "s0 s1 s2 s3 s4 s5"));
    let told = Run::start(origin.url("/master.m3u8")).all().await;
    assert_eq!(told, ["0 v0 +s0 +s1", "1 v1 +s2", "2 v2 +s3 +s4 +s5", "ended"]);
}

#[tokio::test]
async fn live_with_separate_sound() {
    let origin = programme().await;
    for name in ["a", "b", "c", "d", "e"] {
        origin
            .put(&format!("/high/{name}.ts"), ts(&format!("v{name}")))
            .put(&format!("/en/{name}.ts"), aac(&format!("s{name}")));
    }
    origin.script("/high/x.m3u8", [live(10, "a b c d"), ended(11, "b c d e")]);
    origin.script("/en/x.m3u8", [live(10, "a b c"), live(10, "a b c d"), ended(11, "b c d e")]);
    let told = Run::start(origin.url("/master.m3u8")).all().await;
    assert_eq!(told, ["0 vb +sb", "1 vc +sc", "2 vd +sd", "3 ve +se", "ended"]);
}

#[tokio::test]
async fn a_rendition_that_fails_is_told_and_the_picture_goes_on() {
    let origin = programme().await;
    for name in ["a", "b", "c"] {
        origin
            .put(&format!("/high/{name}.ts"), ts(&format!("v{name}")))
            .put(&format!("/en/{name}.ts"), aac(&format!("s{name}")));
    }
    origin.put("/en/b.ts", Reply::status(404));
    origin.put("/high/x.m3u8", ended(0, "a b c")).put("/en/x.m3u8", ended(0, "a b c"));
    let told = Run::start(origin.url("/master.m3u8")).all().await;
    assert_eq!(told, ["0 va +sa", "gap audio 1 given up", "1 vb", "2 vc +sc disc", "ended"]);
}

#[tokio::test]
async fn sound_of_a_lost_picture_is_told() {
    let origin = programme().await;
    for name in ["a", "b", "c"] {
        origin
            .put(&format!("/high/{name}.ts"), ts(&format!("v{name}")))
            .put(&format!("/en/{name}.ts"), aac(&format!("s{name}")));
    }
    origin.put("/high/b.ts", Reply::status(404));
    origin.put("/high/x.m3u8", ended(0, "a b c")).put("/en/x.m3u8", ended(0, "a b c"));
    let told = Run::start(origin.url("/master.m3u8")).all().await;
    assert_eq!(told, ["0 va +sa", "gap main 1 given up", "gap audio 1 unpaired", "1 vc +sc disc", "ended"]);
}

#[tokio::test]
async fn a_rendition_that_stands_still_holds_the_picture_up_only_so_long() {
    let origin = programme().await;
    for name in ["a", "b"] {
        origin
            .put(&format!("/high/{name}.ts"), ts(&format!("v{name}")))
            .put(&format!("/en/{name}.ts"), aac(&format!("s{name}")));
    }
    origin.script("/high/x.m3u8", [live(0, "a"), ended(0, "a b")]).put("/en/x.m3u8", live(0, "a"));
    let mut told = Run::start(origin.url("/master.m3u8")).all().await;
    told.retain(|line| line != "stale audio");
    assert_eq!(told, ["0 va +sa", "1 vb", "ended"]);
}

#[tokio::test]
async fn a_restart_of_ours_pairs_the_same_way() {
    let origin = programme().await;
    for name in ["a", "b", "c", "d"] {
        origin
            .put(&format!("/high/{name}.ts"), ts(&format!("v{name}")))
            .put(&format!("/en/{name}.ts"), aac(&format!("s{name}")));
    }
    origin.put("/high/x.m3u8", ended(0, "a b c d")).put("/en/x.m3u8", ended(0, "a b c d"));
    let (config, _temp) = config(origin.url("/master.m3u8"));
    let mut run = Run::go(config.clone(), None, 16);
    assert_eq!(run.take(3).await, ["started vod", "0 va +sa", "1 vb +sb"]);
    let resume = Resume::after(run.last.as_ref().unwrap());
    run.stop().await;
    assert_eq!(Run::go(config, Some(resume), 16).all().await, ["2 vc +sc", "3 vd +sd", "ended"]);
}

#[tokio::test]
async fn gaps_of_a_rendition_are_told_as_its_own() {
    let origin = programme().await;
    for name in ["a", "b", "c"] {
        origin
            .put(&format!("/high/{name}.ts"), ts(&format!("v{name}")))
            .put(&format!("/en/{name}.ts"), aac(&format!("s{name}")));
    }
    origin.put("/high/x.m3u8", ended(0, "a b c")).put("/en/x.m3u8", ended(0, "a #EXT-X-GAP b c"));
    let mut told = Run::start(origin.url("/master.m3u8")).all().await;
    let gap = told.iter().position(|line| line == "gap audio 1 marked").expect("the gap");
    told.remove(gap);
    assert_eq!(told, ["0 va +sa", "1 vb", "2 vc +sc disc", "ended"]);
}

#[tokio::test]
async fn a_backup_with_its_sound_arranged_otherwise_is_not_used() {
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", live(0, "a")).put("/backup.m3u8", MASTER);
    origin.put("/high/x.m3u8", live(0, "a")).put("/en/x.m3u8", live(0, "a"));
    let mut run = Run::with(origin.url("/x.m3u8"), |config| config.backup_url = Some(origin.url("/backup.m3u8")));
    assert_eq!(run.take(3).await, ["started live", "0 a", "stale main"]);
    let warning = run.told().await;
    assert!(warning.contains("carries its audio differently"), "{warning}");
    run.stop().await;
}
