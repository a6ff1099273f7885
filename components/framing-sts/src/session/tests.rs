use super::*;
use serde_json::{Value, json};

fn session(settings: &str) -> Session {
    Session::new(Settings::read(settings).unwrap(), None).unwrap()
}

fn send(session: &mut Session, batch: u64, now_ms: u64) {
    let fragment = Fragment { id: format!("cam-{batch}"), batch, now_ms, ..Fragment::default() };
    session.encode(&fragment, b"audio");
}

fn theirs(batch: u64) -> String {
    encode::fragment_id(&format!("cam-{batch}"))
}

fn ours(batch: u64) -> Reference {
    Reference::Id(format!("cam-{batch}"))
}

fn hear(session: &mut Session, event: &str, body: Value, now_ms: u64) -> Vec<Event> {
    let message = Message { event: event.into(), arguments: json!([body]).to_string(), attachments: vec![] };
    session.decode(&message, now_ms).unwrap()
}

fn ready(session: &mut Session, max_inflight: u64) -> Vec<Event> {
    hear(session, "stream:ready", json!({"session_id": "s-1", "max_inflight": max_inflight}), 0)
}

fn done(session: &mut Session, batch: u64, now_ms: u64) -> Vec<Event> {
    let audio = json!({"format": "m4a", "data_base64": "YXVkaW8="});
    let body = json!({"fragment_id": theirs(batch), "status": "success", "dubbed_audio": audio});
    hear(session, "fragment:processed", body, now_ms)
}

#[test]
fn a_connection_begins_with_a_session() {
    let mut session = session("");
    assert_eq!(session.connected("cam").event, "stream:init");
    let events = ready(&mut session, 3);
    assert_eq!(events[0], Event::Ready);
    assert_eq!(events[1], Event::Note { warn: false, text: "session \"s-1\", 3 fragments at once".into() });
    assert_eq!(events.len(), 2);
    assert!(!ready(&mut session, 2).contains(&Event::Ready), "once per connection");
}

#[test]
fn a_reply_is_matched_and_acknowledged() {
    let mut session = session("");
    send(&mut session, 7, 0);
    let acknowledged = hear(&mut session, "fragment:ack", json!({"fragment_id": theirs(7), "status": "queued"}), 5);
    assert_eq!(acknowledged, [Event::Acknowledged(ours(7))]);
    let events = done(&mut session, 7, 900);
    let [Event::Reply(ack), Event::Processed { fragment, audio, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((ack.event.as_str(), fragment, audio.as_slice()), ("fragment:ack", &ours(7), b"audio".as_slice()));
    let ack: Value = serde_json::from_str(&ack.arguments).unwrap();
    assert_eq!(ack, json!([{"fragment_id": theirs(7), "status": "received", "timestamp": 900}]));
}

#[test]
fn an_unknown_id_gives_way_to_the_number() {
    let mut session = session("");
    send(&mut session, 7, 0);
    let by = |session: &mut Session, body: Value| hear(session, "fragment:ack", body, 0);
    let numbered = by(&mut session, json!({"fragment_id": "theirs", "sequence_number": 7}));
    assert_eq!(numbered, [Event::Acknowledged(Reference::Batch(7))]);
    let unknown = by(&mut session, json!({"fragment_id": "theirs"}));
    assert_eq!(unknown, [Event::Acknowledged(Reference::Id("theirs".into()))]);
}

#[test]
fn a_failed_fragment_is_told_with_its_reason() {
    let mut session = session("");
    send(&mut session, 7, 0);
    let body = json!({"fragment_id": theirs(7), "status": "failed", "error": {"code": "MODEL_ERROR"}});
    let events = hear(&mut session, "fragment:processed", body, 0);
    assert!(matches!(events[0], Event::Reply(_)));
    assert_eq!(events[1], Event::Failed { fragment: Some(ours(7)), reason: "MODEL_ERROR".into(), retryable: true });
    let body = json!({"fragment_id": theirs(7), "code": "INVALID_CONFIG", "severity": "error"});
    let failed = Event::Failed { fragment: Some(ours(7)), reason: "INVALID_CONFIG".into(), retryable: false };
    assert_eq!(hear(&mut session, "error", body, 0), [failed], "an error is not acknowledged");
}

#[test]
fn no_more_are_out_than_were_granted() {
    let mut session = session(r#"{"timeout_ms":8000}"#);
    ready(&mut session, 2);
    send(&mut session, 0, 1_000);
    let ack = |session: &mut Session, batch, now_ms| {
        hear(session, "fragment:ack", json!({"fragment_id": theirs(batch)}), now_ms)
    };
    assert_eq!(ack(&mut session, 0, 1_001).len(), 1, "one of two");
    send(&mut session, 1, 3_000);
    assert_eq!(ack(&mut session, 1, 3_000)[1..], [Event::SlowDown(6_000)], "until the first is given up");
    assert_eq!(done(&mut session, 0, 4_000).last(), Some(&Event::Resume));
    send(&mut session, 2, 4_000);
    assert_eq!(ack(&mut session, 2, 4_000)[1..], [Event::SlowDown(7_000)]);
    // Sent again is still one.
    send(&mut session, 2, 5_000);
    assert_eq!(ack(&mut session, 2, 5_000).len(), 1);
    // Answers that never come hold nothing up for ever.
    send(&mut session, 3, 11_500);
    assert_eq!(ack(&mut session, 3, 11_500)[1..], [Event::SlowDown(1_500)], "2 is given up at 13 s");
}

#[test]
fn an_answer_by_number_frees_its_place() {
    let mut session = session("");
    ready(&mut session, 1);
    send(&mut session, 7, 0);
    let ack = json!({"sequence_number": 7});
    assert_eq!(hear(&mut session, "fragment:ack", ack, 0)[1..], [Event::SlowDown(8_000)]);
    let failed = json!({"sequence_number": 7, "status": "failed"});
    assert_eq!(hear(&mut session, "fragment:processed", failed, 10).last(), Some(&Event::Resume));
}

#[test]
fn backpressure_is_passed_on() {
    let mut session = session(r#"{"slow_down_ms":2500}"#);
    ready(&mut session, 3);
    let mut press = |action: &str, delay: Value, now_ms| {
        let body = json!({"severity": "high", "action": action, "recommended_delay_ms": delay});
        hear(&mut session, "backpressure", body, now_ms)
    };
    assert_eq!(press("pause", Value::Null, 0), [Event::Pause]);
    assert_eq!(press("slow_down", json!(1_500), 100), [Event::Resume, Event::SlowDown(1_500)]);
    assert_eq!(press("slow_down", Value::Null, 200), [Event::SlowDown(2_500)]);
    assert_eq!(press("none", Value::Null, 300), [Event::Resume]);
    assert_eq!(press("none", Value::Null, 400), []);
}

#[test]
fn a_new_connection_owes_nothing_to_the_old_one() {
    let mut session = session("");
    ready(&mut session, 1);
    send(&mut session, 0, 0);
    hear(&mut session, "backpressure", json!({"action": "pause"}), 0);
    session.disconnected();
    session.connected("cam");
    assert_eq!(ready(&mut session, 1).len(), 2, "neither paused nor full");
    assert_eq!(done(&mut session, 0, 1).len(), 2, "a late reply is still known");
}

#[test]
fn a_fatal_error_ends_what_is_out() {
    let mut session = session("");
    ready(&mut session, 1);
    send(&mut session, 0, 0);
    hear(&mut session, "fragment:ack", json!({"fragment_id": theirs(0)}), 0);
    let events = hear(&mut session, "error", json!({"code": "GPU_OOM", "severity": "fatal"}), 1);
    assert_eq!(events, [Event::Failed { fragment: None, reason: "GPU_OOM".into(), retryable: true }, Event::Resume]);
}

#[test]
fn a_snapshot_goes_on_in_the_same_session() {
    let mut one = session("");
    ready(&mut one, 1);
    send(&mut one, 0, 0);
    hear(&mut one, "fragment:ack", json!({"fragment_id": theirs(0)}), 0);
    hear(&mut one, "backpressure", json!({"action": "pause"}), 10);
    let mut two = Session::new(one.settings.clone(), Some(&one.snapshot())).unwrap();
    assert_eq!(two.state, one.state);
    assert_eq!(done(&mut two, 0, 20)[1..2], done(&mut one, 0, 20)[1..2]);
    assert_eq!(hear(&mut two, "backpressure", json!({"action": "none"}), 30), [Event::Resume]);
}

#[test]
fn memory_is_bounded() {
    let mut session = session("");
    for batch in 0..1000 {
        send(&mut session, batch, batch);
    }
    assert_eq!(session.state.sent.len(), SENT_MAX);
    assert_eq!(session.state.sent.back().unwrap().id, "cam-999");
    assert!(session.snapshot().len() < 4096, "{}", session.snapshot().len());
}

#[test]
fn another_dialects_snapshot_is_refused_with_the_reason() {
    let sibling = br#"{"stage":"framing-fragment","layout":1,"state":{"sent":["cam-1"]}}"#;
    let why = Session::new(Settings::read("").unwrap(), Some(sibling)).unwrap_err();
    assert!(why.contains("one of \"framing-fragment\"") && why.contains("a connection of its own"), "{why}");
}
