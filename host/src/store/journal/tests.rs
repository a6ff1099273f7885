use std::time::Duration;

use super::*;
use crate::media::facts::BatchFacts;
use crate::pipeline::source::segment::{Container, Identity, Part, Segment};
use crate::pipeline::timeline::Timeline;

fn segment(index: u64) -> Segment {
    Segment {
        index,
        media_sequence: 100 + index,
        duration: Duration::from_secs(2),
        discontinuity: index == 0,
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

#[test]
fn a_newer_schema_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outboard.db");
    Journal::open(&path).unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Journal::open(&path).unwrap_err().to_string();
    assert!(error.contains("schema 99"), "{error}");
}
