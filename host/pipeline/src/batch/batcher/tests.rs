//! What the batch step hands on, and when.

use std::sync::Arc;

use super::*;
use crate::deadline::PaceSettings;
use crate::report::tests::{Case, segment};
use crate::settings::Hold;
use outboard_stage::{Opening, StageKind, StageRuntime, StageRuntimeConfig};
use tokio::sync::Mutex;

/// A batcher with the bundled stage, which cuts after 30 s and at discontinuities.
async fn batcher(case: &Case) -> Batcher {
    let runtime = StageRuntime::new(&StageRuntimeConfig::default()).unwrap();
    let component = runtime.bundled(StageKind::Batching).await.unwrap();
    let stage = BatchingStage::open(&runtime, component, Opening::default(), 30).await.unwrap();
    let seconds = Duration::from_secs;
    Batcher {
        stage: Arc::new(Mutex::new(stage)),
        reporter: case.reporter.clone(),
        next_batch: 7,
        pending: VecDeque::new(),
        limit: None,
        stop: CancellationToken::new(),
        too_long: None,
        arrived: (Instant::now(), 0),
        handed: None,
        pace: Pace::new(PaceSettings { batch: seconds(30), hold: Hold::Auto, cushion: seconds(5) }),
        clock: AirClock::with_speed(1.0),
    }
}

/// What was decided, in words: a segment with its batch, and a batch with its segments.
fn decided(queue: &mut mpsc::Receiver<Decided>) -> Vec<String> {
    let mut words = Vec::new();
    while let Ok(decided) = queue.try_recv() {
        words.push(match decided {
            Decided::Segment { batch, segment } => format!("segment {} of {batch}", segment.index),
            Decided::Cut(batch) => {
                let segments: Vec<u64> = batch.segments.iter().map(|segment| segment.index).collect();
                format!("batch {} {segments:?}{}", batch.number, if batch.last { ", last" } else { "" })
            }
        });
    }
    words
}

#[tokio::test]
async fn segments_are_handed_on_as_they_come_and_once() {
    let case = Case::new().await;
    let (to, events) = mpsc::channel(16);
    let (out, mut queue) = mpsc::channel(16);
    for index in 0..4 {
        let segment = Segment { discontinuity: index == 2, ..segment(index) };
        to.send(SourceEvent::Segment(Box::new(segment))).await.unwrap();
    }
    to.send(SourceEvent::Ended).await.unwrap();
    batcher(&case).await.run(events, out).await.unwrap();
    assert_eq!(
        decided(&mut queue),
        [
            "segment 0 of 7",
            "segment 1 of 7",
            "batch 7 [0, 1], last",
            "segment 2 of 8",
            "segment 3 of 8",
            "batch 8 [2, 3], last"
        ]
    );
    // The case's own batch is number 0.
    let batches = case.resumed().await.batches;
    assert_eq!(batches.iter().skip(1).map(|row| row.segments.len()).collect::<Vec<_>>(), [2, 2]);
}

#[tokio::test]
async fn a_cut_further_back_hands_nothing_on_twice() {
    let case = Case::new().await;
    let (out, mut queue) = mpsc::channel(16);
    let mut batcher = batcher(&case).await;
    for index in 0..4 {
        batcher.pending.push_back(segment(index));
        let none = Answer { value: Vec::new(), failure: None };
        assert!(batcher.cut(Newest::New, none, &out).await.unwrap().is_continue());
    }
    assert_eq!(decided(&mut queue).last().unwrap(), "segment 3 of 7");
    batcher.pending.push_back(segment(4));
    let cut = |first, last| wit::Cut { first, last, reason: wit::Reason::Other };
    let cuts = Answer { value: vec![cut(0, 0), cut(1, 2)], failure: None };
    assert!(batcher.cut(Newest::New, cuts, &out).await.unwrap().is_continue());
    assert_eq!(decided(&mut queue), ["batch 7 [0]", "batch 8 [1, 2]", "segment 4 of 9"]);
    let all = Answer { value: vec![cut(3, 4)], failure: None };
    assert!(batcher.cut(Newest::None, all, &out).await.unwrap().is_continue());
    assert_eq!(decided(&mut queue), ["batch 9 [3, 4], last"]);
}
