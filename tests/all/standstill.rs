//! Media run out because the source is away, in the middle of a batch. When it is back, air is held as at the start: replies
//! are used at once, and the gap is that of the source.

use std::time::Duration;

use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::{GapWatch, assert_same_packets, hashes, join_sessions, monotonic, of_entries};
use outboard_tests::receiver::nginx::Nginx;

const SOON: Duration = Duration::from_secs(90);
/// Air is held for one batch at the longest.
const BATCH: Duration = Duration::from_secs(10);

/// Batches of 10 s, replies after 0.5 s, 6 s in hand: a reply has 6.5 s. The source is away after the first segment of the
/// second batch, which so has 2 s. If that one went on air at once, the reply to the next would have less than a second.
#[tokio::test]
async fn after_an_outage_in_the_middle_of_a_batch_the_next_replies_are_used() {
    let mut programme = entries(&Clip::small(24), false);
    programme[6].discontinuity = true;
    let origin = LiveOrigin::start(programme.clone()).await;
    origin.hold_after(6);
    let (_echo, url) = Host::echo(500, &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("standstill");
    let options = ["--source", &origin.url, "--processor", &url, "--to", &to, "--batch-seconds", "10"];
    let host = Host::run(storage.path(), &[&options[..], &["--batches", "3", "--cushion-seconds", "6"]].concat());
    host.until("publishing", SOON).await;
    let gaps = GapWatch::of(&nginx, "standstill");
    host.until("off air: ", SOON).await;
    let away = origin.release();
    let ended = host.ended(SOON).await;
    let longest = gaps.longest().await;

    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.lines_with("again=true"), 1, "one hold: {:#?}", ended.log);
    assert_eq!((ended.count("processed"), ended.count("original")), (3, 0), "{:#?}", ended.log);
    assert_eq!((ended.lines_with("breaker-opened"), ended.count("packets_lost")), (0, 0), "{:#?}", ended.log);
    assert!(longest < away + BATCH, "nothing on air for {longest:?}, the source was away for {away:?}");
    for stream in ["v", "a"] {
        let source: Vec<_> = of_entries(&programme[..11], stream).concat();
        let want = hashes(&source);
        let sessions: Vec<_> = nginx.files(1, "standstill").iter().map(|file| monotonic(file, stream)).collect();
        let (joined, _) = join_sessions(&sessions, &want, stream);
        assert_same_packets(&joined, &want, stream);
    }
}
