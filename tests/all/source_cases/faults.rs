//! Segments that fail: what is retried, how often, and what a gap means.

use std::time::Duration;

use outboard::limits::REFUSED_TRIES;
use outboard_tests::origin::Gate;

use super::*;

/// A playlist of three segments whose middle one follows a script.
async fn middle<R: Into<Reply>>(replies: impl IntoIterator<Item = R>) -> (Vec<String>, usize) {
    middle_with(replies, |_| {}).await
}

async fn middle_with<R: Into<Reply>>(
    replies: impl IntoIterator<Item = R>,
    change: impl FnOnce(&mut SourceConfig),
) -> (Vec<String>, usize) {
    let origin = origin_with("a c").await;
    origin.script("/b.ts", replies).put("/x.m3u8", ended(0, "a b c"));
    let told = Run::with(origin.url("/x.m3u8"), change).all().await;
    (told, origin.asked("/b.ts").len())
}

const DELIVERED: [&str; 4] = ["0 a", "1 b", "2 c", "ended"];
const GIVEN_UP: [&str; 4] = ["0 a", "gap main 1 given up", "1 c disc", "ended"];

#[tokio::test]
async fn a_segment_may_appear_a_moment_later() {
    let (told, tries) = middle([Reply::status(404), Reply::ok(ts("b"))]).await;
    assert_eq!((told, tries), (DELIVERED.map(str::to_owned).to_vec(), 2));
}

#[tokio::test]
async fn what_is_not_there_is_given_up_soon() {
    for status in [404, 410, 403] {
        let (told, tries) = middle([Reply::status(status)]).await;
        assert_eq!((told, tries), (GIVEN_UP.map(str::to_owned).to_vec(), REFUSED_TRIES as usize), "{status}");
    }
}

#[tokio::test]
async fn server_faults_use_six_tries() {
    let (told, tries) = middle(std::iter::repeat_n(Reply::status(503), 5).chain([Reply::ok(ts("b"))])).await;
    assert_eq!((told, tries), (DELIVERED.map(str::to_owned).to_vec(), 6));
    let (told, tries) = middle([Reply::status(500)]).await;
    assert_eq!((told, tries), (GIVEN_UP.map(str::to_owned).to_vec(), 6));
}

#[tokio::test]
async fn a_body_cut_short_is_fetched_again() {
    let whole = ts("b");
    let faults = [
        ("before Content-Length", Reply::ok(whole.clone()).cut_to(700)),
        ("at a packet's end", Reply::ok(whole.clone()).cut_to(376)),
        ("after the headers", Reply::ok(whole.clone()).cut_to(0)),
        ("announced longer than it is", Reply::ok(whole.clone()).announce(whole.len() + 188)),
        ("announced shorter than it is", Reply::ok(whole.clone()).announce(1000)),
        ("empty", Reply::ok("")),
        ("empty without a length", Reply::ok("").chunked()),
        ("odd length without a length", Reply::ok(whole[..700].to_vec()).chunked()),
    ];
    for (name, fault) in faults {
        let (told, tries) = middle([fault, Reply::ok(whole.clone())]).await;
        assert_eq!((told, tries), (DELIVERED.map(str::to_owned).to_vec(), 2), "{name}");
    }
}

#[tokio::test]
async fn an_odd_length_that_comes_twice_is_what_the_origin_has() {
    let odd = [ts("b"), vec![0x47, 1, 2]].concat();
    let (told, tries) = middle([Reply::ok(odd.clone()).chunked()]).await;
    assert_eq!(told[1], format!("1 garbled {} bytes", odd.len()));
    assert_eq!(tries, 2);
}

#[tokio::test]
async fn pages_and_other_files_never_reach_the_disk_as_media() {
    for wrong in ["<!DOCTYPE html><h1>Login</h1>", "{\"error\":\"busy\"}", "#EXTM3U\n", "WEBVTT\n", "no media at all"] {
        let page = Reply::ok(wrong.repeat(300));
        let (told, tries) = middle([page.clone(), Reply::ok(ts("b"))]).await;
        assert_eq!((told, tries), (DELIVERED.map(str::to_owned).to_vec(), 2), "{wrong}");
        let (told, _) = middle([page]).await;
        assert_eq!(told, GIVEN_UP, "{wrong}");
    }
}

#[tokio::test]
async fn fragments_without_their_section_are_given_up() {
    use outboard_tests::origin::mp4;
    assert_eq!(middle([mp4("moof", "b")]).await.0, GIVEN_UP);
    assert_eq!(middle([mp4("ftyp", "b")]).await.0, DELIVERED, "a file that brings its own");
}

#[tokio::test]
async fn a_byte_range_must_be_the_one_asked_for() {
    let whole = [ts("a"), ts("b"), ts("c")].concat();
    let (a, b, c) = (ts("a").len(), ts("b").len(), ts("c").len());
    let playlist = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n#EXT-X-BYTERANGE:{a}@0\na.ts\n#EXTINF:6,\n#EXT-X-BYTERANGE:{b}@{a}\nb.ts\n\
         #EXTINF:6,\n#EXT-X-BYTERANGE:{c}@{}\nc.ts\n#EXT-X-ENDLIST\n",
        a + b
    );
    let partial = |range: String, body: &[u8]| {
        Reply::ok(body.to_vec()).ignore_range().header("content-range", &range).with_status(206)
    };
    let part = &whole[a..a + b];
    let faults = [
        ("another range", partial(format!("bytes 0-{}/{}", b - 1, whole.len()), &whole[..b])),
        ("too short", partial(format!("bytes {a}-{}/{}", a + b - 1, whole.len()), &part[..188])),
        ("too long", partial(format!("bytes {a}-{}/{}", a + b - 1, whole.len()), &whole[a..])),
        ("cut short", partial(format!("bytes {a}-{}/{}", a + b - 1, whole.len()), part).chunked().cut_to(188)),
        ("all, but not enough of it", Reply::ok(whole[..a + 188].to_vec()).ignore_range()),
        ("not there yet", Reply::status(416)),
    ];
    for (name, fault) in faults {
        let origin = Origin::start().await;
        origin.put("/a.ts", whole.clone()).put("/c.ts", whole.clone()).put("/x.m3u8", playlist.clone());
        origin.script("/b.ts", [fault, Reply::ok(whole.clone())]);
        assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, DELIVERED, "{name}");
        assert_eq!(origin.asked("/b.ts").len(), 2, "{name}");
        assert_eq!(origin.asked("/b.ts")[0].header("range"), format!("bytes={a}-{}", a + b - 1));
    }
}

#[tokio::test]
async fn hanging_answers_are_left() {
    let never = Gate::closed();
    let whole = ts("b");
    let quick = |config: &mut SourceConfig| config.bounds.segment.first_byte = Duration::from_millis(250);
    let (told, tries) = middle_with([Reply::ok(whole.clone()).behind(&never), Reply::ok(whole.clone())], quick).await;
    assert_eq!((told, tries), (DELIVERED.map(str::to_owned).to_vec(), 2), "no answer");
    let paused = Reply::ok(whole.clone()).pause_at(400, &never);
    let (told, tries) = middle_with([paused.clone(), Reply::ok(whole.clone())], quick).await;
    assert_eq!((told, tries), (DELIVERED.map(str::to_owned).to_vec(), 2), "a body that stands still");
    let slow = |config: &mut SourceConfig| config.bounds.segment.whole = Duration::from_millis(250);
    let (told, tries) = middle_with([paused, Reply::ok(whole)], slow).await;
    assert_eq!((told, tries), (DELIVERED.map(str::to_owned).to_vec(), 2), "too long in all");
}

#[tokio::test]
async fn too_large_is_refused_at_once() {
    let huge = Reply::ok(ts("b")).announce(256 * 1024 * 1024 + 1).pause_at(188, &Gate::closed());
    let origin = origin_with("a c").await;
    origin.put("/b.ts", huge).put("/x.m3u8", ended(0, "a b c"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    assert_eq!(run.take(2).await, ["started vod", "0 a"]);
    let event = run.event().await;
    let Some(SourceEvent::Gap(Gap { reason: GapReason::Unusable(why), .. })) = event else { panic!("{event:?}") };
    assert_eq!(why, format!("{}: larger than 268435456 bytes", origin.url("/b.ts")));
    assert_eq!(origin.asked("/b.ts").len(), 1);
    assert_eq!(run.take(2).await, ["1 c disc", "ended"]);
}

#[tokio::test]
async fn tries_end_when_the_segment_leaves_the_playlist() {
    let origin = origin_with("b c d e f").await;
    origin.put("/a.ts", Reply::status(503)).put("/x.m3u8", live(0, "a b c"));
    let mut run = Run::with(origin.url("/x.m3u8"), |config| {
        config.bounds.segment.tries = 1_000_000;
        config.bounds.retry_step = Duration::from_micros(10);
    });
    assert_eq!(run.told().await, "started live");
    origin.wait_for("/a.ts", 7).await;
    origin.put("/x.m3u8", ended(3, "d e f"));
    let mut told = run.all_after_start().await;
    told.retain(|line| !line.starts_with("stale") && !line.starts_with("fresh"));
    assert_eq!(
        told,
        ["gap main 1 given up", "0 b", "1 c", "2 d", "3 e", "4 f", "ended"],
        "nothing before it to break with"
    );
}

#[tokio::test]
async fn stopping_in_the_middle_leaves_no_half_file() {
    let origin = origin_with("a").await;
    let never = Gate::closed();
    origin.put("/b.ts", Reply::ok(ts("b")).pause_at(400, &never)).put("/x.m3u8", ended(0, "a b"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    assert_eq!(run.take(2).await, ["started vod", "0 a"]);
    origin.wait_for("/b.ts", 1).await;
    run.stop().await;
}

#[tokio::test]
async fn a_name_that_cannot_be_taken_is_a_gap_not_a_stop() {
    let origin = origin_with("a b").await;
    origin.put("/x.m3u8", ended(0, "a b"));
    let (config, _temp) = config(origin.url("/x.m3u8"));
    std::fs::create_dir_all(config.dir.join("segment-0.ts/in-the-way")).unwrap();
    let mut run = Run::go(config, None, 16);
    let told = run.take(4).await;
    assert_eq!(told[1..], ["gap main 1 given up", "gap main 1 given up", "ended"]);
}

#[tokio::test]
async fn bytes_before_the_first_packet_are_left_out_and_told_once() {
    let origin = Origin::start().await;
    for (name, junk) in [("a", &b"<\x80\x01"[..]), ("b", &[0x0B, 0x77]), ("c", &[0xFF; 376])] {
        origin.put(&format!("/{name}.ts"), Reply::ok([junk, &ts(name)].concat()));
    }
    origin.put("/x.m3u8", ended(0, "a b c"));
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    let warning =
        "warning segment 0 has 3 bytes before the first packet of its transport stream; such bytes are left out";
    assert_eq!(told, [warning, "0 a", "1 b", "2 c", "ended"]);
}
