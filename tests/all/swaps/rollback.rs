//! Whatever a new version does, the previous version answers the same call, and evidence is stored.

use outboard::stage::slot_status::ProbationEnd;

use super::*;

/// Faults that occur only after an instance resumed from a state, so that a rehearsal does not find them.
fn restored(mut ordered: Value) -> Value {
    ordered["restored_only"] = true.into();
    ordered
}

fn faults(call: &str) -> Vec<(Value, &'static str)> {
    vec![
        (json!({"fault": "trap", "call": call}), "told to trap"),
        (json!({"fault": "trap", "call": call, "on": 2}), "told to trap"),
        (json!({"fault": "exit", "call": call}), "it left with exit code"),
        (json!({"fault": "spin", "call": call}), "of execution"),
        (json!({"fault": "sleep", "call": call, "ms": 60_000}), "from start to end"),
        (json!({"fault": "hoard", "call": call, "on": 2}), "bytes of memory"),
        (json!({"fault": "stack", "call": call}), "limit of stack"),
        (json!({"fault": "error", "call": call}), "told to fail"),
        (json!({"fault": "trap", "call": "snapshot", "on": 3}), "told to trap in snapshot"),
        (json!({"fault": "spin", "call": "snapshot", "on": 2}), "snapshot: the stage went over"),
    ]
}

/// Follows a probation that must end in a roll-back; returns the reason.
fn rolled_back(
    probation: &tokio::sync::watch::Receiver<outboard::stage::slot_status::ProbationStatus>,
) -> (String, String) {
    match probation.borrow().end.clone() {
        Some(ProbationEnd::RolledBack { reason, evidence }) => (reason, evidence.unwrap()),
        other => panic!("not rolled back: {other:?}"),
    }
}

#[tokio::test]
async fn the_version_before_plans_the_very_batch_in_which_a_candidate_fails() {
    let kind = StageKind::RemuxPlanning;
    let lies = ["processed", "stretch", "offset", "none"]
        .map(|lie| (json!({"fault": "lie", "call": "plan", "lie": lie}), "breaks the contract"));
    for (ordered, says) in faults("plan").into_iter().chain(lies) {
        let (stages, alone) = (Stages::bundled().await, Stages::bundled().await);
        stages.remux.lock().await.plan(&facts(0)).await;
        let candidate = faulty("faulty-remux", &restored(ordered.clone())).await;
        stages.slots.rehearse(kind, &candidate).await.unwrap();
        let cut = stages.slots.cut_over(kind, &candidate).await.unwrap();
        assert_eq!(stages.name(kind).await, "guest-faulty-remux", "{ordered}");
        let mut batch = 1;
        while stages.name(kind).await == "guest-faulty-remux" {
            assert!(batch < 4, "{ordered}: it decides still");
            let answer = stages.remux.lock().await.plan(&facts(batch)).await;
            assert!(answer.failure.is_none(), "{ordered}: nobody answered batch {batch}: {:?}", answer.failure);
            batch += 1;
        }
        let (reason, evidence) = rolled_back(&cut.probation);
        assert!(reason.contains(says), "{ordered}: {reason}");
        let kept = stages.evidence();
        let [one] = &kept[..] else { panic!("{ordered}: {kept:#?}") };
        assert_eq!((&one.id, &one.component.name), (&evidence, &"guest-faulty-remux".to_owned()));
        assert_eq!((one.error.as_str(), one.settings.as_str()), (reason.as_str(), candidate.settings.as_str()));
        let input: Facts = serde_json::from_value(one.calls.last().unwrap().input.clone()).unwrap();
        assert_eq!(input, facts(batch - 1), "{ordered}: the evidence has the input that caused it");
        assert!(one.state_bytes().unwrap().is_some(), "{ordered}");
        // The previous version is where it would be without the swap.
        for batch in 0..batch {
            alone.remux.lock().await.plan(&facts(batch)).await;
        }
        let (ours, theirs) = (stages.remux.lock().await, alone.remux.lock().await);
        assert_eq!(ours.snapshot(), theirs.snapshot(), "{ordered}");
        assert_eq!(ours.counters().read().failures(), 0, "{ordered}: the old version did not fail");
    }
}

#[tokio::test]
async fn the_version_before_cuts_the_very_batch_in_which_a_candidate_fails() {
    let kind = StageKind::Batching;
    let lies = ["future", "past", "many"]
        .map(|lie| (json!({"fault": "lie", "call": "push", "lie": lie}), "breaks the contract"));
    for (ordered, says) in faults("push").into_iter().chain(lies) {
        let (stages, alone) = (Stages::bundled().await, Stages::bundled().await);
        let (mut cuts, mut wanted_cuts) = (Vec::new(), Vec::new());
        let mut probation = None;
        for index in 0..20 {
            // In the middle of a batch.
            if index == 4 {
                let candidate = faulty("faulty-batching", &restored(ordered.clone())).await;
                stages.slots.rehearse(kind, &candidate).await.unwrap();
                probation = Some(stages.slots.cut_over(kind, &candidate).await.unwrap().probation);
            }
            let answer = stages.batching.lock().await.push(segment(index)).await;
            assert!(answer.failure.is_none(), "{ordered}: nobody cut at {index}: {:?}", answer.failure);
            cuts.extend(answer.value.iter().map(|cut| (cut.first, cut.last)));
            let answer = alone.batching.lock().await.push(segment(index)).await;
            wanted_cuts.extend(answer.value.iter().map(|cut| (cut.first, cut.last)));
        }
        let (reason, _) = rolled_back(&probation.unwrap());
        // The guest cuts in twos and does not know the open batch: this is detected too, if nothing else is before.
        assert!(reason.contains(says) || reason.contains("breaks the contract"), "{ordered}: {reason}");
        assert_eq!(stages.name(kind).await, "batching-duration", "{ordered}");
        assert_eq!(cuts, wanted_cuts, "{ordered}");
        assert_eq!(stages.evidence().len(), 1, "{ordered}");
    }
}

#[tokio::test]
async fn the_version_before_speaks_where_a_candidate_fails_in_the_middle_of_a_connection() {
    let kind = StageKind::Framing;
    for call in ["encode", "decode"] {
        for (ordered, says) in faults(call) {
            let stages = Stages::bundled().await;
            stages.framing.lock().await.on_connect(&connection()).await;
            let candidate = faulty("faulty-framing", &restored(ordered.clone())).await;
            let cut = stages.slots.cut_over(kind, &candidate).await.unwrap();
            for batch in 0..3 {
                let sent = stages.framing.lock().await.encode(&fragment(batch), vec![1, 2, 3].into()).await;
                assert!(sent.failure.is_none() && !sent.value.is_empty(), "{ordered}: {:?}", sent.failure);
                let ack = json!([{ "fragmentId": format!("tv-{batch}") }]).to_string();
                let heard = Message { event: "fragment:ack".into(), arguments: ack, attachments: vec![] };
                let heard = stages.framing.lock().await.decode(heard, 0).await;
                assert!(heard.failure.is_none(), "{ordered}: {:?}", heard.failure);
            }
            let (reason, _) = rolled_back(&cut.probation);
            assert!(reason.contains(says), "{ordered}: {reason}");
            assert_eq!(stages.name(kind).await, "framing-fragment", "{ordered}");
        }
    }
}

#[tokio::test]
async fn what_a_rehearsal_finds_is_not_cut_over_to() {
    let kind = StageKind::RemuxPlanning;
    let lie = (json!({"fault": "lie", "call": "plan", "lie": "offset"}), "breaks the contract");
    let opens = [
        (json!({"fault": "trap", "call": "open"}), "told to trap in open"),
        (json!({"fault": "huge-snapshot", "ms": 65}), "65536 bytes for a snapshot"),
        (json!({"fault": "huge-snapshot", "ms": 1_000_000}), "bytes of memory"),
        (json!({"fault": "trap", "call": "open", "restored_only": true}), "told to trap in open"),
        (json!({"fault": "refuse-state"}), "the state cannot be read"),
    ];
    for (ordered, says) in faults("plan").into_iter().chain([lie]).chain(opens) {
        let stages = Stages::bundled().await;
        for batch in 0..3 {
            stages.remux.lock().await.plan(&facts(batch)).await;
        }
        let unfit = stages.slots.rehearse(kind, &faulty("faulty-remux", &ordered).await).await.unwrap_err();
        assert!(unfit.error.to_string().contains(says), "{ordered}: {}", unfit.error);
        let kept = stages.evidence();
        assert_eq!(kept.iter().map(|one| &one.id).collect::<Vec<_>>(), [&unfit.evidence], "{ordered}");
        assert_eq!(stages.name(kind).await, "remux-replace");
        // The running version was not affected.
        assert_eq!(stages.remux.lock().await.counters().read().calls, 3, "{ordered}");
    }
}

#[tokio::test]
async fn a_state_that_is_refused_changes_nothing_unless_it_may_start_from_nothing() {
    let kind = StageKind::RemuxPlanning;
    let stages = Stages::bundled().await;
    let refuses = faulty("faulty-remux", &json!({"fault": "refuse-state"})).await;
    let error = stages.slots.cut_over(kind, &refuses).await.unwrap_err();
    assert!(error.is_unreadable_state(), "{error}");
    assert_eq!(stages.name(kind).await, "remux-replace");
    let fresh = NewVersion { fresh: true, ..refuses };
    stages.slots.cut_over(kind, &fresh).await.unwrap();
    assert_eq!(stages.name(kind).await, "guest-faulty-remux");
    assert!(stages.remux.lock().await.plan(&facts(0)).await.failure.is_none());
}

#[tokio::test]
async fn a_version_that_starts_from_nothing_is_told_of_what_is_open() {
    let stages = Stages::bundled().await;
    let mut cuts = Vec::new();
    for index in 0..12 {
        // Two segments of a batch of three are waiting.
        if index == 5 {
            let fresh = NewVersion { fresh: true, ..faulty("faulty-batching", &json!({})).await };
            stages.slots.cut_over(StageKind::Batching, &fresh).await.unwrap();
        }
        let answer = stages.batching.lock().await.push(segment(index)).await;
        assert!(answer.failure.is_none(), "{:?}", answer.failure);
        cuts.extend(answer.value.iter().map(|cut| (cut.first, cut.last)));
    }
    assert_eq!(cuts, [(0, 2), (3, 4), (5, 6), (7, 8), (9, 10)]);

    let framing = faulty("faulty-framing", &json!({})).await;
    stages.framing.lock().await.on_connect(&connection()).await;
    stages.slots.cut_over(StageKind::Framing, &NewVersion { fresh: true, ..framing }).await.unwrap();
    let mut stage = stages.framing.lock().await;
    assert!(stage.take_greeting_due() && !stage.take_greeting_due());
    assert!(matches!(stage.audio_format().await.value, Format::Adts), "the guest is asked what it wants");
}

#[tokio::test]
async fn a_version_on_probation_can_be_taken_back_by_hand() {
    let stages = Stages::bundled().await;
    let mut cuts = Vec::new();
    for index in 0..12 {
        if index == 4 {
            let fresh = NewVersion { fresh: true, ..faulty("faulty-batching", &json!({})).await };
            stages.slots.cut_over(StageKind::Batching, &fresh).await.unwrap();
        }
        if index == 6 {
            assert!(stages.slots.roll_back(StageKind::Batching, "by hand".into()).await);
            assert!(!stages.slots.roll_back(StageKind::Batching, "again".into()).await, "nothing is on probation");
        }
        let answer = stages.batching.lock().await.push(segment(index)).await;
        assert!(answer.failure.is_none(), "{:?}", answer.failure);
        cuts.extend(answer.value.iter().map(|cut| (cut.first, cut.last)));
    }
    assert_eq!(cuts, [(0, 2), (3, 4), (5, 7), (8, 10)]);
}
