//! A live source that gets ENDLIST and comes back.

use outboard::media::segment::Identity;

use super::*;

async fn told(run: &mut Run, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < count {
        let event = run.event().await.expect("the source goes on");
        // Whether it is stale by then depends on the machine.
        if !matches!(event, SourceEvent::Stale { .. } | SourceEvent::Fresh { .. }) {
            told.push(match event {
                SourceEvent::Back { .. } => "back".to_owned(),
                event => in_words(&event),
            });
        }
    }
    told
}

#[tokio::test]
async fn a_live_source_that_ended_goes_on_when_it_is_back() {
    let origin = origin_with("a b c d e f x y z").await;
    // It ends; the next loads are identical, then fail, then continue after its last segment. It ends again and is
    // replaced by a recording, which is not part of it, then by another encoder that counts from 0.
    let again = live(1, "b c #EXT-X-DISCONTINUITY d e");
    let anew = live(0, "x y z");
    origin.script(
        "/x.m3u8",
        [
            Reply::from(live(0, "a b c")),
            ended(0, "a b c").into(),
            ended(0, "a b c").into(),
            Reply::status(404),
            again.as_str().into(),
            ended(1, "b c #EXT-X-DISCONTINUITY d e f").into(),
            ended(0, "z y x").into(),
            anew.as_str().into(),
        ],
    );
    let mut run = Run::with(origin.url("/x.m3u8"), |config| {
        config.wait_when_ended = true;
        config.bounds.playlist.tries = 1;
    });
    let first = told(&mut run, 6).await;
    assert_eq!(first[..5], ["started live", "0 a", "1 b", "2 c", "Over"]);
    assert!(first[5].starts_with("warning it has ended, and "), "{first:?}");
    assert_eq!(told(&mut run, 5).await, ["back", "3 d disc", "4 e", "5 f", "Over"]);
    let last = told(&mut run, 5).await;
    assert_eq!(last, ["epoch main 1 restarted", "back", "6 x disc", "7 y", "8 z"]);
    run.stop().await;
}

#[tokio::test]
async fn without_being_told_to_wait_and_for_a_recording_the_end_is_the_end() {
    let origin = origin_with("a b").await;
    origin.script("/x.m3u8", [live(0, "a"), ended(0, "a b")]);
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a", "1 b", "ended"]);
    origin.put("/x.m3u8", ended(0, "a b"));
    let run = Run::with(origin.url("/x.m3u8"), |config| config.wait_when_ended = true);
    assert_eq!(run.all().await, ["0 a", "1 b", "ended"]);
}

/// A host that was down starts again while the source is over: a previously live source is not a recording now.
#[tokio::test]
async fn a_resumed_live_source_that_has_ended_meanwhile_is_waited_for() {
    let origin = origin_with("a b c").await;
    origin.script("/x.m3u8", [ended(0, "a b"), ended(0, "a b"), live(1, "b c")]);
    let (mut config, _temp) = config(origin.url("/x.m3u8"));
    config.wait_when_ended = true;
    let identity = Identity { uri: origin.url("/b.ts").to_string(), range: None, program_date_time_us: None };
    let resume =
        Resume { next_index: 7, identity, media_sequence: 1, duration: Duration::from_millis(200), live: true };
    let mut run = Run::go(config, Some(resume), 16);
    assert_eq!(told(&mut run, 4).await, ["started live", "Over", "back", "7 c disc"]);
    run.stop().await;
}
