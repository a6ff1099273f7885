//! Running the same stream again: numbers continue, files of an earlier run are neither overwritten nor left behind,
//! and missing data of an earlier run does not stop the next one.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard_tests::host::{Ended, Host};
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::{assert_same_packets, hashes, join_sessions, monotonic, of_entries};
use outboard_tests::receiver::nginx::Nginx;

async fn run(storage: &Path, source: &str, to: &str, more: &[&str]) -> Ended {
    let options = ["--source", source, "--to", to, "--batch-seconds", "4", "--batches", "2", "--speed", "10"];
    let ended = Host::run(storage, &[&options[..], more].concat()).ended(Duration::from_secs(60)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    ended
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn numbers_go_on_and_old_batches_are_cleaned() {
    let origin = LiveOrigin::vod(entries(&Clip::small(16), false)).await;
    let storage = tempfile::tempdir().unwrap();
    let to = format!("file://{}/air.flv", storage.path().display());
    let dir = storage.path().join("storage");
    for _ in 0..3 {
        let ended = run(&dir, &origin.url, &to, &["--keep-batches", "3"]).await;
        assert_eq!((ended.count("batches"), ended.count("packets_lost")), (2, 0));
    }
    let batches = names(&dir.join("default/processed_fragments/live"));
    assert_eq!(batches, ["batch-3", "batch-4", "batch-5"]);
    let mut segments = names(&dir.join("default/original_stream/live"));
    // A download that the end of the run cut off keeps its temporary name.
    segments.retain(|name| name.ends_with(".ts"));
    let journal = rusqlite::Connection::open(dir.join("outboard.db")).unwrap();
    let mut statement =
        journal.prepare("SELECT number, first, last FROM batch WHERE cleaned = 0 ORDER BY number").unwrap();
    let rows: Vec<(u64, u64, u64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [3, 4, 5]);
    let first = rows[0].1;
    assert!(rows.iter().all(|row| row.2 == row.1 + 1 && row.1 >= first), "two segments a batch: {rows:?}");
    let index = |name: &String| name.trim_start_matches("segment-").trim_end_matches(".ts").parse::<u64>().unwrap();
    assert!(segments.iter().map(index).all(|index| index >= first), "{segments:?} {rows:?}");
    assert!((6..=14).contains(&segments.len()), "six in batches, some that were fetched ahead: {segments:?}");
    let air: Vec<_> = names(storage.path()).into_iter().filter(|name| name.ends_with(".flv")).collect();
    assert_eq!(air.len(), 3, "files are not overwritten: {air:?}");
}

#[tokio::test]
async fn a_recording_goes_on_air_at_its_own_pace() {
    let origin = LiveOrigin::vod(entries(&Clip::small(16), false)).await;
    let storage = tempfile::tempdir().unwrap();
    let to = format!("file://{}/air.flv", storage.path().display());
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let ended = Host::run(&storage.path().join("storage"), &options).ended(Duration::from_secs(60)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("batches"), 4);
    let rates = ended.log.iter().filter(|line| line.contains("ready for air"));
    assert!(rates.clone().count() == 4 && rates.clone().all(|line| line.contains("rate=1.0")), "{:#?}", ended.log);
}

#[tokio::test]
async fn a_hold_stays_what_it_was_set_to() {
    let origin = LiveOrigin::start(entries(&Clip::small(24), false)).await;
    let storage = tempfile::tempdir().unwrap();
    let to = format!("file://{}/air.flv", storage.path().display());
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100", "--hold", "9"];
    let ended = Host::run(&storage.path().join("storage"), &options).ended(Duration::from_secs(90)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    // Demuxing takes its part of the nine seconds, mostly less than what rounding hides.
    let held = ["on air in 9.0", "on air in 8."].map(|text| ended.lines_with(text));
    assert_eq!(held.iter().sum::<usize>(), 1, "nine seconds after the first batch: {:#?}", ended.log);
    // The reserve is far above any cushion, but this is no reason to change the rate.
    let rates = ended.log.iter().filter(|line| line.contains("ready for air"));
    assert!(rates.clone().count() == 6 && rates.clone().all(|line| line.contains("rate=1.0")), "{:#?}", ended.log);
}

#[tokio::test]
async fn a_state_that_a_stage_cannot_read_does_not_stop_the_next_start() {
    let origin = LiveOrigin::start(entries(&Clip::small(24), false)).await;
    let storage = tempfile::tempdir().unwrap();
    let nginx = Nginx::start();
    let to = nginx.url("state");
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let host = Host::run(storage.path(), &options);
    host.until("on air batch=0", Duration::from_secs(60)).await;
    host.kill().await;
    let journal = rusqlite::Connection::open(storage.path().join("outboard.db")).unwrap();
    assert!(journal.execute("UPDATE stage SET state = x'ff00'", []).unwrap() >= 1);
    drop(journal);
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(90)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    let source: Vec<_> = of_entries(&entries(&Clip::small(24), false), "v").concat();
    let sessions: Vec<_> = nginx.files(1, "state").iter().map(|file| monotonic(file, "v")).collect();
    let (joined, _) = join_sessions(&sessions, &hashes(&source), "v");
    assert_same_packets(&joined, &hashes(&source), "v");
}

#[tokio::test]
async fn two_destinations_go_on_each_from_its_own_place() {
    let programme = entries(&Clip::small(32), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let storage = tempfile::tempdir().unwrap();
    let (one, mut other) = (Nginx::start(), Nginx::start());
    let (to_one, to_other) = (one.url("both"), other.url("both"));
    let options = ["--source", &origin.url, "--to", &to_one, "--to", &to_other, "--batch-seconds", "4"];
    let options = [&options[..], &["--batches", "100", "--cushion-seconds", "3"]].concat();
    let host = Host::run(storage.path(), &options);
    host.until("on air batch=0", Duration::from_secs(60)).await;
    // The other destination falls behind, then everything is killed.
    other.kill();
    host.until("on air batch=1", Duration::from_secs(60)).await;
    host.kill().await;
    other.start_again();
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(120)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    let source: Vec<_> = of_entries(&programme, "v").concat();
    for (name, files) in
        [("one", one.files(1, "both")), ("other", [other.files(1, "both"), other.files(2, "both")].concat())]
    {
        let sessions: Vec<_> = files.iter().map(|file| monotonic(file, "v")).collect();
        assert!(sessions.len() >= 2, "{name}: {} sessions", sessions.len());
        let (joined, _) = join_sessions(&sessions, &hashes(&source), name);
        assert_same_packets(&joined, &hashes(&source), name);
    }
}

#[tokio::test]
async fn without_ffmpeg_nothing_starts_and_it_is_said() {
    let origin = LiveOrigin::vod(entries(&Clip::small(16), false)).await;
    let storage = tempfile::tempdir().unwrap();
    let arguments =
        ["run", "--storage", storage.path().to_str().unwrap(), "--source", &origin.url, "--to", "rtmp://h.test/a/k"];
    let ended = Host::spawn_with(&arguments, &[("PATH", "/nonexistent")]).ended(Duration::from_secs(90)).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.lines_with("install ffmpeg") > 0, "{:#?}", ended.log);
}
