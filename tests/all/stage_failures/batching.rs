//! Batching stages that fail: every segment still belongs to one batch.

use super::*;

pub(super) fn segment(index: u64) -> Segment {
    Segment {
        index,
        media_sequence: index,
        duration_us: 4_000_000,
        size_bytes: 1,
        discontinuity: false,
        program_date_time_us: None,
        cues: vec![],
    }
}

pub(super) async fn batching(ordered: &Value) -> BatchingStage {
    BatchingStage::open(runtime(), load("faulty-batching").await, orders(ordered), 10).await.unwrap()
}

/// Pushes segments and flushes; returns the batches, and which calls the host answered.
async fn run(stage: &mut BatchingStage, segments: &[Segment]) -> (Vec<(u64, u64)>, Vec<u64>) {
    let (mut cuts, mut by_host) = (Vec::new(), Vec::new());
    let mut take = |cut: &Cut| cuts.push((cut.first, cut.last));
    for segment in segments {
        let answer = stage.push(segment.clone()).await;
        answer.value.iter().for_each(&mut take);
        by_host.extend(answer.is_default().then_some(segment.index));
    }
    stage.flush().await.value.iter().for_each(&mut take);
    (cuts, by_host)
}

#[tokio::test]
async fn a_batch_in_which_the_stage_fails_is_cut_by_the_host() {
    // The guest cuts every second segment of 4 s, the host after 10 s.
    let segments: Vec<_> = (0..9).map(segment).collect();
    let faults: [(Value, Cause); 7] = [
        (json!({"fault": "trap"}), |c| c.traps),
        (json!({"fault": "spin"}), |c| c.over_cpu),
        (json!({"fault": "hoard"}), |c| c.over_memory),
        (json!({"fault": "error"}), |c| c.errors),
        (json!({"fault": "lie", "lie": "future"}), |c| c.invalid_answers),
        (json!({"fault": "lie", "lie": "past"}), |c| c.invalid_answers),
        (json!({"fault": "lie", "lie": "many"}), |c| c.invalid_answers),
    ];
    for (mut ordered, cause) in faults {
        (ordered["call"], ordered["on"], ordered["fresh_only"]) = ("push".into(), 4.into(), true.into());
        let mut stage = batching(&ordered).await;
        let (cuts, by_host) = run(&mut stage, &segments).await;
        // The fourth push fails while 2 waits: the host cuts 2 to 4, and from 5 on the stage decides again.
        assert_eq!(cuts, [(0, 1), (2, 4), (5, 6), (7, 8)], "{ordered}");
        assert_eq!(by_host, [3, 4], "{ordered}");
        let counts = stage.counters().read();
        assert_eq!((cause(&counts), counts.failures(), counts.defaults), (1, 1, 2), "{ordered}: {counts:?}");
    }
}

#[tokio::test]
async fn every_segment_is_in_one_batch_whenever_the_stage_fails() {
    let segments: Vec<_> = (0..24).map(|n| Segment { discontinuity: n % 5 == 4, ..segment(n) }).collect();
    for fault in ["trap", "error", "lie"] {
        for on in 1..=24 {
            let ordered = json!({"fault": fault, "lie": "future", "call": "push", "on": on, "fresh_only": true});
            let (cuts, _) = run(&mut batching(&ordered).await, &segments).await;
            let mut next = 0;
            for (first, last) in &cuts {
                assert_eq!(*first, next, "{ordered}: {cuts:?}");
                let inside = &segments[*first as usize + 1..=*last as usize];
                assert!(inside.iter().all(|segment| !segment.discontinuity), "{ordered}: {cuts:?}");
                next = last + 1;
            }
            assert_eq!(next, 24, "{ordered}: {cuts:?}");
        }
    }
}

#[tokio::test]
async fn a_stage_that_never_cuts_is_cut_at_the_longest_batch() {
    let mut stage = batching(&json!({"fault": "lie", "call": "push", "lie": "never"})).await;
    let segments: Vec<_> = (0..31).map(segment).collect();
    let (cuts, by_host) = run(&mut stage, &segments).await;
    // 120 s are 30 segments; the next one shows that the stage holds back too much.
    assert_eq!(by_host, [30]);
    assert_eq!(cuts.len(), 11, "{cuts:?}");
    assert_eq!((cuts[0], cuts[10]), ((0, 2), (30, 30)));
    // It gave an invalid answer in the push and, because it knows no segment, in the flush.
    assert_eq!(stage.counters().read().invalid_answers, 2);
}

#[tokio::test]
async fn a_push_that_is_not_waited_for_loses_no_segment() {
    for on in 1..=6 {
        let ordered = json!({"fault": "sleep", "ms": 60_000, "call": "push", "on": on, "fresh_only": true});
        let mut stage = batching(&ordered).await;
        let mut cuts = Vec::new();
        for index in 0..8 {
            if index + 1 != on {
                cuts.extend(stage.push(segment(index)).await.value);
                continue;
            }
            tokio::select! {
                biased;
                _ = stage.push(segment(index)) => panic!("it sleeps"),
                () = tokio::task::yield_now() => {}
            }
        }
        cuts.extend(stage.flush().await.value);
        let covered: Vec<u64> = cuts.iter().flat_map(|cut| cut.first..=cut.last).collect();
        assert_eq!(covered, (0..8).collect::<Vec<_>>(), "given up in push {on}");
        assert_eq!(stage.counters().read().cancelled, 1, "given up in push {on}");
    }
}

#[tokio::test]
async fn a_flush_that_fails_leaves_nothing_behind() {
    for ordered in [json!({"fault": "trap", "call": "flush"}), json!({"fault": "lie", "call": "flush"})] {
        let (cuts, _) = run(&mut batching(&ordered).await, &[segment(0), segment(1), segment(2)]).await;
        assert_eq!(cuts, [(0, 1), (2, 2)], "{ordered}");
    }
}

#[tokio::test]
async fn without_any_stage_the_host_still_cuts() {
    let component = load("faulty-batching").await;
    let ordered = orders(&json!({"fault": "trap", "call": "open"}));
    let mut stage = BatchingStage::resume(runtime(), component, ordered, 10).await;
    let segments: Vec<_> = (0..7).map(segment).collect();
    assert_eq!(run(&mut stage, &segments).await, (vec![(0, 2), (3, 5), (6, 6)], (0..7).collect()));
}
