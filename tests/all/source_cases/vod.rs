//! Playlists that have ENDLIST from the start.

use super::*;

#[tokio::test]
async fn everything_from_the_beginning_then_the_end() {
    let origin = origin_with("a b c d e f").await;
    origin.put("/x.m3u8", ended(0, "a b c #EXT-X-DISCONTINUITY d e f"));
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    assert_eq!(told, ["0 a", "1 b", "2 c", "3 d disc", "4 e", "5 f", "ended"]);
    assert_eq!(origin.asked("/x.m3u8").len(), 1, "nothing will be added, so nothing is asked again");
}

#[tokio::test]
async fn a_slow_receiver_holds_the_downloads() {
    let names: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
    let origin = origin_with(&names.join(" ")).await;
    origin.put("/x.m3u8", ended(0, &names.join(" ")));
    let (mut config, _temp) = config(origin.url("/x.m3u8"));
    config.bounds.ahead_vod = 3;
    let mut run = Run::go(config, None, 1);
    assert_eq!(run.told().await, "started vod");
    // One in the channel, one that waits for it, three behind it.
    origin.wait_for("/n4.ts", 1).await;
    assert_eq!(run.take(2).await, ["0 n0", "1 n1"]);
    origin.wait_for("/n6.ts", 1).await;
    assert!(origin.asked("/n8.ts").is_empty(), "no further than the receiver allows");
    let told = run.take(18).await;
    assert_eq!(told.first().map(String::as_str), Some("2 n2"));
    assert_eq!(told.last().map(String::as_str), Some("19 n19"));
    assert_eq!(run.take(2).await, ["ended", "closed"]);
}

#[tokio::test]
async fn order_is_kept_whatever_comes_first() {
    let origin = origin_with("b c d").await;
    let gate = outboard_tests::origin::Gate::closed();
    origin.put("/a.ts", Reply::ok(ts("a")).behind(&gate));
    origin.put("/x.m3u8", ended(0, "a b c d"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    assert_eq!(run.told().await, "started vod");
    origin.wait_for("/c.ts", 1).await;
    assert!(origin.asked("/d.ts").is_empty(), "three under way at most");
    gate.open();
    assert_eq!(run.take(6).await, ["0 a", "1 b", "2 c", "3 d", "ended", "closed"]);
}

#[tokio::test]
async fn a_restart_goes_on_after_the_last_segment() {
    let origin = origin_with("a b c d").await;
    origin.put("/x.m3u8", ended(0, "a b c d"));
    let (config, _temp) = config(origin.url("/x.m3u8"));
    let mut run = Run::go(config.clone(), None, 1);
    assert_eq!(run.take(3).await, ["started vod", "0 a", "1 b"]);
    let resume = Resume::after(run.last.as_ref().unwrap());
    run.stop().await;
    std::fs::write(config.dir.join(".77-0.part"), b"left by a kill").unwrap();
    std::fs::write(config.dir.join("segment-2.ts"), b"named, but never told").unwrap();
    let told = Run::go(config, Some(resume), 16).all().await;
    assert_eq!(told, ["2 c", "3 d", "ended"]);
}

#[tokio::test]
async fn fragmented_mp4_with_changing_sections_stored_once_each() {
    use outboard_tests::origin::mp4;
    let origin = Origin::start().await;
    for name in ["a", "b", "c", "d", "e"] {
        origin.put(&format!("/{name}.ts"), mp4("moof", name));
    }
    origin.put("/i1.mp4", mp4("ftyp", "one")).put("/same.mp4", mp4("ftyp", "one")).put("/i2.mp4", mp4("ftyp", "two"));
    let words = "#EXT-X-MAP:URI=\"i1.mp4\" a b #EXT-X-MAP:URI=\"i2.mp4\" c #EXT-X-MAP:URI=\"same.mp4\" d e";
    origin.put("/x.m3u8", ended(0, words));
    let mut run = Run::start(origin.url("/x.m3u8"));
    let told = run.take(7).await;
    assert_eq!(told[1..], ["0 a<one", "1 b<one", "2 c<two disc", "3 d<one disc", "4 e<one", "ended"]);
    let last = run.last.clone().unwrap();
    assert!(last.main.path.ends_with("segment-4.m4s"), "{:?}", last.main.path);
    let sections = std::fs::read_dir(&run.dir).unwrap().filter_map(Result::ok);
    let sections = sections.filter(|entry| entry.file_name().to_string_lossy().starts_with("init-")).count();
    assert_eq!(sections, 2, "one file for each distinct content");
    assert_eq!(origin.asked("/i1.mp4").len(), 1);
}

#[tokio::test]
async fn packed_audio() {
    use outboard_tests::origin::aac;
    let origin = Origin::start().await;
    origin.put("/a.ts", aac("a")).put("/b.ts", aac("b")).put("/x.m3u8", ended(0, "a b"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    assert_eq!(run.take(4).await, ["started vod", "0 a", "1 b", "ended"]);
    assert!(run.last.unwrap().main.path.ends_with("segment-1.aac"));
}

#[tokio::test]
async fn byte_ranges_explicit_implicit_and_ignored() {
    use outboard_tests::origin::mp4;
    let origin = Origin::start().await;
    let (init, a, b, c) = (mp4("ftyp", "init"), mp4("moof", "a"), mp4("moof", "b"), mp4("moof", "c"));
    let file = [init.clone(), a.clone(), b.clone(), c.clone()].concat();
    origin.put("/honoured.mp4", file.clone()).put("/ignored.mp4", Reply::ok(file).ignore_range());
    for name in ["honoured", "ignored"] {
        let playlist = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI=\"{name}.mp4\",BYTERANGE=\"{}\"\n\
             #EXTINF:6,\n#EXT-X-BYTERANGE:{}\n{name}.mp4\n#EXTINF:6,\n#EXT-X-BYTERANGE:{}@{}\n{name}.mp4\n\
             #EXTINF:6,\n#EXT-X-BYTERANGE:{}\n{name}.mp4\n#EXT-X-ENDLIST\n",
            init.len(),
            a.len(),
            b.len(),
            init.len() + a.len(),
            c.len(),
        );
        origin.put("/x.m3u8", playlist);
        let told = Run::start(origin.url("/x.m3u8")).all().await;
        assert_eq!(told, ["0 a<init", "1 b<init", "2 c<init", "ended"], "{name}");
    }
}

#[tokio::test]
async fn cues_travel_with_their_segment() {
    use outboard::media::segment::Cue;
    let origin = origin_with("a b c").await;
    let range = "#EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2024-01-01T00:00:00Z\"";
    origin.put("/x.m3u8", ended(0, &format!("a #EXT-X-CUE-OUT:30 {range} b #EXT-X-CUE-IN c")));
    let mut run = Run::start(origin.url("/x.m3u8"));
    let mut cues = Vec::new();
    while let Some(event) = run.event().await {
        if let SourceEvent::Segment(segment) = event {
            cues.push(segment.cues);
        }
    }
    let out = vec![Cue::Out(Some(30_000_000)), Cue::Other(range[1..].to_owned())];
    assert_eq!(cues, [vec![], out, vec![Cue::In]]);
}
