//! Playlists that move: edges, reloads, restarts, removed segments, stale playlists.

use super::*;

/// Plays one playlist after the other; the last one must have ENDLIST.
async fn play(names: &str, playlists: &[String]) -> Vec<String> {
    let origin = origin_with(names).await;
    origin.script("/x.m3u8", playlists.iter().cloned());
    Run::start(origin.url("/x.m3u8")).all().await
}

#[tokio::test]
async fn from_three_targets_before_the_end_each_segment_once() {
    let playlists = [
        live(10, "a b c d e"),
        live(11, "b c d e f"),
        live(13, "d e f #EXT-X-DISCONTINUITY g"),
        ended(14, "e f #EXT-X-DISCONTINUITY g h"),
    ];
    let told = play("a b c d e f g h", &playlists).await;
    assert_eq!(told, ["0 c", "1 d", "2 e", "3 f", "4 g disc", "5 h", "ended"]);
}

#[tokio::test]
async fn loads_keep_the_pace_of_the_standard() {
    let origin = origin_with("a b").await;
    let first = live(0, "a");
    let same = [&first, &first, &first, &first, &first].map(String::clone);
    origin.script("/x.m3u8", same.into_iter().chain([live(0, "a b"), ended(0, "a b")]));
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    assert_eq!(told, ["0 a", "stale main", "fresh main", "1 b", "ended"]);
    let at: Vec<_> = origin.asked("/x.m3u8").iter().map(|asked| asked.at).collect();
    let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Slightly less is measured if the previous request arrived late.
    let (target, slack) = (Duration::from_millis(200), Duration::from_millis(30));
    assert_eq!(waits.len(), 6);
    assert!(waits[0] + slack >= target, "a target duration after the first load: {waits:?}");
    assert!(waits[1..5].iter().all(|wait| *wait + slack >= target / 2), "half of it where nothing changed: {waits:?}");
    assert!(waits[1..5].iter().any(|wait| *wait < target), "and no more than that: {waits:?}");
    assert!(waits[5] + slack >= target, "a target duration after a change: {waits:?}");
}

#[tokio::test]
async fn what_slid_away_between_two_loads_is_a_gap() {
    let told = play("a b c g h", &[live(10, "a b c"), ended(16, "g h")]).await;
    assert_eq!(told, ["0 a", "1 b", "2 c", "gap main 3 missed", "3 g disc", "4 h", "ended"]);
}

#[tokio::test]
async fn marked_gaps_are_not_asked_for() {
    let origin = origin_with("a d").await;
    origin.put("/x.m3u8", ended(0, "a #EXT-X-GAP b #EXT-X-GAP c d"));
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    assert_eq!(told, ["0 a", "gap main 2 marked", "1 d disc", "ended"]);
    assert!(origin.asked("/b.ts").is_empty());
}

#[tokio::test]
async fn numbers_that_go_back_are_a_new_epoch() {
    let told = play("a b c x y", &[live(500, "a b c"), live(0, "x"), live(0, "x"), ended(0, "x y")]).await;
    assert_eq!(told, ["0 a", "1 b", "2 c", "epoch main 1 restarted", "3 x disc", "4 y", "ended"]);
}

#[tokio::test]
async fn a_restart_that_lists_one_segment_and_stands_still_is_believed_too() {
    let origin = origin_with("a b c x").await;
    origin.script("/x.m3u8", [live(500, "a b c"), live(0, "x")]);
    let mut run = Run::start(origin.url("/x.m3u8"));
    let told = run.take(6).await;
    assert_eq!(told[1..], ["0 a", "1 b", "2 c", "epoch main 1 restarted", "3 x disc"]);
    run.stop().await;
}

#[tokio::test]
async fn a_restart_under_the_same_numbers_is_a_new_epoch() {
    let told = play("a b c x y", &[live(0, "a b c"), ended(0, "a b x y")]).await;
    assert_eq!(told, ["0 a", "1 b", "2 c", "epoch main 1 replaced", "3 x disc", "4 y", "ended"]);
}

#[tokio::test]
async fn a_restart_with_the_same_names_is_told_by_its_dates() {
    let origin = Origin::start().await;
    origin.script("/s0.ts", [ts("old0"), ts("new0")]).script("/s1.ts", [ts("old1"), ts("new1")]);
    let date = |minute: u32| format!("#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:{minute:02}:00Z s0 s1");
    origin.script("/x.m3u8", [live(0, &date(1)), ended(0, &date(9))]);
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    assert_eq!(told, ["0 old0", "1 old1", "epoch main 1 restarted", "2 new0 disc", "3 new1", "ended"]);
}

#[tokio::test]
async fn an_old_copy_from_a_cache_is_passed_over() {
    let playlists = [live(10, "a b c"), live(11, "b c d"), live(10, "a b c"), ended(11, "b c d e")];
    assert_eq!(play("a b c d e", &playlists).await, ["0 a", "1 b", "2 c", "3 d", "4 e", "ended"]);
}

#[tokio::test]
async fn refreshed_tokens_change_nothing() {
    let origin = origin_with("a b c d").await;
    let with = |token: &str, text: String| text.replace(".ts", &format!(".ts?token={token}"));
    origin.script("/x.m3u8", [with("1", live(1, "a b")), with("2", live(1, "a b c")), with("3", ended(2, "b c d"))]);
    let told = Run::start(origin.url("/x.m3u8?session=9")).all().await;
    assert_eq!(told, ["0 a", "1 b", "2 c", "3 d", "ended"]);
    assert_eq!(origin.asked("/d.ts")[0].query, "token=3");
    assert_eq!(origin.log().iter().filter(|asked| asked.path.ends_with(".ts")).count(), 4, "each fetched once");
}

#[tokio::test]
async fn no_fault_of_a_load_ends_a_live_source() {
    let origin = origin_with("a b c d").await;
    let faults = [
        Reply::status(500),
        Reply::status(404),
        "<html>busy</html>".into(),
        Reply::ok("").chunked(),
        Reply::from("#EXTM3U\n"),
    ];
    let cut = Reply::from(live(0, "a b")).cut_to(20);
    let replies = [Reply::from(live(0, "a b"))].into_iter().chain(faults).chain([cut, ended(0, "a b c d").into()]);
    origin.script("/x.m3u8", replies);
    let mut told = Run::start(origin.url("/x.m3u8")).all().await;
    let warning = told.iter().position(|line| line.starts_with("warning")).expect("the first fault is told");
    assert_eq!(told.remove(warning), "warning main playlist: HTTP status 500");
    assert_eq!(told, ["0 a", "1 b", "2 c", "3 d", "ended"], "and only the first of a row");
}

#[tokio::test]
async fn a_playlist_that_stands_still_is_stale_and_fresh_again() {
    let origin = origin_with("a b").await;
    origin.put("/x.m3u8", live(0, "a"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    assert_eq!(run.take(2).await, ["started live", "0 a"]);
    let event = run.event().await;
    let Some(SourceEvent::Stale { track: Track::Main, unchanged_for }) = event else { panic!("{event:?}") };
    assert!(unchanged_for >= Duration::from_millis(600), "three targets: {unchanged_for:?}");
    origin.put("/x.m3u8", ended(0, "a b"));
    let mut told = run.all_after_start().await;
    told.sort();
    assert_eq!(told, ["1 b", "ended", "fresh main"]);
}

#[tokio::test]
async fn a_stale_source_fails_over_and_goes_on_where_it_was() {
    let origin = origin_with("a b c d").await;
    origin.put("/main.m3u8", live(10, "a b"));
    let mut run =
        Run::with(origin.url("/main.m3u8"), |config| config.backup_url = Some(origin.url("/backup.m3u8?key=secret")));
    assert_eq!(run.take(3).await, ["started live", "0 a", "1 b"]);
    origin.put("/backup.m3u8", ended(10, "a b c d"));
    let mut told = run.all_after_start().await;
    told.retain(|line| line != "fresh main");
    assert_eq!(told, ["stale main", "failover backup.m3u8?key=***", "epoch main 1 moved", "2 c disc", "3 d", "ended"]);
}

#[tokio::test]
async fn a_backup_that_fails_too_is_told_and_the_first_url_gets_its_turn() {
    let origin = origin_with("a b").await;
    origin.put("/main.m3u8", live(10, "a"));
    let mut run = Run::with(origin.url("/main.m3u8"), |config| config.backup_url = Some(origin.url("/backup.m3u8")));
    assert_eq!(run.take(3).await, ["started live", "0 a", "stale main"]);
    let warning = run.told().await;
    assert!(warning.contains("HTTP status 404") && warning.contains("/backup.m3u8"), "{warning}");
    origin.put("/main.m3u8", ended(10, "a b"));
    let mut told = run.all_after_start().await;
    told.retain(|line| line != "fresh main");
    assert_eq!(told, ["1 b", "ended"]);
}

#[tokio::test]
async fn an_address_that_ran_out_is_renewed_from_the_master_playlist() {
    let origin = origin_with("a b c").await;
    let master = |name: &str| format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{name}.m3u8\n");
    origin.script("/master.m3u8", [master("old"), master("new")]);
    origin.script("/old.m3u8", [Reply::from(live(10, "a b")), Reply::status(403)]);
    origin.put("/new.m3u8", ended(10, "a b c"));
    let mut told = Run::start(origin.url("/master.m3u8")).all().await;
    told.retain(|line| !line.starts_with("warning"));
    assert_eq!(told, ["0 a", "1 b", "2 c", "ended"], "the same origin: nothing breaks");
}

#[tokio::test]
async fn a_slow_receiver_on_a_live_stream_costs_what_slid_away_and_it_is_told() {
    let origin = origin_with("a b c d e f g h").await;
    origin.put("/x.m3u8", live(0, "a b c"));
    let (mut config, _temp) = config(origin.url("/x.m3u8"));
    config.bounds.ahead_live = 1;
    let mut run = Run::go(config, None, 1);
    assert_eq!(run.told().await, "started live");
    // One in the channel, one that waits for it, one in progress; nothing else is fetched until the receiver continues.
    origin.wait_for("/c.ts", 1).await;
    origin.put("/x.m3u8", live(3, "d e f"));
    let loads = origin.asked("/x.m3u8").len();
    origin.wait_for("/x.m3u8", loads + 2).await;
    origin.put("/d.ts", Reply::status(404));
    origin.put("/x.m3u8", ended(5, "f g h"));
    let mut told = run.all_after_start().await;
    told.retain(|line| !line.contains("stale") && !line.contains("fresh"));
    let after = ["0 a", "1 b", "2 c", "gap main 1 given up", "3 e disc", "4 f", "5 g", "6 h", "ended"];
    assert_eq!(told, after);
}

#[tokio::test]
async fn a_stream_that_is_not_yet_on_is_waited_for() {
    assert_eq!(play("a b", &[live(0, ""), live(0, "a"), ended(0, "a b")]).await, ["0 a", "1 b", "ended"]);
}

#[tokio::test]
async fn a_restart_of_ours_resumes_where_it_was() {
    let origin = origin_with("a b c d e f g").await;
    origin.put("/x.m3u8", live(0, "a b c d"));
    let (config, _temp) = config(origin.url("/x.m3u8"));
    let mut run = Run::go(config.clone(), None, 16);
    assert_eq!(run.take(3).await, ["started live", "0 b", "1 c"]);
    let resume = Resume::after(run.last.as_ref().unwrap());
    run.stop().await;
    origin.put("/x.m3u8", ended(3, "d e f g"));
    assert_eq!(Run::go(config.clone(), Some(resume.clone()), 16).all().await, ["2 d", "3 e", "4 f", "5 g", "ended"]);
    origin.put("/x.m3u8", ended(5, "f g"));
    let told = Run::go(config, Some(resume), 16).all().await;
    assert_eq!(told, ["gap main 2 missed", "2 f disc", "3 g", "ended"]);
}

#[tokio::test]
async fn a_receiver_that_goes_away_ends_the_source() {
    let origin = origin_with("a b c").await;
    origin.put("/x.m3u8", live(0, "a b c"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    assert_eq!(run.told().await, "started live");
    run.events.close();
    let ended = tokio::time::timeout(PATIENCE, run.task).await.expect("a prompt end").unwrap();
    assert!(ended.is_ok());
}
