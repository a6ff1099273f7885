use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::database::History;
use crate::limits::HISTORY_BATCHES_DEFAULT;
use crate::page::{Listed, Page};
use outboard_media::facts::BatchFacts;
use outboard_media::segment::{Container, Identity, Part, Segment};
use outboard_media::timeline::Timeline;

fn segment(index: u64) -> Segment {
    Segment {
        index,
        media_sequence: 100 + index,
        duration: Duration::from_secs(2),
        discontinuity: index == 0,
        live: true,
        identity: Identity { uri: format!("http://origin.test/{index}.ts"), range: None, program_date_time_us: None },
        cues: Vec::new(),
        main: Part {
            path: format!("/s/segment-{index}.ts").into(),
            bytes: 188,
            container: Container::MpegTs,
            init: None,
        },
        audio: Vec::new(),
    }
}

fn cut(number: u64, first: u64, last: u64) -> CutRecord {
    CutRecord { number, first, last, reason: "length".into(), discontinuity: number == 0, complete_ms: 1000 + number }
}

fn stage(state: &[u8]) -> StageSnapshot {
    StageSnapshot { kind: "batching".into(), digest: "d".into(), state: state.to_vec() }
}

async fn reopen(path: &Path) -> (StreamJournal, Resumed) {
    Journal::open(path).unwrap().begin("default", "tv", "http://origin.test/live.m3u8").await.unwrap()
}

#[tokio::test]
async fn a_run_that_did_not_finish_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let (journal, resumed) = reopen(&path).await;
    assert_eq!(resumed, Resumed::default());
    for index in 0..3 {
        journal.segment(Some(&segment(index)), Vec::new(), Some(stage(&[index as u8]))).await.unwrap();
    }
    journal.segment(Some(&segment(3)), vec![cut(0, 0, 1), cut(1, 2, 2)], Some(stage(b"s3"))).await.unwrap();
    let (before, mut after) = (Timeline::default(), Timeline::default());
    after.place(&BatchFacts::default(), false);
    journal.demuxed(0, &before, &after).await.unwrap();
    journal.decided(0, "processed", "{}".into()).await.unwrap();
    journal.air("main", "{\"batch\":0}".into()).await.unwrap();
    drop(journal);

    let (_, resumed) = reopen(&path).await;
    assert!(resumed.unfinished);
    assert_eq!((resumed.next_segment, resumed.next_batch), (4, 2));
    assert_eq!(resumed.uncut, [segment(3)]);
    assert_eq!(resumed.known.len(), 4);
    assert_eq!(resumed.batches.len(), 2);
    assert_eq!(resumed.batches[0].segments, [segment(0), segment(1)]);
    assert_eq!((resumed.batches[0].step, resumed.batches[1].step), (Step::Decided, Step::Cut));
    assert_eq!(resumed.batches[0].outcome.as_deref(), Some("processed"));
    assert_eq!((resumed.batches[0].timeline.as_ref(), resumed.timeline.as_ref()), (Some(&before), Some(&after)));
    assert_eq!(resumed.stages["batching"], stage(b"s3"));
    assert_eq!(resumed.air["main"], "{\"batch\":0}");
}

#[tokio::test]
async fn a_step_is_never_taken_back_and_done_batches_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let (journal, _) = reopen(&path).await;
    journal.segment(Some(&segment(0)), vec![cut(0, 0, 0)], None).await.unwrap();
    journal.segment(Some(&segment(1)), vec![cut(1, 1, 1)], None).await.unwrap();
    journal.step(0, Step::Done).await.unwrap();
    journal.step(1, Step::OnAir).await.unwrap();
    journal.step(1, Step::Remuxed).await.unwrap();
    assert_eq!(journal.done().await.unwrap(), [(0, 0, 0)]);
    let (_, resumed) = reopen(&path).await;
    assert_eq!(resumed.batches.iter().map(|b| (b.number, b.step)).collect::<Vec<_>>(), [(1, Step::OnAir)]);
    journal.forget(0).await.unwrap();
    assert!(journal.done().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_finished_run_or_another_source_starts_anew_with_numbers_going_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let (journal, _) = reopen(&path).await;
    journal.segment(Some(&segment(0)), vec![cut(0, 0, 0)], Some(stage(b"x"))).await.unwrap();
    journal.finish().await.unwrap();
    let (journal, resumed) = reopen(&path).await;
    assert_eq!(resumed, Resumed { next_segment: 1, next_batch: 1, ..Resumed::default() });
    journal.segment(Some(&segment(1)), Vec::new(), None).await.unwrap();
    let other = Journal::open(&path).unwrap().begin("default", "tv", "http://other.test/").await.unwrap().1;
    assert_eq!(other, Resumed { next_segment: 2, next_batch: 1, ..Resumed::default() });
}

#[tokio::test]
async fn a_failed_write_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let (journal, _) = reopen(&path).await;
    journal.segment(Some(&segment(0)), vec![cut(0, 0, 0)], None).await.unwrap();
    let error = journal.segment(Some(&segment(1)), vec![cut(0, 1, 1)], None).await.unwrap_err();
    assert!(matches!(error, JournalError::Sqlite(_)), "{error}");
    assert_eq!(reopen(&path).await.1.next_segment, 1);
}

#[tokio::test]
async fn identities_are_remembered_past_their_files_but_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let (journal, _) = reopen(&path).await;
    for index in 0..600 {
        journal.segment(Some(&segment(index)), vec![cut(index, index, index)], None).await.unwrap();
        journal.forget(index).await.unwrap();
    }
    let known = reopen(&path).await.1.known;
    assert_eq!(known.len(), 512);
    assert_eq!(known.last().unwrap().index, 599);
}

/// Records batches of one segment each that were on air and have no files.
async fn pass(journal: &StreamJournal, numbers: std::ops::Range<u64>) {
    for number in numbers {
        journal.segment(Some(&segment(number)), vec![cut(number, number, number)], None).await.unwrap();
        journal.step(number, Step::Done).await.unwrap();
        journal.forget(number).await.unwrap();
    }
}

#[tokio::test]
async fn a_batch_is_history_after_its_files_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("outboard.db")).unwrap();
    let all = Journal::new(database);
    let (journal, _) = all.begin("default", "tv", "u").await.unwrap();
    let (other, _) = all.begin("acme", "tv", "u").await.unwrap();
    pass(&journal, 0..3).await;
    journal.segment(Some(&segment(3)), vec![cut(3, 3, 3)], Some(stage(b"four"))).await.unwrap();
    journal.decided(3, "original", r#"{"why":"late"}"#.into()).await.unwrap();
    journal.air("main", r#"{"batch":2}"#.into()).await.unwrap();
    pass(&other, 0..1).await;

    let page = all.batches("default", "tv", Page::newest(2)).await.unwrap();
    assert_eq!(page.rows.iter().map(|batch| batch.number).collect::<Vec<_>>(), [3, 2]);
    assert!(page.more);
    let rest = all.batches("default", "tv", Page::newest(2).after(2)).await.unwrap();
    assert_eq!((rest.rows.iter().map(|batch| batch.number).collect::<Vec<_>>(), rest.more), (vec![1, 0], false));
    let on = all.batches("default", "tv", Page::oldest(9).after(1)).await.unwrap();
    assert_eq!(on.rows.iter().map(|batch| batch.number).collect::<Vec<_>>(), [2, 3]);

    let newest = &page.rows[0];
    assert_eq!((newest.step, newest.cleaned, newest.first, newest.last), (Step::Decided, false, 3, 3));
    assert_eq!((newest.outcome.as_deref(), newest.reason.as_str()), (Some("original"), "length"));
    assert_eq!(newest.detail.as_ref().unwrap()["why"], "late");
    assert_eq!(newest.times.keys().collect::<Vec<_>>(), ["cut", "decided"]);
    assert!(newest.times["decided"] >= newest.times["cut"] && newest.times["cut"] > 0);
    assert!(page.rows[1].cleaned && page.rows[1].times.contains_key("done"));

    assert_eq!(all.batch("default", "tv", 3).await.unwrap().as_ref(), Some(newest));
    assert_eq!(all.batch("acme", "tv", 3).await.unwrap(), None);
    let none = all.batches("acme", "none", Page::newest(9)).await.unwrap();
    assert_eq!(none, Listed { rows: Vec::new(), more: false });
    let stages = all.snapshots("default", "tv").await.unwrap();
    assert_eq!(stages, [SnapshotInfo { kind: "batching".into(), digest: "d".into(), bytes: 4 }]);
    assert!(all.snapshots("acme", "tv").await.unwrap().is_empty());
    assert_eq!(all.positions("default", "tv").await.unwrap()["main"]["batch"], 2);
    let numbers = all.stream("default", "tv").await.unwrap().unwrap();
    assert_eq!((numbers.next_segment, numbers.next_batch, numbers.finished), (4, 4, false));
}

#[tokio::test]
async fn a_batch_that_a_new_run_left_behind_is_told_from_one_that_was_on_air() {
    let dir = tempfile::tempdir().unwrap();
    let all = Journal::open(&dir.path().join("outboard.db")).unwrap();
    let (journal, _) = all.begin("default", "tv", "u").await.unwrap();
    journal.segment(Some(&segment(0)), vec![cut(0, 0, 0)], None).await.unwrap();
    journal.segment(Some(&segment(1)), vec![cut(1, 1, 1)], None).await.unwrap();
    journal.step(0, Step::Done).await.unwrap();
    let (journal, _) = all.begin("default", "tv", "another source").await.unwrap();
    journal.segment(Some(&segment(2)), vec![cut(2, 2, 2)], None).await.unwrap();
    let batches = all.batches("default", "tv", Page::oldest(9)).await.unwrap().rows;
    assert_eq!(batches.iter().map(BatchRecord::is_given_up).collect::<Vec<_>>(), [false, true, false]);
}

#[tokio::test]
async fn history_is_bounded_and_never_costs_a_batch_that_has_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let all = Journal::open(&path).unwrap();
    let (journal, _) = all.begin("default", "tv", "u").await.unwrap();
    journal.segment(Some(&segment(0)), vec![cut(0, 0, 0)], None).await.unwrap();
    pass(&journal, 1..4).await;
    // Simulates years of batches.
    let next = HISTORY_BATCHES_DEFAULT + 2;
    let database = Connection::open(&path).unwrap();
    database.execute("UPDATE stream SET next_batch = ?, next_segment = ?", [next, next]).unwrap();
    pass(&journal, next..next + 1).await;
    let kept = all.batches("default", "tv", Page::oldest(9)).await.unwrap().rows;
    assert_eq!(kept.iter().map(|batch| batch.number).collect::<Vec<_>>(), [0, 3, next]);
}

/// Records all steps of a batch of one segment, from its cut to the removal of its files.
async fn whole_life(journal: &StreamJournal, number: u64) {
    journal.segment(Some(&segment(number)), vec![cut(number, number, number)], Some(stage(&[7; 500]))).await.unwrap();
    let (before, mut after) = (Timeline::default(), Timeline::default());
    after.place(&BatchFacts::default(), false);
    journal.demuxed(number, &before, &after).await.unwrap();
    for step in [Step::Sent, Step::Remuxed, Step::OnAir, Step::Done] {
        journal.step(number, step).await.unwrap();
    }
    let why = "w".repeat(300);
    journal.decided(number, "original", serde_json::json!({ "why": why }).to_string()).await.unwrap();
    journal.air("main", serde_json::json!({ "batch": number }).to_string()).await.unwrap();
    journal.forget(number).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_runs_on_takes_no_more_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    let history = History { batches: 100, events: 100 };
    let all = Journal::new(Database::open(&path).unwrap().keeping(history));
    let (journal, _) = all.begin("default", "tv", "u").await.unwrap();
    let rows = |table: &str| -> u64 {
        let count = format!("SELECT count(*) FROM {table}");
        Connection::open(&path).unwrap().query_row(&count, [], |row| row.get(0)).unwrap()
    };
    // More than both limits: of batches, and of remembered segments.
    let first = 600;
    for number in 0..first {
        whole_life(&journal, number).await;
    }
    let pages = all.pages().await;
    for number in first..3 * first {
        whole_life(&journal, number).await;
    }
    assert_eq!(rows("batch"), history.batches);
    assert!(rows("segment") <= 513, "{} segments", rows("segment"));
    assert_eq!((rows("air"), rows("stage"), rows("stream")), (1, 1, 1));
    let later = all.pages().await;
    assert!(later <= pages + pages / 20, "{pages} pages, then {later}");
}
