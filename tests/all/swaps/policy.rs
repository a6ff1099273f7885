//! What decides after a version fails that has passed its probation.

use super::*;

/// Swaps the remux-planning stage for a guest that traps at its `on`-th plan, and lets it pass its probation.
async fn passed(stages: &Stages, on: u64) -> NewVersion {
    let kind = StageKind::RemuxPlanning;
    let ordered = json!({"fault": "trap", "call": "plan", "on": on});
    let candidate = NewVersion { probation: 2, ..faulty("faulty-remux", &ordered).await };
    let cut = stages.slots.cut_over(kind, &candidate).await.unwrap();
    for batch in 0..2 {
        stages.remux.lock().await.plan(&facts(batch)).await;
    }
    assert_eq!(cut.probation.borrow().end, Some(outboard::stage::slot_status::ProbationEnd::Passed));
    candidate
}

#[tokio::test]
async fn the_version_before_takes_over_and_answers_the_same_batch() {
    let stages = Stages::with(FailurePolicy::Previous).await;
    passed(&stages, 3).await;
    let answer = stages.remux.lock().await.plan(&facts(2)).await;
    assert!(answer.failure.is_none(), "{:?}", answer.failure);
    let status = stages.slots.status_feed(StageKind::RemuxPlanning).await.current();
    assert_eq!(status.component.description().name, "remux-replace");
    let (reason, evidence) = status.fell_back.unwrap();
    assert!(reason.contains("told to trap in plan"), "{reason}");
    assert_eq!(stages.evidence()[0].id, evidence);
}

#[tokio::test]
async fn the_host_answers_where_that_is_set_and_the_same_version_goes_on() {
    let stages = Stages::with(FailurePolicy::HostDefault).await;
    passed(&stages, 3).await;
    let answer = stages.remux.lock().await.plan(&facts(2)).await;
    assert!(answer.is_default());
    assert!(!stages.remux.lock().await.plan(&facts(3)).await.is_default(), "a new instance of it");
    let status = stages.slots.status_feed(StageKind::RemuxPlanning).await.current();
    assert_eq!((status.component.description().name.as_str(), status.stop), ("guest-faulty-remux", None));
}

#[tokio::test]
async fn the_pipeline_is_to_be_stopped_where_that_is_set() {
    let stages = Stages::with(FailurePolicy::Stop).await;
    passed(&stages, 3).await;
    assert!(stages.remux.lock().await.plan(&facts(2)).await.is_default(), "the batch goes on air all the same");
    let status = stages.slots.status_feed(StageKind::RemuxPlanning).await.current();
    assert!(status.stop.unwrap().contains("told to trap in plan"));
}

#[tokio::test]
async fn a_version_before_that_cannot_read_the_state_starts_from_nothing() {
    let stages = Stages::with(FailurePolicy::Previous).await;
    // The bundled version cannot read the guest's state.
    let ordered = json!({"fault": "trap", "call": "push", "on": 9});
    let fresh = NewVersion { fresh: true, probation: 1, ..faulty("faulty-batching", &ordered).await };
    let mut cuts = Vec::new();
    for index in 0..16 {
        if index == 3 {
            stages.slots.cut_over(StageKind::Batching, &fresh).await.unwrap();
        }
        let answer = stages.batching.lock().await.push(segment(index)).await;
        assert!(answer.failure.is_none(), "{index}: {:?}", answer.failure);
        cuts.extend(answer.value.iter().map(|cut| (cut.first, cut.last)));
    }
    // It trapped at segment 11; the previous version was called for that segment and continues in threes.
    assert_eq!(cuts, [(0, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 13)]);
    assert_eq!(stages.name(StageKind::Batching).await, "batching-duration");
}
