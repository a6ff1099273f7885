//! Stages as users write them: the projects of `outboard stage new` work in the host in every language, and resume from
//! the state of the same kind of stage in another language and of the bundled one.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard::stage::batching::{Cut, Reason, Segment};
use outboard::stage::framing::{Connection, Event, Format, Fragment, Message, Reference};
use outboard::stage::remux::{Absence, AudioChoice, AudioTrack, Coding, Facts, Policy, Reply, ReturnedAudio};
use outboard::stage::{BatchingStage, FramingStage, Opening, RemuxStage, StageComponent, StageError, StageKind};
use outboard_tests::authored::{LANGUAGES, lend, load, path, runtime};
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use serde_json::{Value, json};

/// The stages of a kind: one per language, and the bundled one.
async fn stages(kind: StageKind) -> Vec<std::sync::Arc<StageComponent>> {
    let mut stages = Vec::new();
    for language in LANGUAGES {
        let name = format!("{language}-{kind}");
        let component = load(&name).await;
        assert_eq!((component.kind(), component.description().name.as_str()), (kind, name.as_str()));
        stages.push(component);
    }
    stages.push(runtime().bundled(kind).await.unwrap());
    stages
}

fn opening(settings: &str, state: Option<&[u8]>) -> Opening {
    Opening { settings: settings.to_owned(), state: state.map(<[u8]>::to_vec), ..Opening::default() }
}

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

fn cut(first: u64, last: u64, reason: Reason) -> Cut {
    Cut { first, last, reason }
}

/// A snapshot is JSON in every language.
fn read(state: Option<&[u8]>) -> Value {
    serde_json::from_slice(state.unwrap()).unwrap()
}

#[tokio::test]
async fn batching_goes_on_from_language_to_language() {
    let ten_seconds = r#"{"batch_seconds":10}"#;
    let mut state: Option<Vec<u8>> = None;
    for component in stages(StageKind::Batching).await {
        let name = component.description().name.clone();
        let opening = opening(ten_seconds, state.as_deref());
        let mut stage = BatchingStage::open(runtime(), component, opening, 10).await.unwrap();
        let taken_over = state.as_deref().map(|state| read(Some(state)));
        assert!(taken_over.is_none_or(|state| state == read(stage.snapshot())), "{name} keeps what it is given");
        // As after a restart, the segments of the open batch are sent again.
        for (index, cuts) in [(0, vec![]), (1, vec![]), (2, vec![cut(0, 2, Reason::Length)]), (3, vec![])] {
            let answer = stage.push(segment(index)).await;
            assert!(!answer.is_default(), "{name}: {:?}", answer.failure);
            assert_eq!(answer.value, cuts, "{name}: segment {index}");
        }
        let open = json!({ "first": 3, "last": 3, "duration_us": 4_000_000 });
        let wanted = json!({ "stage": "batching-duration", "layout": 1, "state": { "last_pushed": 3, "open": open } });
        assert_eq!(read(stage.snapshot()), wanted, "{name}");
        state = stage.snapshot().map(<[u8]>::to_vec);
    }
}

#[tokio::test]
async fn batching_keeps_to_discontinuities_and_flushes() {
    for component in stages(StageKind::Batching).await {
        let name = component.description().name.clone();
        let mut stage = BatchingStage::open(runtime(), component, opening("", None), 30).await.unwrap();
        assert!(stage.push(segment(0)).await.value.is_empty(), "{name}");
        let broken = Segment { discontinuity: true, ..segment(1) };
        assert_eq!(stage.push(broken).await.value, [cut(0, 0, Reason::Discontinuity)], "{name}");
        assert_eq!(stage.flush().await.value, [cut(1, 1, Reason::Flush)], "{name}");
        assert_eq!(stage.counters().read().defaults, 0, "{name}");
    }
}

#[tokio::test]
async fn framing_hears_the_echo_of_what_another_language_sent() {
    let stages = stages(StageKind::Framing).await;
    let fragment = Fragment {
        id: "cam-7".into(),
        stream_id: "cam".into(),
        batch: 7,
        pts_us: -1_400,
        duration_us: 30_000_000,
        codec: "aac".into(),
        sample_rate_hz: 48_000,
        channels: 2,
        content_type: "audio/mp4".into(),
        file_name: "audio.fmp4".into(),
        created_ms: 1_700_000_000_000,
        now_ms: 1_700_000_000_001,
        attempt: 0,
    };
    let audio: Vec<u8> = (0..512 << 10).map(|n: u32| n.to_le_bytes()[1]).collect();
    for (n, sender) in stages.iter().enumerate() {
        let hearer = &stages[(n + 1) % stages.len()];
        let told = format!("{} to {}", sender.description().name, hearer.description().name);
        let settings = r#"{"metadata":{"to":"de"}}"#;
        let mut sender = FramingStage::open(runtime(), sender.clone(), opening(settings, None)).await.unwrap();
        assert!(matches!(sender.audio_format().await.value, Format::Fmp4), "{told}");
        let connection = Connection { stream_id: "cam".into(), attempt: 0, max_payload_bytes: None, now_ms: 0 };
        assert!(sender.on_connect(&connection).await.value.ready, "{told}");
        let sent = sender.encode(&fragment, audio.clone().into()).await;
        assert!(!sent.is_default(), "{told}: {:?}", sent.failure);
        let [sent] = <[Message; 1]>::try_from(sent.value).unwrap();
        assert!(sent.event == "fragment:data" && sent.arguments.contains(r#""de""#), "{told}: {}", sent.arguments);

        let state = sender.snapshot();
        let mut hearer = FramingStage::open(runtime(), hearer.clone(), opening("", state)).await.unwrap();
        let reply = Message { event: "fragment:processed".into(), ..sent };
        let heard = hearer.decode(reply, 0).await;
        let [Event::Processed(heard)] = <[Event; 1]>::try_from(heard.value).unwrap() else { panic!("{told}") };
        assert_eq!(heard.fragment, Reference::Id("cam-7".into()), "{told}");
        assert!(heard.audio == audio, "{told}: another audio came back");
        assert!(!hearer.on_disconnect("bye").await.is_default(), "{told}");
        let garbage = Message { event: "fragment:ack".into(), arguments: "{".into(), attachments: vec![] };
        let refused = hearer.decode(garbage, 0).await.failure;
        assert!(matches!(refused, Some(StageError::Answered { .. })), "{told}: {refused:?}");
    }
}

fn facts(reply: Reply) -> Facts {
    let audio = AudioTrack {
        codec: "aac".into(),
        first_pts_us: 1_400_000,
        duration_us: 30_000_000,
        packets: 1406,
        sample_rate_hz: 48_000,
        channels: 2,
        packet_us: 21_333,
    };
    let policy = Policy { max_stretch_permille: 250, max_offset_us: 0, max_gain_centibel: 0 };
    Facts { batch: 3, video: None, audio: Some(audio), reply, time_left_ms: 1000, policy }
}

fn returned(duration_us: u64, channels: u32) -> Reply {
    Reply::Returned(ReturnedAudio {
        container: "fmp4".into(),
        codec: "aac".into(),
        duration_us,
        packets: 1406,
        sample_rate_hz: 48_000,
        channels,
        copyable: true,
        metadata: "{}".into(),
    })
}

#[tokio::test]
async fn remux_planning_goes_on_from_language_to_language() {
    let stages = stages(StageKind::RemuxPlanning).await;
    for (n, first) in stages.iter().enumerate() {
        let second = &stages[(n + 1) % stages.len()];
        let told = format!("{} then {}", first.description().name, second.description().name);
        let mut first = RemuxStage::open(runtime(), first.clone(), opening("", None)).await.unwrap();
        let copied = first.plan(&facts(returned(30_000_000, 2))).await;
        assert_eq!((copied.value.audio, copied.value.coding), (AudioChoice::Processed, Coding::Copy), "{told}");
        let encoded = first.plan(&facts(returned(30_000_000, 1))).await;
        assert_eq!(
            (encoded.value.audio, encoded.value.coding),
            (AudioChoice::Processed, Coding::Encode(None)),
            "{told}"
        );
        let late = first.plan(&facts(Reply::Absent(Absence::Late))).await;
        assert_eq!((late.value.audio, late.value.marked), (AudioChoice::Original, true), "{told}");
        let silent = Facts { audio: None, ..facts(Reply::Absent(Absence::NotSent)) };
        assert_eq!(first.plan(&silent).await.value.audio, AudioChoice::None, "{told}");
        assert_eq!(first.counters().read().defaults, 0, "{told}");

        if first.component().description().name != "remux-replace" {
            let wanted = json!({ "stage": "remux-replace", "layout": 1, "state": { "originals_in_a_row": 1 } });
            assert_eq!(read(first.snapshot()), wanted, "{told}");
        }
        let mut second = RemuxStage::open(runtime(), second.clone(), opening("", first.snapshot())).await.unwrap();
        assert!(!second.plan(&facts(Reply::Absent(Absence::Late))).await.is_default(), "{told}");
    }
}

#[tokio::test]
async fn settings_that_do_not_fit_are_told_by_key() {
    for (kind, settings, key) in [
        (StageKind::Batching, r#"{"batch_seconds":1}"#, "batch_seconds"),
        (StageKind::Framing, r#"{"metadata":7}"#, "metadata"),
        (StageKind::RemuxPlanning, r#"{"mark_after":0}"#, "mark_after"),
    ] {
        for language in LANGUAGES {
            let name = format!("{language}-{kind}");
            let component = load(&name).await;
            let opening = opening(settings, None);
            let error = match kind {
                StageKind::Batching => BatchingStage::open(runtime(), component, opening, 30).await.err(),
                StageKind::Framing => FramingStage::open(runtime(), component, opening).await.err(),
                StageKind::RemuxPlanning => RemuxStage::open(runtime(), component, opening).await.err(),
            };
            let error = error.unwrap();
            assert!(matches!(&error, StageError::Answered { .. }), "{name}: {error}");
            // serde reports what it expected, but not where.
            assert!(language == "rust" || error.to_string().contains(key), "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn an_exception_that_nobody_catches_is_told_in_the_guests_own_words() {
    // A snapshot that can be parsed but makes no sense.
    let state = json!({ "stage": "batching-duration", "layout": 1, "state": { "last_pushed": 0, "open": 5 } });
    for language in ["js", "python"] {
        let component = load(&format!("{language}-batching")).await;
        let opening = opening("", Some(state.to_string().as_bytes()));
        let mut stage = BatchingStage::open(runtime(), component, opening, 30).await.unwrap();
        let failure = stage.push(segment(1)).await.failure.unwrap();
        assert!(matches!(failure, StageError::Trap { .. }), "{language}: {failure:?}");
        let told = failure.to_string();
        let (guest, engine) = told.split_once("; then ").unwrap_or_else(|| panic!("{language}: {told}"));
        assert!(guest.contains("TypeError") && guest.contains("batcher."), "{language}: {told}");
        assert!(engine.contains("wasm"), "{language}: {told}");
    }
}

/// One stage of each language in one pipeline.
#[tokio::test]
async fn a_pipeline_runs_on_three_languages() {
    let programme = entries(&Clip::small(12), false);
    let origin = LiveOrigin::start(programme).await;
    let processor = Processor::start(ServerKind::Node, "echo", &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let mut options = Vec::new();
    for (kind, name) in
        [("batching", "js-batching"), ("framing", "rust-framing"), ("remux_planning", "python-remux-planning")]
    {
        lend(storage.path(), name).await;
        options.extend(["--stage".to_owned(), format!("{kind}={}", path(name).display())]);
    }
    let (to, url) = (nginx.url("languages"), processor.url());
    let mut arguments = vec!["--source", &origin.url, "--processor", &url, "--to", &to];
    arguments.extend(["--batch-seconds", "4", "--batches", "100"]);
    arguments.extend(options.iter().map(String::as_str));
    let variable = [("OUTBOARD_STAGES__BATCHING_SETTINGS", r#"{"batch_seconds":4}"#)];
    let run = ["run", "--storage", storage.path().to_str().unwrap()];
    let host = Host::spawn_with(&[&run[..], &arguments[..]].concat(), &variable);
    let ended = host.ended(Duration::from_secs(90)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!((ended.count("packets_lost"), ended.count("original")), (0, 0), "{}", ended.report());
    assert!(ended.count("processed") >= 3, "{}", ended.report());
}
