//! Law 4: stages only decide. Whatever a stage does, each call is answered in bounded time and memory: by the stage, or by
//! the host's default with the cause in the counters, and other pipelines feel nothing.
//!
//! Faulty guests (tests/guests) break on order. These tests are about the stage runtime alone; every_packet_once and
//! never_silent drive faulty stages through whole pipelines.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use outboard::stage::batching::{Cut, Segment};
use outboard::stage::framing::{Connection, Event, Format, Fragment, Message, Reference};
use outboard::stage::inspect::inspect;
use outboard::stage::remux::{Absence, AudioChoice, AudioTrack, Facts, Policy, Reply};
use outboard::stage::{
    BatchingStage, FramingStage, Limit, LoadError, Opening, RemuxStage, StageCounts, StageError, StageKind,
    StageLimits, StageRuntime, StageRuntimeConfig,
};
use outboard_tests::guests::{load, orders, path, runtime};
use serde_json::{Value, json};
use std::time::Duration;

// === what is refused before it runs ===

#[tokio::test]
async fn what_is_no_stage_is_refused_in_terms_of_the_contract() {
    let tmp = tempfile::tempdir().unwrap();
    let text = tmp.path().join("text.wasm");
    std::fs::write(&text, "#!/bin/sh\n").unwrap();
    let module = tmp.path().join("module.wasm");
    std::fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let damaged = tmp.path().join("damaged.wasm");
    let whole = std::fs::read(path("faulty-remux")).unwrap();
    std::fs::write(&damaged, &whole[..whole.len() / 2]).unwrap();
    let empty = tmp.path().join("empty.wasm");
    std::fs::write(&empty, b"\0asm\x0d\0\x01\0").unwrap();

    for (file, says) in [
        (path("forbidden-import"), "it imports acme:db/query@1.2.3, which a stage does not get"),
        (path("two-worlds"), "it exports batching and remux-planning; a component implements exactly one world"),
        (path("mistyped"), "its lifecycle does not fit the contract"),
        (path("trap-in-describe"), "describe: the stage trapped"),
        (text, "not a WebAssembly component"),
        (module, "core module"),
        (damaged, "could not be compiled"),
        (empty, "it exports nothing"),
        (tmp.path().join("absent.wasm"), "No such file"),
    ] {
        let report = inspect(runtime(), &file).await;
        assert!(!report.is_usable() && report.stage.is_none() && report.notes.is_empty(), "{file:?}");
        let [problem] = report.problems.as_slice() else { panic!("{file:?}: {:?}", report.problems) };
        assert!(problem.contains(says), "{file:?}: {problem}");
        assert!(report.to_string().contains(problem), "the printed report names it");
    }
}

#[tokio::test]
async fn what_is_a_stage_is_described() {
    let report = inspect(runtime(), &path("faulty-batching")).await;
    assert!(report.is_usable(), "{:?}", report.problems);
    let stage = report.stage.as_ref().unwrap();
    assert_eq!((stage.kind, stage.name.as_str()), (StageKind::Batching, "guest-faulty-batching"));
    assert!(stage.exports.contains(&"outboard:stage/batching@0.1.0".to_owned()), "{:?}", stage.exports);
    assert!(
        stage.imports.iter().all(|import| import.starts_with("wasi:") || import.starts_with("outboard:stage/types"))
    );
    let printed = report.to_string();
    assert!(printed.contains(&stage.digest.to_string()) && printed.contains("settings"), "{printed}");
}

#[tokio::test]
async fn a_check_opens_the_stage_and_goes_on_from_its_snapshot() {
    let report = inspect(runtime(), &path("needs-settings")).await;
    assert!(report.is_usable());
    assert!(report.notes[0].contains("does not open without settings (voice: is missing;"), "{:?}", report.notes);
    assert!(report.notes[0].len() < 2000, "a thousand problems are cut to a few");
    assert!(report.to_string().contains("note: it does not open"));

    let report = inspect(runtime(), &path("refuses-own-snapshot")).await;
    assert!(!report.is_usable() && report.stage.is_some());
    assert!(report.problems[0].contains("from its own snapshot") && report.problems[0].contains("what is this?"));
}

#[tokio::test]
async fn a_component_over_the_size_limit_is_refused_unread() {
    let config = StageRuntimeConfig { component_bytes: 1000, instances: 1, ..StageRuntimeConfig::default() };
    let small = StageRuntime::new(&config).unwrap();
    let error = small.load_file(&path("faulty-remux")).await.unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { limit: 1000, .. }), "{error}");
    let error = small.load(vec![0; 1001]).await.unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { size: 1001, .. }), "{error}");
}

#[tokio::test]
async fn a_stage_of_another_kind_does_not_sit() {
    let framing = load("faulty-framing").await;
    let error = RemuxStage::open(runtime(), framing, orders(&json!({}))).await.err().unwrap();
    assert!(error.to_string().contains("this is a framing stage, not a remux-planning stage"), "{error}");
}

// === every fault: default answer, cause counted, back at work ===

fn facts() -> Facts {
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

async fn remux(ordered: &Value) -> RemuxStage {
    RemuxStage::open(runtime(), load("faulty-remux").await, orders(ordered)).await.unwrap()
}

/// Reads one counter.
type Cause = fn(&StageCounts) -> u64;

#[tokio::test]
async fn each_fault_gives_the_default_and_names_its_cause() {
    let faults: [(Value, Cause, &str); 12] = [
        (json!({"fault": "trap", "call": "plan"}), |c| c.traps, "told to trap in plan"),
        (json!({"fault": "exit", "call": "plan"}), |c| c.traps, "it left with exit code 1"),
        (json!({"fault": "spin", "call": "plan"}), |c| c.over_cpu, "200ms of execution"),
        (json!({"fault": "sleep", "call": "plan", "ms": 60_000}), |c| c.over_wall_clock, "600ms from start to end"),
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
async fn a_stage_that_keeps_failing_rests() {
    let mut stage = remux(&json!({"fault": "trap", "call": "plan"})).await;
    for _ in 0..50 {
        let answer = stage.plan(&facts()).await;
        assert!(answer.is_default() && answer.value.audio == AudioChoice::Original);
    }
    let last = stage.plan(&facts()).await.failure;
    assert!(matches!(last, Some(StageError::Resting { failures: 2, .. })), "{last:?}");
    let counts = stage.counters().read();
    assert_eq!((counts.traps, counts.restarts, counts.defaults), (2, 1, 51), "started twice, not 51 times");
}

#[tokio::test]
async fn a_state_that_is_refused_is_given_up_not_the_stage() {
    let mut stage = remux(&json!({"fault": "refuse-state"})).await;
    assert!(!stage.plan(&facts()).await.is_default());
    let state = stage.snapshot().unwrap().to_vec();

    // The caller who asks for this state is told so …
    let component = load("faulty-remux").await;
    let opening = Opening { state: Some(state), ..orders(&json!({"fault": "refuse-state"})) };
    let error = RemuxStage::open(runtime(), component.clone(), opening.clone()).await.err().unwrap();
    assert!(error.to_string().contains("the state cannot be read: refused"), "{error}");
    // … but a pipeline that must run goes on without.
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

// === batching ===

fn segment(index: u64) -> Segment {
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

async fn batching(ordered: &Value) -> BatchingStage {
    BatchingStage::open(runtime(), load("faulty-batching").await, orders(ordered), 10).await.unwrap()
}

/// Pushes segments and flushes; answers the batches, and which of the calls the host answered.
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
        // The fourth push fails while 2 waits: the host takes 2 to 4, and from 5 on the stage is back.
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
    // It told a lie in the push and, knowing of no segment, in the flush.
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

// === framing ===

async fn framing(ordered: &Value) -> FramingStage {
    FramingStage::open(runtime(), load("faulty-framing").await, orders(ordered)).await.unwrap()
}

fn fragment() -> Fragment {
    Fragment {
        id: "cam-1".into(),
        stream_id: "cam".into(),
        batch: 1,
        pts_us: 0,
        duration_us: 30_000_000,
        codec: "aac".into(),
        sample_rate_hz: 48_000,
        channels: 2,
        content_type: "audio/aac".into(),
        file_name: "audio.aac".into(),
        created_ms: 0,
        now_ms: 0,
        attempt: 0,
    }
}

fn message() -> Message {
    Message { event: "guest:ack".into(), arguments: "[]".into(), attachments: vec![] }
}

fn connection() -> Connection {
    Connection { stream_id: "cam".into(), attempt: 0, max_payload_bytes: Some(1 << 20), now_ms: 0 }
}

#[tokio::test]
async fn a_framing_stage_that_fails_says_and_hears_nothing_and_stays_connected() {
    for fault in ["trap", "spin", "hoard", "error", "exit"] {
        for call in ["on-connect", "encode", "decode", "on-disconnect"] {
            let ordered = json!({"fault": fault, "call": call, "on": 1, "fresh_only": true});
            let mut stage = framing(&ordered).await;
            let greeting = stage.on_connect(&connection()).await;
            let sent = stage.encode(&fragment(), &[1, 2, 3]).await;
            let heard = stage.decode(&message(), 0).await;
            let left = stage.on_disconnect("gone").await;
            let failed = [greeting.is_default(), sent.is_default(), heard.is_default(), left.is_default()];
            assert_eq!(failed, ["on-connect", "encode", "decode", "on-disconnect"].map(|c| c == call), "{ordered}");

            assert_eq!(greeting.value.ready, call == "on-connect", "{ordered}: the guest is not ready, the host is");
            assert_eq!(greeting.value.messages.len(), usize::from(call != "on-connect"), "{ordered}");
            assert_eq!(sent.value.len(), usize::from(call != "encode"), "{ordered}");
            let acknowledged = [Event::Acknowledged(Reference::Batch(1))];
            assert_eq!(heard.value, &acknowledged[usize::from(call == "decode")..], "{ordered}");
            let counts = stage.counters().read();
            assert_eq!((counts.failures(), counts.defaults), (1, 1), "{ordered}: {counts:?}");
        }
    }
}

#[tokio::test]
async fn messages_and_events_that_make_no_sense_are_not_passed_on() {
    for (call, lies) in [
        ("on-connect", ["json", "placeholder", "reserved"].as_slice()),
        ("encode", &["nothing", "json", "placeholder", "reserved"]),
        ("decode", &["flood", "metadata", "json", "placeholder"]),
    ] {
        for lie in lies {
            let ordered = json!({"fault": "lie", "call": call, "lie": lie});
            let mut stage = framing(&ordered).await;
            let failure = match call {
                "on-connect" => stage.on_connect(&connection()).await.failure,
                "encode" => stage.encode(&fragment(), &[1]).await.failure,
                _ => stage.decode(&message(), 0).await.failure,
            };
            assert!(matches!(failure, Some(StageError::Invalid { .. })), "{ordered}: {failure:?}");
            assert_eq!(stage.counters().read().invalid_answers, 1, "{ordered}");
        }
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_guest_itself_is_not_taken() {
    let mut stage = framing(&json!({"fault": "lie", "call": "encode", "lie": "bomb"})).await;
    let failure = stage.encode(&fragment(), &[1]).await.failure.unwrap().to_string();
    assert!(failure.contains("too much data"), "{failure}");
}

#[tokio::test]
async fn an_audio_format_that_makes_no_sense_is_refused() {
    let component = load("faulty-framing").await;
    let ordered = orders(&json!({"fault": "lie", "call": "audio-format"}));
    let error = FramingStage::open(runtime(), component.clone(), ordered.clone()).await.err().unwrap();
    assert!(error.to_string().contains("1 Hz is not from"), "{error}");
    let mut stage = FramingStage::resume(runtime(), component, ordered).await;
    assert!(matches!(stage.audio_format().await.value, Format::Fmp4));
    let mut well = framing(&json!({})).await;
    assert!(matches!(well.audio_format().await.value, Format::Adts));
}

// === walls ===

#[tokio::test]
async fn a_guest_sees_nothing_of_the_world() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let failure = remux(&json!({"fault": "look", "call": "plan"})).await.plan(&facts()).await.failure;
        seen.push(failure.unwrap().to_string());
    }
    assert!(seen[0].contains("unix=1577836800 elapsed=0"), "clocks stand still: {}", seen[0]);
    assert!(seen[0].contains("env=0 args=0 root=false write=false"), "nothing is there: {}", seen[0]);
    assert_eq!(seen[0], seen[1], "and no two guests can tell each other apart");
}

#[tokio::test]
async fn a_guest_that_hoards_timers_is_stopped() {
    let component = load("hoard-timers").await;
    let mut stage = BatchingStage::open(runtime(), component, orders(&json!({})), 10).await.unwrap();
    let failure = stage.push(segment(0)).await.failure;
    assert!(matches!(failure, Some(StageError::Trap { .. })), "before its time is up: {failure:?}");
}

#[tokio::test]
async fn a_guest_that_talks_without_end_is_heard_in_part() {
    let mut stage = remux(&json!({"fault": "chatter", "call": "plan", "ms": 500})).await;
    assert!(!stage.plan(&facts()).await.is_default());
}

/// On one thread, a neighbour that spins is in the way only for a tick at a time.
#[tokio::test(flavor = "current_thread")]
async fn a_stage_that_spins_does_not_hold_up_another_pipelines() {
    const CALLS: u64 = 10;
    let mut spinner = remux(&json!({"fault": "spin", "call": "plan"})).await;
    let mut neighbour = remux(&json!({})).await;
    let facts = facts();
    let counters = neighbour.counters().clone();
    let spins = async {
        let failure = spinner.plan(&facts).await.failure;
        // Had the spinner held the thread, the neighbour would not have been called yet.
        (failure, counters.read().calls)
    };
    let works = async {
        for _ in 0..CALLS {
            assert!(!neighbour.plan(&facts).await.is_default());
            tokio::task::yield_now().await;
        }
    };
    let ((failure, meanwhile), ()) = tokio::join!(spins, works);
    assert!(matches!(failure, Some(StageError::Limit { limit: Limit::Cpu(_), .. })), "{failure:?}");
    assert_eq!(meanwhile, CALLS, "the neighbour was done before the spinner was stopped");
}

#[tokio::test]
async fn instances_are_counted_and_given_back() {
    let config = StageRuntimeConfig { instances: 2, ..StageRuntimeConfig::default() };
    let small = StageRuntime::new(&config).unwrap();
    let component = small.load_file(&path("faulty-remux")).await.unwrap();
    let open = || RemuxStage::open(&small, component.clone(), Opening::default());
    let first = open().await.unwrap();
    let second = open().await.unwrap();
    let third = open().await.err().unwrap();
    assert!(matches!(third, StageError::Limit { limit: Limit::Instances(2), .. }), "{third}");
    drop((first, second));
    assert_eq!(small.instances_free(), 2);
    assert!(open().await.is_ok());
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused_at_the_start_too() {
    let limits = StageLimits { memory_bytes: 64 << 10, ..StageLimits::default() };
    let opening = Opening { limits, ..Opening::default() };
    let error = RemuxStage::open(runtime(), load("faulty-remux").await, opening).await.err().unwrap();
    assert!(matches!(error, StageError::Limit { limit: Limit::Memory(65_536), .. }), "{error}");
}
