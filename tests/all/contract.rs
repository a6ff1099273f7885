//! Released contracts stay: their files do not change, and components that were built for them run.
//!
//! Can fail: a word changed in `wit/`, also in a comment; a host that serves only the newest contract.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use outboard::stage::batching::{Reason, Segment};
use outboard::stage::framing::{Connection, Event, Format, Fragment, Message, Reference};
use outboard::stage::remux::{
    Absence, AudioChoice, AudioTrack, Coding, Facts, Fit, Mix, Policy, RemuxPlan, Reply, ReturnedAudio,
};
use outboard::stage::{BatchingStage, FramingStage, Opening, RemuxStage, StageComponent, StageKind};
use outboard_tests::guests::runtime;
use sha2::{Digest, Sha256};

/// Released versions, oldest first; each has a folder `tests/fixtures/stages-<version>`.
const RELEASED: [&str; 1] = ["0.1.0"];

fn fixtures(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("stages-{version}"))
}

fn sha256(file: &Path) -> String {
    Sha256::digest(std::fs::read(file).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every file below a folder with this extension.
fn files_below(dir: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, end));
        } else if path.extension().is_some_and(|extension| extension == end) {
            found.push(path);
        }
    }
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Digests by file name: as listed, and as computed now.
fn digests(version: &str) -> [BTreeMap<String, String>; 2] {
    let list = std::fs::read_to_string(fixtures(version).join("released.sha256")).unwrap();
    let listed = list.lines().map(|line| line.split_once("  ").unwrap()).map(|(sum, name)| (name.into(), sum.into()));
    let package = format!("package outboard:stage@{version};");
    let of_version = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().any(|line| line == package);
    let wit = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"), "wit").into_iter().filter(of_version);
    let wasm = std::fs::read_dir(fixtures(version)).unwrap().map(|entry| entry.unwrap().path());
    let wasm = wasm.filter(|path| path.extension().is_some_and(|end| end == "wasm"));
    [listed.collect(), wit.chain(wasm).map(|path| (name(&path), sha256(&path))).collect()]
}

#[test]
fn released_files_do_not_change() {
    for version in RELEASED {
        let [listed, now] = digests(version);
        assert!(listed.len() >= 9, "{version}: {listed:?}");
        for (file, digest) in &listed {
            assert_eq!(
                now.get(file),
                Some(digest),
                "{file} is part of the released contract {version} and must stay as it is; put the change into a new \
                 version next to it"
            );
        }
        let added: Vec<_> = now.keys().filter(|file| !listed.contains_key(*file)).collect();
        assert!(added.is_empty(), "{added:?} cannot be added to {version}, which is released");
    }
}

async fn fixture(version: &str, kind: StageKind) -> Arc<StageComponent> {
    let file = fixtures(version).join(format!("{}.wasm", kind.name()));
    let component = runtime().load_file(&file).await.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(component.kind(), kind);
    component
}

fn segment(index: u64, discontinuity: bool) -> Segment {
    Segment {
        index,
        media_sequence: index,
        duration_us: 2_000_000,
        size_bytes: 1_000,
        discontinuity,
        program_date_time_us: None,
        cues: Vec::new(),
    }
}

#[tokio::test]
async fn batching_stages_of_0_1_0_run() {
    let component = fixture("0.1.0", StageKind::Batching).await;
    assert_eq!(component.description().name, "fixture-batching");
    let mut stage = BatchingStage::open(runtime(), component.clone(), Opening::default(), 30).await.unwrap();
    let mut cuts = Vec::new();
    for (index, discontinuity) in [(0, false), (1, false), (2, false), (3, false), (4, true)] {
        let answer = stage.push(segment(index, discontinuity)).await;
        assert!(!answer.is_default(), "{:?}", answer.failure);
        cuts.extend(answer.value);
    }
    // Another instance resumes from the state.
    let state = stage.snapshot().map(<[u8]>::to_vec);
    assert_eq!(state, Some(vec![1]));
    let opening = Opening { state, ..Opening::default() };
    let mut next = BatchingStage::open(runtime(), component.clone(), opening, 30).await.unwrap();
    for index in [4, 5, 6] {
        cuts.extend(next.push(segment(index, false)).await.value);
    }
    cuts.extend(next.flush().await.value);
    let ends: Vec<_> = cuts.iter().map(|cut| (cut.first, cut.last, cut.reason)).collect();
    assert_eq!(ends[..2], [(0, 2, Reason::Length), (3, 3, Reason::Discontinuity)]);
    assert_eq!(next.counters().read().restarts, 0);

    let refused = Opening { settings: r#"{"refuse":1}"#.into(), ..Opening::default() };
    let error = BatchingStage::open(runtime(), component.clone(), refused, 30).await.err().unwrap().to_string();
    assert!(error.contains("refuse: is not wanted"), "{error}");
    let unreadable = Opening { state: Some(vec![9]), ..Opening::default() };
    let error = BatchingStage::open(runtime(), component, unreadable, 30).await.err().unwrap().to_string();
    assert!(error.contains("0 to 2"), "{error}");
}

#[tokio::test]
async fn framing_stages_of_0_1_0_run() {
    let component = fixture("0.1.0", StageKind::Framing).await;
    let mut stage = FramingStage::open(runtime(), component, Opening::default()).await.unwrap();
    let Format::Wav(pcm) = stage.audio_format().await.value else { panic!("another format") };
    assert_eq!((pcm.sample_rate_hz, pcm.channels), (Some(16_000), None));
    let connection = Connection { stream_id: "cam".into(), attempt: 0, max_payload_bytes: None, now_ms: 5 };
    let greeting = stage.on_connect(&connection).await.value;
    assert!(greeting.ready && greeting.messages[0].arguments == r#"["cam"]"#, "{greeting:?}");
    let fragment = Fragment {
        id: "cam-7".into(),
        stream_id: "cam".into(),
        batch: 7,
        pts_us: 0,
        duration_us: 1,
        codec: "pcm_s16le".into(),
        sample_rate_hz: 16_000,
        channels: 2,
        content_type: "audio/wav".into(),
        file_name: "outgoing.wav".into(),
        created_ms: 0,
        now_ms: 0,
        attempt: 0,
    };
    let sent = stage.encode(&fragment, b"audio".as_slice().into()).await.value;
    assert_eq!(
        (sent[0].event.as_str(), sent[0].attachments.as_slice()),
        ("fixture:audio", [b"audio".to_vec()].as_slice())
    );
    let message = |attachments| Message { event: "any".into(), arguments: "[]".into(), attachments };
    let events = stage.decode(message(vec![b"new".to_vec()]), 0).await.value;
    let [Event::Acknowledged(Reference::Id(id)), Event::Processed(processed), Event::SlowDown(1_500)] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((id.as_str(), processed.audio.as_slice()), ("cam-7", b"new".as_slice()));
    let notes = stage.decode(message(vec![]), 42).await.value;
    assert!(matches!(&notes[..], [Event::Note(note)] if note.text == "at 42"), "{notes:?}");
    let failure = stage.on_disconnect("gone").await.failure.unwrap().to_string();
    assert!(failure.contains("it was nice"), "{failure}");
    assert_eq!(stage.snapshot(), Some(b"connected".as_slice()));
}

#[tokio::test]
async fn remux_planning_stages_of_0_1_0_run() {
    let component = fixture("0.1.0", StageKind::RemuxPlanning).await;
    let mut stage = RemuxStage::open(runtime(), component, Opening::default()).await.unwrap();
    let returned = ReturnedAudio {
        container: "wav".into(),
        codec: "pcm_s16le".into(),
        duration_us: 2_000_000,
        packets: 1,
        sample_rate_hz: 16_000,
        channels: 2,
        copyable: false,
        metadata: "{}".into(),
    };
    let audio = AudioTrack {
        codec: "aac".into(),
        first_pts_us: 0,
        duration_us: 2_000_000,
        packets: 94,
        sample_rate_hz: 48_000,
        channels: 2,
        packet_us: 21_333,
    };
    let mut facts = Facts {
        batch: 7,
        video: None,
        audio: Some(audio),
        reply: Reply::Returned(returned),
        time_left_ms: 1_000,
        policy: Policy { max_stretch_permille: 250, max_offset_us: 1_000, max_gain_centibel: 6_000 },
    };
    let plan = stage.plan(&facts).await;
    assert!(!plan.is_default(), "{:?}", plan.failure);
    let RemuxPlan { audio, coding, fit, offset_us, note, marked, .. } = plan.value;
    let mix = Mix { original_gain_centibel: -2_000, processed_gain_centibel: 0, ramp_ms: 20 };
    assert_eq!((audio, coding, fit), (AudioChoice::Mix(mix), Coding::Encode(Some(128_000)), Fit::TrimOrPad));
    assert_eq!((offset_us, note.as_str(), marked), (-500, "wav", true));
    facts.reply = Reply::Absent(Absence::Failed("no voice".into()));
    let plan = stage.plan(&facts).await;
    assert!(!plan.is_default(), "{:?}", plan.failure);
    assert_eq!((plan.value.audio, plan.value.note.as_str()), (AudioChoice::Original, "no voice"));
}
