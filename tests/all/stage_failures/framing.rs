//! Framing stages that fail: no message is sent or decoded, and the connection stays.

use super::*;

pub(super) async fn framing(ordered: &Value) -> FramingStage {
    FramingStage::open(runtime(), load("faulty-framing").await, orders(ordered)).await.unwrap()
}

pub(super) fn fragment() -> Fragment {
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

pub(super) fn message() -> Message {
    Message { event: "guest:ack".into(), arguments: "[]".into(), attachments: vec![] }
}

pub(super) fn connection() -> Connection {
    Connection { stream_id: "cam".into(), attempt: 0, max_payload_bytes: Some(1 << 20), now_ms: 0 }
}

#[tokio::test]
async fn a_framing_stage_that_fails_says_and_hears_nothing_and_stays_connected() {
    for fault in ["trap", "spin", "hoard", "error", "exit"] {
        for call in ["on-connect", "encode", "decode", "on-disconnect"] {
            let ordered = json!({"fault": fault, "call": call, "on": 1, "fresh_only": true});
            let mut stage = framing(&ordered).await;
            let greeting = stage.on_connect(&connection()).await;
            let sent = stage.encode(&fragment(), vec![1, 2, 3].into()).await;
            let heard = stage.decode(message(), 0).await;
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
                "encode" => stage.encode(&fragment(), vec![1].into()).await.failure,
                _ => stage.decode(message(), 0).await.failure,
            };
            assert!(matches!(failure, Some(StageError::Invalid { .. })), "{ordered}: {failure:?}");
            assert_eq!(stage.counters().read().invalid_answers, 1, "{ordered}");
        }
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_guest_itself_is_not_taken() {
    let mut stage = framing(&json!({"fault": "lie", "call": "encode", "lie": "bomb"})).await;
    let failure = stage.encode(&fragment(), vec![1].into()).await.failure.unwrap().to_string();
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
