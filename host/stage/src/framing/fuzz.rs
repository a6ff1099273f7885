//! Fuzz target `messages`: messages and events that pass the check are bounded, and each attachment has one place in them.

use super::check;
use crate::contract::Level;
use crate::contract::framing::{Event, Failure, Message, Note, Processed, Reference};
use crate::limits::{
    FRAMING_EVENT_NAME_BYTES_MAX, FRAMING_EVENTS_MAX, FRAMING_ID_BYTES_MAX, FRAMING_MESSAGES_MAX,
    FRAMING_SLOW_DOWN_MS_MAX, STAGE_TEXT_CHARS_MAX,
};
use arbitrary::{Result, Unstructured};
use serde_json::Value;

/// Makes a stage's answers up, checks them, and holds what passed against the rules once more, in other words.
pub fn messages(data: &[u8]) {
    let _ = run(&mut Unstructured::new(data));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let list: Vec<Message> =
        (0..u.int_in_range(0..=FRAMING_MESSAGES_MAX + 1)?).map(|_| message(u)).collect::<Result<_>>()?;
    if check::messages(&list).is_ok() {
        assert!(list.len() <= FRAMING_MESSAGES_MAX);
        list.iter().for_each(hold_message);
    }
    let mut events: Vec<Event> =
        (0..u.int_in_range(0..=FRAMING_EVENTS_MAX + 1)?).map(|_| event(u)).collect::<Result<_>>()?;
    if check::events(&mut events).is_ok() {
        assert!(events.len() <= FRAMING_EVENTS_MAX);
        events.iter().for_each(hold_event);
    }
    Ok(())
}

fn hold_message(message: &Message) {
    assert!((1..=FRAMING_EVENT_NAME_BYTES_MAX).contains(&message.event.len()), "{message:?}");
    let arguments: Vec<Value> = match serde_json::from_str(&message.arguments) {
        Ok(arguments) => arguments,
        Err(error) => unreachable!("{error}: {message:?}"),
    };
    let mut found = Vec::new();
    arguments.iter().for_each(|value| placeholders(value, &mut found));
    found.sort_unstable();
    let wanted: Vec<u64> = (0..message.attachments.len() as u64).collect();
    assert_eq!(found, wanted, "{message:?}");
}

/// As a Socket.IO server finds them.
fn placeholders(value: &Value, found: &mut Vec<u64>) {
    match value {
        Value::Object(object) if object.get("_placeholder") == Some(&Value::Bool(true)) => {
            found.extend(object.get("num").and_then(Value::as_u64));
        }
        Value::Object(object) => object.values().for_each(|value| placeholders(value, found)),
        Value::Array(list) => list.iter().for_each(|value| placeholders(value, found)),
        _ => {}
    }
}

fn hold_event(event: &Event) {
    let hold_reference = |reference: &Reference| match reference {
        Reference::Id(id) => assert!((1..=FRAMING_ID_BYTES_MAX).contains(&id.len()), "{id:?}"),
        Reference::Batch(_) => {}
    };
    match event {
        Event::Ready | Event::Pause | Event::Resume => {}
        Event::Acknowledged(reference) => hold_reference(reference),
        Event::Processed(processed) => {
            hold_reference(&processed.fragment);
            let metadata = serde_json::from_str::<Value>(&processed.metadata);
            assert!(metadata.as_ref().is_ok_and(Value::is_object), "{metadata:?}: {}", processed.metadata);
        }
        Event::Failed(failure) => {
            failure.fragment.iter().for_each(hold_reference);
            assert!(failure.reason.chars().count() <= STAGE_TEXT_CHARS_MAX);
        }
        Event::SlowDown(ms) => assert!(*ms <= FRAMING_SLOW_DOWN_MS_MAX),
        Event::Reply(message) => hold_message(message),
        Event::Note(note) => assert!(note.text.chars().count() <= STAGE_TEXT_CHARS_MAX),
    }
}

fn message(u: &mut Unstructured<'_>) -> Result<Message> {
    let attachments = u.int_in_range(0..=3)?;
    let event = match u.int_in_range(0..=7)? {
        0 => u.arbitrary()?,
        1 => "disconnect".to_owned(),
        2 => "e".repeat(u.int_in_range(0..=FRAMING_EVENT_NAME_BYTES_MAX + 1)?),
        _ => "fragment:data".to_owned(),
    };
    let arguments = match u.int_in_range(0..=7)? {
        0 => u.arbitrary()?,
        1 => format!("{}{}", "[".repeat(200), "]".repeat(200)),
        _ => format!("[{}]", (0..u.int_in_range(0..=3)?).map(|_| json(u, 4)).collect::<Result<Vec<_>>>()?.join(",")),
    };
    Ok(Message { event, arguments, attachments: vec![vec![0; 3]; attachments] })
}

/// JSON as text, so that it may be what no library would write: doubled keys, odd numbers, placeholders within placeholders.
fn json(u: &mut Unstructured<'_>, depth: usize) -> Result<String> {
    let number = u.int_in_range(0..=3)?;
    Ok(match u.int_in_range(0..=if depth == 0 { 4 } else { 9 })? {
        0 => format!(r#"{{"_placeholder":true,"num":{number}}}"#),
        1 => format!(r#"{{"num":{number},"\u005fplaceholder":true}}"#),
        2 => (*u.choose(&["null", "true", "-0", "1e400", "1.5", "18446744073709551616", "\"\\ud800\"", "\"é\""])?)
            .to_owned(),
        3 => Value::String(u.arbitrary()?).to_string(),
        4 => format!(r#"{{"_placeholder":{},"num":{number}.0}}"#, u.choose(&["true", "false", "1", "\"true\""])?),
        5 | 6 => format!("[{},{}]", json(u, depth - 1)?, json(u, depth - 1)?),
        7 => format!(r#"{{"_placeholder":true,"num":{number},"x":{}}}"#, json(u, depth - 1)?),
        8 => format!(r#"{{"num":{number},"_placeholder":{},"_placeholder":true}}"#, json(u, depth - 1)?),
        _ => format!(r#"{{"a":{},"a":{}}}"#, json(u, depth - 1)?, json(u, depth - 1)?),
    })
}

fn event(u: &mut Unstructured<'_>) -> Result<Event> {
    let text = |u: &mut Unstructured<'_>| Ok(u.arbitrary::<String>()?.repeat(u.int_in_range(0..=40)?));
    let reference = |u: &mut Unstructured<'_>| {
        Ok(match u.int_in_range(0..=5)? {
            0 => Reference::Id(u.arbitrary()?),
            1 => Reference::Id("i".repeat(u.int_in_range(0..=FRAMING_ID_BYTES_MAX + 1)?)),
            2 => Reference::Batch(u.arbitrary()?),
            _ => Reference::Id("cam-1".to_owned()),
        })
    };
    Ok(match u.int_in_range(0..=8)? {
        0 => (*u.choose(&[Event::Ready, Event::Pause, Event::Resume])?).clone(),
        1 => Event::Acknowledged(reference(u)?),
        2 | 3 => {
            let metadata = match u.int_in_range(0..=4)? {
                0 => u.arbitrary()?,
                1 => format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200)),
                _ => format!(r#"{{"a":{}}}"#, json(u, 3)?),
            };
            Event::Processed(Processed { fragment: reference(u)?, audio: vec![1], metadata })
        }
        4 => {
            let fragment = if u.arbitrary()? { Some(reference(u)?) } else { None };
            Event::Failed(Failure { fragment, reason: text(u)?, retryable: u.arbitrary()? })
        }
        5 => Event::SlowDown(if u.arbitrary()? { u.arbitrary()? } else { 1000 }),
        6 => Event::Reply(message(u)?),
        7 => Event::Note(Note { level: Level::Info, text: text(u)? }),
        _ => Event::Resume,
    })
}
