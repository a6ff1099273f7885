//! What decides after a version fails that has passed its probation.

use super::*;

/// Swaps the remux-planning stage for a guest that traps at its `on`-th plan, and lets it pass its probation.
async fn passed(seats: &Seats, on: u64) -> Wanted {
    let kind = StageKind::RemuxPlanning;
    let ordered = json!({"fault": "trap", "call": "plan", "on": on});
    let candidate = Wanted { probation: 2, ..faulty("faulty-remux", &ordered).await };
    let cut = seats.swaps.cut_over(kind, &candidate).await.unwrap();
    for batch in 0..2 {
        seats.remux.lock().await.plan(&facts(batch)).await;
    }
    assert_eq!(cut.trial.borrow().end, Some(outboard::stage::face::TrialEnd::Passed));
    candidate
}

#[tokio::test]
async fn the_version_before_takes_over_and_answers_the_same_batch() {
    let seats = Seats::with(FailurePolicy::Previous).await;
    passed(&seats, 3).await;
    let answer = seats.remux.lock().await.plan(&facts(2)).await;
    assert!(answer.failure.is_none(), "{:?}", answer.failure);
    let seated = seats.swaps.face(StageKind::RemuxPlanning).await.seated();
    assert_eq!(seated.component.description().name, "remux-replace");
    let (reason, evidence) = seated.fell_back.unwrap();
    assert!(reason.contains("told to trap in plan"), "{reason}");
    assert_eq!(seats.evidence()[0].id, evidence);
}

#[tokio::test]
async fn the_host_answers_where_that_is_set_and_the_same_version_goes_on() {
    let seats = Seats::with(FailurePolicy::HostDefault).await;
    passed(&seats, 3).await;
    let answer = seats.remux.lock().await.plan(&facts(2)).await;
    assert!(answer.is_default());
    assert!(!seats.remux.lock().await.plan(&facts(3)).await.is_default(), "a new instance of it");
    let seated = seats.swaps.face(StageKind::RemuxPlanning).await.seated();
    assert_eq!((seated.component.description().name.as_str(), seated.stop), ("guest-faulty-remux", None));
}

#[tokio::test]
async fn the_pipeline_is_to_be_stopped_where_that_is_set() {
    let seats = Seats::with(FailurePolicy::Stop).await;
    passed(&seats, 3).await;
    assert!(seats.remux.lock().await.plan(&facts(2)).await.is_default(), "the batch goes on air all the same");
    let seated = seats.swaps.face(StageKind::RemuxPlanning).await.seated();
    assert!(seated.stop.unwrap().contains("told to trap in plan"));
}

#[tokio::test]
async fn a_version_before_that_cannot_read_the_state_starts_from_nothing() {
    let seats = Seats::with(FailurePolicy::Previous).await;
    // The bundled version cannot read the guest's state.
    let ordered = json!({"fault": "trap", "call": "push", "on": 9});
    let fresh = Wanted { fresh: true, probation: 1, ..faulty("faulty-batching", &ordered).await };
    let mut cuts = Vec::new();
    for index in 0..16 {
        if index == 3 {
            seats.swaps.cut_over(StageKind::Batching, &fresh).await.unwrap();
        }
        let answer = seats.batching.lock().await.push(segment(index)).await;
        assert!(answer.failure.is_none(), "{index}: {:?}", answer.failure);
        cuts.extend(answer.value.iter().map(|cut| (cut.first, cut.last)));
    }
    // It trapped at segment 11; the previous version was called for that segment and continues in threes.
    assert_eq!(cuts, [(0, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 13)]);
    assert_eq!(seats.name(StageKind::Batching).await, "batching-duration");
}
