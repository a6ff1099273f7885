//! Fuzz target `packets`: input from a processor is a packet or an error, never a panic; our packets are parsed as
//! intended, and no text from a stage escapes its packet.

use super::assembly::Assembly;
use super::{engine, packet};
use crate::limits::EXCHANGE_ATTACHMENTS_MAX;
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use serde_json::Value;

/// Parses generated frames, and writes and parses generated events.
pub fn packets(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = read(&mut u);
    let _ = write(&mut u);
}

fn read(u: &mut Unstructured<'_>) -> Result<()> {
    let mut assembly = Assembly::default();
    for _ in 0..u.int_in_range(0..=20)? {
        if u.ratio(1, 4)? {
            let whole = assembly.binary(Bytes::from(u.arbitrary::<Vec<u8>>()?));
            assert!(whole.ok().flatten().is_none_or(|whole| whole.attachments.len() <= EXCHANGE_ATTACHMENTS_MAX));
            continue;
        }
        let text = frame(u)?;
        if let engine::Frame::Open(json) = engine::frame(&text) {
            assert!(engine::open(json).map_or(true, |open| !open.silence_max.is_zero()), "{json}");
        }
        let engine::Frame::Message(message) = engine::frame(&text) else { continue };
        let parsed = packet::parse(message);
        if let Ok(head) = parsed {
            assert!(message.ends_with(head.payload) && head.attachments <= EXCHANGE_ATTACHMENTS_MAX, "{message}");
            split(head.payload);
            let _ = packet::refusal(head.payload);
        }
        if let Ok(Some(whole)) = assembly.text(message) {
            assert_eq!(
                parsed.map(|head| (head.kind, head.payload)),
                Ok((whole.kind, whole.payload.as_str())),
                "{message}"
            );
        }
    }
    Ok(())
}

/// If the payload is an event, its name and arguments equal those of the JSON.
fn split(payload: &str) {
    let (split, json) = (packet::split_event(payload), serde_json::from_str::<Vec<Value>>(payload));
    let Ok(mut json) = json else { return };
    match (split, json.first().cloned()) {
        (Ok((name, arguments)), Some(Value::String(wanted))) => {
            json.remove(0);
            assert_eq!(name, wanted, "{payload}");
            assert_eq!(serde_json::from_str::<Vec<Value>>(&arguments).ok(), Some(json), "{payload}");
        }
        (Err(_), Some(Value::String(_))) => unreachable!("an event was not read: {payload}"),
        (Ok(_), other) => unreachable!("an event without a name, but {other:?}: {payload}"),
        (Err(_), _) => {}
    }
}

fn write(u: &mut Unstructured<'_>) -> Result<()> {
    let namespace = *u.choose(&["/", "/audio", "/a-b/c"])?;
    let name: String = u.arbitrary()?;
    let arguments = if u.ratio(1, 4)? { u.arbitrary()? } else { json(u)? };
    let attachments = u.int_in_range(0..=EXCHANGE_ATTACHMENTS_MAX + 1)?;
    let Ok(text) = packet::event(namespace, &name, &arguments, attachments, None) else {
        let fine = attachments <= EXCHANGE_ATTACHMENTS_MAX && serde_json::from_str::<Vec<Value>>(&arguments).is_ok();
        assert!(!fine, "refused: {arguments}");
        return Ok(());
    };
    let Ok(head) = packet::parse(&text) else { unreachable!("what we wrote is no packet: {text}") };
    assert_eq!((head.kind, head.attachments), (packet::PacketKind::Event, attachments), "{text}");
    assert_eq!((head.namespace, head.id), (namespace, None), "{text}");
    let Ok((read, rest)) = packet::split_event(head.payload) else { unreachable!("what we wrote is no event: {text}") };
    assert_eq!(read, name, "{text}");
    let values = |text: &str| serde_json::from_str::<Vec<Value>>(text).ok();
    assert_eq!(values(&rest), values(&arguments), "{text}");
    Ok(())
}

/// A text frame: pieces of the protocol in any order, or any text.
fn frame(u: &mut Unstructured<'_>) -> Result<String> {
    const PIECES: [&str; 28] = [
        "4",
        "40",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "0",
        "1",
        "2",
        "1-",
        "2-",
        "16-",
        "17-",
        "/",
        "/audio",
        ",",
        "?x=1",
        "[",
        "]",
        "\"",
        "\\",
        "é",
        "[\"e\"",
        "{\"_placeholder\":true,\"num\":0}",
        "{\"message\":\"no\"}",
        "18446744073709551616",
    ];
    if u.ratio(1, 8)? {
        return u.arbitrary();
    }
    if u.ratio(1, 3)? {
        return Ok(format!("4{}{}", u.choose(&["2", "20", "51-", "51-/n,7", "3", "612-9"])?, json(u)?));
    }
    if u.ratio(1, 8)? {
        let [interval, timeout, payload] = [u.arbitrary::<u64>()?, u.arbitrary()?, u.arbitrary()?];
        let times = format!(r#""pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":{payload}"#);
        return Ok(format!(r#"0{{"sid":"s",{times}}}"#));
    }
    (0..u.int_in_range(0..=10)?).map(|_| u.choose(&PIECES).copied()).collect()
}

/// A JSON array as text, usually one that starts with a name.
fn json(u: &mut Unstructured<'_>) -> Result<String> {
    const VALUES: [&str; 12] = [
        "\"e\"",
        "\"a\\\"]\"",
        "\"\\u00e9\"",
        "\"\\\\\"",
        "1",
        "null",
        "{}",
        "[]",
        "{\"x\":[1,{}]}",
        "-1.5e3",
        "\"\\ud83d\\ude00\"",
        "{\"_placeholder\":true,\"num\":0}",
    ];
    let space = *u.choose(&["", "", " ", "\n\t"])?;
    let values = (0..u.int_in_range(0..=4)?).map(|_| u.choose(&VALUES).copied()).collect::<Result<Vec<_>>>()?;
    Ok(format!("{space}[{space}{}{space}]{space}", values.join(&format!("{space},{space}"))))
}
