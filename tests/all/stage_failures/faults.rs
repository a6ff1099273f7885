//! Every fault: default answer, cause counted, stage restarted.

use super::*;

pub(crate) fn facts() -> Facts {
    Facts {
        batch: 3,
        video: None,
        audio: Some(AudioTrack {
            codec: "aac".into(),
            first_pts_us: 0,
            duration_us: 30_000_000,
            packets: 1406,
            sample_rate_hz: 48_000,
            channels: 2,
            packet_us: 21_333,
        }),
        reply: Reply::Absent(Absence::Late),
        time_left_ms: 1000,
        policy: Policy { max_stretch_permille: 200, max_offset_us: 0, max_gain_centibel: 0 },
    }
}

pub(super) async fn remux(ordered: &Value) -> RemuxStage {
    RemuxStage::open(runtime(), load("faulty-remux").await, orders(ordered)).await.unwrap()
}

/// Reads one counter.
pub(super) type Cause = fn(&StageCounts) -> u64;

#[tokio::test]
async fn each_fault_gives_the_default_and_names_its_cause() {
    let faults: [(Value, Cause, &str); 12] = [
        (json!({"fault": "trap", "call": "plan"}), |c| c.traps, "told to trap in plan"),
        (json!({"fault": "exit", "call": "plan"}), |c| c.traps, "it left with exit code 1"),
        (json!({"fault": "spin", "call": "plan"}), |c| c.over_cpu, "100ms of execution"),
        (json!({"fault": "sleep", "call": "plan", "ms": 60_000}), |c| c.over_wall_clock, "3s from start to end"),
        (json!({"fault": "hoard", "call": "plan"}), |c| c.over_memory, "16777216 bytes of memory"),
        (json!({"fault": "stack", "call": "plan"}), |c| c.over_stack, "its limit of stack"),
        (json!({"fault": "lie", "call": "plan", "lie": "processed"}), |c| c.invalid_answers, "none came back"),
        (json!({"fault": "lie", "call": "plan", "lie": "stretch"}), |c| c.invalid_answers, "stretch"),
        (json!({"fault": "lie", "call": "plan", "lie": "offset"}), |c| c.invalid_answers, "offset"),
        (json!({"fault": "lie", "call": "plan", "lie": "none"}), |c| c.invalid_answers, "no audio"),
        (json!({"fault": "trap", "call": "snapshot", "on": 2}), |c| c.traps, "told to trap in snapshot"),
        (json!({"fault": "spin", "call": "snapshot", "on": 2}), |c| c.over_cpu, "snapshot: the stage went over"),
    ];
    for (mut ordered, cause, says) in faults {
        ordered["fresh_only"] = true.into();
        let mut stage = remux(&ordered).await;
        let broken = stage.plan(&facts()).await;
        let failure = broken.failure.as_ref().unwrap_or_else(|| panic!("{ordered}: no failure")).to_string();
        assert!(failure.contains(says), "{ordered}: {failure}");
        assert_eq!(broken.value.audio, AudioChoice::Original, "{ordered}");
        assert!(broken.value.marked && broken.value.note.contains(says), "the note tells why: {}", broken.value.note);

        let counts = stage.counters().read();
        assert_eq!((cause(&counts), counts.failures(), counts.defaults), (1, 1, 1), "{ordered}: {counts:?}");
        let next = stage.plan(&facts()).await;
        assert!(next.failure.is_none() && next.value.note == "as the guest says", "{ordered}: {:?}", next.failure);
        let counts = stage.counters().read();
        assert_eq!((counts.restarts, counts.defaults, counts.states_lost), (1, 1, 0), "{ordered}: {counts:?}");
    }
}

#[tokio::test]
async fn a_snapshot_over_its_size_fails_the_call_before_it() {
    let mut opening = orders(&json!({"fault": "huge-snapshot", "ms": 65}));
    let component = load("faulty-remux").await;
    let error = RemuxStage::open(runtime(), component.clone(), opening.clone()).await.err().unwrap();
    assert!(matches!(error, StageError::Limit { limit: Limit::Snapshot { limit: 65_536, .. }, .. }), "{error}");
    opening.limits.snapshot_bytes = 1 << 20;
    let mut stage = RemuxStage::open(runtime(), component, opening).await.unwrap();
    assert!(!stage.plan(&facts()).await.is_default());
    assert!(stage.snapshot().unwrap().len() > 65 << 10);
}

#[tokio::test]
async fn an_error_value_leaves_the_instance_at_work() {
    let mut stage = remux(&json!({"fault": "error", "call": "plan", "on": 2})).await;
    let defaults = [stage.plan(&facts()).await, stage.plan(&facts()).await, stage.plan(&facts()).await]
        .map(|answer| answer.is_default());
    assert_eq!(defaults, [false, true, false]);
    let counts = stage.counters().read();
    assert_eq!((counts.errors, counts.restarts, counts.calls), (1, 0, 3));
}

#[tokio::test]
async fn a_trap_tells_where_it_was() {
    let mut stage = remux(&json!({"fault": "trap", "call": "plan"})).await;
    match stage.plan(&facts()).await.failure {
        Some(StageError::Trap { frames, .. }) => {
            assert!(frames.iter().any(|frame| frame.contains("faults::strike")), "{frames:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stage_that_keeps_failing_is_restarted_later_and_later() {
    let mut stage = remux(&json!({"fault": "trap", "call": "plan"})).await;
    for _ in 0..50 {
        let answer = stage.plan(&facts()).await;
        assert!(answer.is_default() && answer.value.audio == AudioChoice::Original);
    }
    let last = stage.plan(&facts()).await.failure;
    assert!(matches!(last, Some(StageError::BackingOff { failures: 2, .. })), "{last:?}");
    let counts = stage.counters().read();
    assert_eq!((counts.traps, counts.restarts, counts.defaults), (2, 1, 51), "started twice, not 51 times");
}

#[tokio::test]
async fn a_state_that_is_refused_is_given_up_not_the_stage() {
    let mut stage = remux(&json!({"fault": "refuse-state"})).await;
    assert!(!stage.plan(&facts()).await.is_default());
    let state = stage.snapshot().unwrap().to_vec();

    // A caller that requests this state gets an error …
    let component = load("faulty-remux").await;
    let opening = Opening { state: Some(state), ..orders(&json!({"fault": "refuse-state"})) };
    let error = RemuxStage::open(runtime(), component.clone(), opening.clone()).await.err().unwrap();
    assert!(error.to_string().contains("the state cannot be read: refused"), "{error}");
    // … but a pipeline that must run continues without it.
    let mut stage = RemuxStage::resume(runtime(), component, opening).await;
    assert!(!stage.plan(&facts()).await.is_default());
    let counts = stage.counters().read();
    assert_eq!((counts.states_lost, counts.errors, counts.restarts), (1, 1, 0));
}

#[tokio::test]
async fn a_state_that_traps_the_stage_is_given_up() {
    let component = load("faulty-remux").await;
    let ordered = orders(&json!({"fault": "trap", "call": "open", "restored_only": true}));
    let opening = Opening { state: Some(b"poison".to_vec()), ..ordered };
    let mut stage = RemuxStage::resume(runtime(), component, opening).await;
    assert!(!stage.plan(&facts()).await.is_default());
    let counts = stage.counters().read();
    assert_eq!((counts.traps, counts.states_lost, counts.restarts, counts.defaults), (1, 1, 1, 0));
}

#[tokio::test]
async fn faults_in_open_are_told_or_outlived() {
    let component = load("faulty-remux").await;
    for (ordered, says) in [
        (json!({"fault": "trap", "call": "open"}), "open: the stage trapped"),
        (json!({"fault": "spin", "call": "open"}), "open: the stage went over its limit of 100ms"),
        (json!({"fault": "sleep", "call": "open", "ms": 60_000}), "open: the stage went over its limit of 100ms"),
        (json!({"fault": "error", "call": "open"}), "told to fail"),
        (json!({"no such order": 1}), "unknown field"),
    ] {
        let mut opening = orders(&ordered);
        opening.limits.open_timeout = Duration::from_millis(100);
        let error = RemuxStage::open(runtime(), component.clone(), opening.clone()).await.err().unwrap();
        assert!(error.to_string().contains(says), "{ordered}: {error}");
        let mut stage = RemuxStage::resume(runtime(), component.clone(), opening).await;
        let answer = stage.plan(&facts()).await;
        assert!(answer.is_default() && answer.value.audio == AudioChoice::Original, "{ordered}");
    }
}

#[tokio::test]
async fn a_call_that_the_host_gives_up_costs_only_that_instance() {
    let ordered = json!({"fault": "sleep", "call": "plan", "ms": 60_000, "fresh_only": true});
    let mut stage = remux(&ordered).await;
    let facts = facts();
    tokio::select! {
        biased;
        _ = stage.plan(&facts) => panic!("it sleeps"),
        () = tokio::task::yield_now() => {}
    }
    assert!(!stage.plan(&facts).await.is_default());
    let counts = stage.counters().read();
    assert_eq!((counts.cancelled, counts.restarts, counts.failures()), (1, 1, 0));
}
