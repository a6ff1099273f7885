//! Decodes a processor's messages.
//!
//! In: one Socket.IO event. Out: events for the host. Both published forms of replies are accepted: the fragment's facts under
//! `fragment` or beside the data, the number as `batchNumber` or `sequenceNumber`, the audio as an attachment at any depth, or as
//! base64 text. An unknown event is ignored. An event that cannot be read becomes a note, and the fragment's deadline passes.

use crate::dialect::{ACK, ERROR, PROCESSED, STATUS, attachment_number};
use serde_json::{Map, Value};
use stage_kit::framing::{self, Event, Message, Reference, clip, foreign_id, from_base64, is_retryable, plain, whole};

/// Deepest nesting in which an attachment is looked for.
const SEARCH_DEPTH_MAX: usize = 16;

/// Decodes a message. `known` tells whether this stage sent a fragment with an id.
///
/// # Errors
/// A sentence if the arguments are not a JSON array.
pub fn decode(message: Message, known: impl Fn(&str) -> bool) -> Result<Vec<Event>, String> {
    if ![PROCESSED, ACK, ERROR, STATUS].contains(&message.event.as_str()) {
        return Ok(Vec::new());
    }
    let arguments: Vec<Value> = serde_json::from_str(&message.arguments)
        .map_err(|error| format!("the arguments of {} are not a JSON array: {error}", message.event))?;
    let Some(body) = arguments.first().and_then(Value::as_object) else {
        return Ok(vec![Event::unreadable(&message.event, "its first argument is not an object")]);
    };
    let fragment = reference(body, known);
    let event = match message.event.as_str() {
        PROCESSED => processed(&arguments, body, fragment, message.attachments),
        ACK => match fragment {
            Some(fragment) => Event::Acknowledged(fragment),
            None => Event::unreadable(ACK, "it names no fragment"),
        },
        ERROR => failed(body, fragment),
        _ => Event::Note { warn: false, text: format!("status: {}", clip(&Value::Object(body.clone()).to_string())) },
    };
    Ok(vec![event])
}

fn processed(
    arguments: &[Value],
    body: &Map<String, Value>,
    fragment: Option<Reference>,
    mut attachments: Vec<Vec<u8>>,
) -> Event {
    let Some(fragment) = fragment else {
        return Event::unreadable(PROCESSED, "it names no fragment");
    };
    let data = body.get("data").or_else(|| arguments.get(1)).filter(|data| !data.is_null());
    if data.is_none() && body.contains_key("error") {
        return failed(body, Some(fragment));
    }
    let number =
        data.and_then(attachment_number).or_else(|| arguments.iter().find_map(|value| search(value, SEARCH_DEPTH_MAX)));
    let audio = match (number, data.and_then(Value::as_str)) {
        (Some(number), _) if number < attachments.len() => Ok(attachments.swap_remove(number)),
        (Some(number), _) => Err(format!("attachment {number} is missing")),
        (None, Some(text)) => from_base64(text),
        (None, None) => Err("the reply holds no audio".to_owned()),
    };
    match audio {
        Ok(audio) if audio.is_empty() => Event::Failed {
            fragment: Some(fragment),
            reason: "the reply's audio is empty".to_owned(),
            retryable: false,
        },
        Ok(audio) => Event::Processed { fragment, audio, metadata: metadata(body) },
        Err(reason) => Event::Failed { fragment: Some(fragment), reason, retryable: false },
    }
}

fn failed(body: &Map<String, Value>, fragment: Option<Reference>) -> Event {
    // `error` is a sentence in one published form, an object with code and message in the other.
    let error = body.get("error").unwrap_or(&Value::Null);
    let inner = |key: &str| error.get(key).or_else(|| body.get(key));
    let code = inner("code").map(plain).filter(|code| !code.is_empty());
    let sentence = match error {
        Value::String(text) => text.clone(),
        _ => inner("message").or_else(|| inner("reason")).map(plain).unwrap_or_default(),
    };
    let details = inner("details").map(plain).unwrap_or_default();
    let retryable =
        inner("retryable").and_then(Value::as_bool).unwrap_or_else(|| code.as_deref().is_some_and(is_retryable));
    let parts: Vec<_> = [code.unwrap_or_default(), sentence, details].into_iter().filter(|s| !s.is_empty()).collect();
    let reason = if parts.is_empty() { "the processor gave no reason".to_owned() } else { clip(&parts.join(": ")) };
    Event::Failed { fragment, reason, retryable }
}

/// The fragment that a body is about: by a known id, else by number, else by an unknown id.
fn reference(body: &Map<String, Value>, known: impl Fn(&str) -> bool) -> Option<Reference> {
    let fragment = body.get("fragment");
    let inner = |key: &str| fragment.and_then(|fragment| fragment.get(key)).or_else(|| body.get(key));
    let id = ["id", "fragmentId", "fragment_id"]
        .iter()
        .find_map(|key| inner(key))
        .or(fragment)
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty());
    let number = ["batchNumber", "sequenceNumber", "batch_number", "sequence_number"]
        .iter()
        .find_map(|key| inner(key).and_then(whole));
    match (id, number) {
        (Some(id), _) if known(id) => Some(Reference::Id(id.to_owned())),
        (_, Some(number)) => Some(Reference::Batch(number)),
        (Some(id), None) => Some(foreign_id(id)),
        (None, None) => None,
    }
}

/// The first attachment that a value refers to.
fn search(value: &Value, depth: usize) -> Option<usize> {
    if depth == 0 {
        return None;
    }
    attachment_number(value).or_else(|| match value {
        Value::Array(items) => items.iter().find_map(|item| search(item, depth - 1)),
        Value::Object(map) => map.values().find_map(|item| search(item, depth - 1)),
        _ => None,
    })
}

fn metadata(body: &Map<String, Value>) -> String {
    let found = body
        .get("metadata")
        .or_else(|| body.get("fragment").and_then(|f| f.get("processingMetadata")))
        .filter(|value| !value.is_null());
    let object = match found {
        Some(Value::Object(object)) => object.clone(),
        Some(other) => Map::from_iter([("value".to_owned(), other.clone())]),
        None => Map::new(),
    };
    framing::metadata(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use stage_kit::framing::TEXT_CHARS_MAX;

    const AUDIO: &[u8] = b"audio";

    fn message(event: &str, arguments: Value, attachments: &[&[u8]]) -> Message {
        Message {
            event: event.into(),
            arguments: arguments.to_string(),
            attachments: attachments.iter().map(|bytes| bytes.to_vec()).collect(),
        }
    }

    fn one(event: &str, arguments: Value, attachments: &[&[u8]]) -> Event {
        let mut events = decode(message(event, arguments, attachments), |id| id.starts_with("cam-")).unwrap();
        assert_eq!(events.len(), 1);
        events.remove(0)
    }

    fn processed(fragment: Reference, metadata: &str) -> Event {
        Event::Processed { fragment, audio: AUDIO.to_vec(), metadata: metadata.into() }
    }

    fn id(text: &str) -> Reference {
        Reference::Id(text.into())
    }

    #[test]
    fn both_reply_styles_are_taken() {
        let data = json!({"_placeholder": true, "num": 0});
        let bodies = [
            json!([{"fragment": {"id": "cam-7", "batchNumber": 7}, "data": data}]),
            json!([{"id": "cam-7", "sequenceNumber": 7, "data": data}]),
            json!([{"fragmentId": "cam-7", "data": data}]),
            json!([{"fragment": {"id": "cam-7"}}, data]),
            json!([{"fragment": {"id": "cam-7"}, "data": {"audio": [{"bytes": data}]}}]),
            json!([{"fragment": {"id": "cam-7", "data": data}}]),
        ];
        for body in bodies {
            assert_eq!(one(PROCESSED, body.clone(), &[AUDIO]), processed(id("cam-7"), "{}"), "{body}");
        }
    }

    #[test]
    fn an_id_that_is_not_ours_gives_way_to_the_number() {
        let data = json!({"_placeholder": true, "num": 0});
        for number in [json!(7), json!(7.0), json!("7")] {
            for key in ["batchNumber", "sequenceNumber"] {
                let body = json!([{"fragment": {"id": "theirs", key: number}, "data": data}]);
                assert_eq!(one(PROCESSED, body, &[AUDIO]), processed(Reference::Batch(7), "{}"));
            }
        }
        let only_id = json!([{"fragment": {"id": "theirs", "batchNumber": -1}, "data": data}]);
        assert_eq!(one(PROCESSED, only_id, &[AUDIO]), processed(id("theirs"), "{}"));
    }

    #[test]
    fn the_named_attachment_is_taken_out_of_several() {
        let body = json!([{"fragment": {"id": "cam-1"}, "data": {"_placeholder": true, "num": 1}}]);
        assert_eq!(one(PROCESSED, body, &[b"cover", AUDIO, b"more"]), processed(id("cam-1"), "{}"));
    }

    #[test]
    fn metadata_is_kept_as_an_object() {
        let data = json!({"_placeholder": true, "num": 0});
        let kept = |metadata: Value| {
            let body = json!([{"fragment": {"id": "cam-1"}, "data": data, "metadata": metadata}]);
            match one(PROCESSED, body, &[AUDIO]) {
                Event::Processed { metadata, .. } => metadata,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(kept(json!({"processingTime": 812, "warnings": []})), r#"{"processingTime":812,"warnings":[]}"#);
        assert_eq!(kept(json!("quick")), r#"{"value":"quick"}"#);
        assert_eq!(kept(Value::Null), "{}");
    }

    #[test]
    fn base64_text_is_taken_as_a_courtesy() {
        for text in ["YXVkaW8=", "YXVkaW8", " YXVkaW8=\n", "data:audio/mp4;base64,YXVkaW8="] {
            let body = json!([{"fragment": {"id": "cam-1"}, "data": text}]);
            assert_eq!(one(PROCESSED, body, &[]), processed(id("cam-1"), "{}"), "{text:?}");
        }
    }

    #[test]
    fn a_reply_without_usable_audio_fails_the_fragment() {
        let cases = [
            (json!([{"fragment": {"id": "cam-1"}}]), "no audio"),
            (json!([{"fragment": {"id": "cam-1"}, "data": null}]), "no audio"),
            (json!([{"fragment": {"id": "cam-1"}, "data": 5}]), "no audio"),
            (json!([{"fragment": {"id": "cam-1"}, "data": "%%%"}]), "not base64"),
            (json!([{"fragment": {"id": "cam-1"}, "data": ""}]), "empty"),
            (json!([{"fragment": {"id": "cam-1"}, "data": {"_placeholder": true, "num": 3}}]), "attachment 3"),
            (json!([{"fragment": {"id": "cam-1"}, "error": "no voice"}]), "no voice"),
        ];
        for (body, says) in cases {
            match one(PROCESSED, body.clone(), &[]) {
                Event::Failed { fragment: Some(Reference::Id(id)), reason, retryable: false } => {
                    assert!(id == "cam-1" && reason.contains(says), "{body}: {reason}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn acknowledgements_name_their_fragment() {
        assert_eq!(one(ACK, json!([{"fragmentId": "cam-3"}]), &[]), Event::Acknowledged(id("cam-3")));
        assert_eq!(one(ACK, json!([{"fragment": "cam-3"}]), &[]), Event::Acknowledged(id("cam-3")));
        assert_eq!(one(ACK, json!([{"batchNumber": 3}]), &[]), Event::Acknowledged(Reference::Batch(3)));
    }

    #[test]
    fn errors_carry_reason_and_whether_to_retry() {
        let failed = |body: Value| match one(ERROR, json!([body]), &[]) {
            Event::Failed { fragment, reason, retryable } => (fragment, reason, retryable),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            failed(json!({"fragment": {"id": "cam-1"}, "error": "busy", "code": "QUEUE_FULL", "details": "9 wait"})),
            (Some(id("cam-1")), "QUEUE_FULL: busy: 9 wait".into(), true)
        );
        assert_eq!(
            failed(json!({"fragment": {"id": "cam-1"}, "error": "no voice", "code": 17})),
            (Some(id("cam-1")), "17: no voice".into(), false)
        );
        assert_eq!(
            failed(json!({"error": {"code": "MODEL_ERROR", "message": "oops", "retryable": false}})),
            (None, "MODEL_ERROR: oops".into(), false)
        );
        assert_eq!(failed(json!({})), (None, "the processor gave no reason".into(), false));
        assert_eq!(failed(json!({"error": "x".repeat(2000)})).1.len(), TEXT_CHARS_MAX);
    }

    #[test]
    fn status_is_a_note() {
        let status = one(STATUS, json!([{"queue": 2}]), &[]);
        assert_eq!(status, Event::Note { warn: false, text: r#"status: {"queue":2}"#.into() });
    }

    #[test]
    fn unknown_events_mean_nothing_and_garbage_is_a_note() {
        assert_eq!(decode(message("chat", json!("not even an array"), &[]), |_| false), Ok(vec![]));
        for (event, body) in [
            (PROCESSED, json!([])),
            (PROCESSED, json!(["text"])),
            (PROCESSED, json!([{"data": "YXVkaW8="}])),
            (ACK, json!([{}])),
        ] {
            assert!(matches!(one(event, body.clone(), &[]), Event::Note { warn: true, .. }), "{event} {body}");
        }
        let broken = Message { event: ACK.into(), arguments: "[{".into(), attachments: vec![] };
        assert!(decode(broken, |_| true).unwrap_err().contains("fragment:ack"));
    }

    #[test]
    fn nesting_is_searched_only_so_deep() {
        let mut data = json!({"_placeholder": true, "num": 0});
        for _ in 0..SEARCH_DEPTH_MAX {
            data = json!([data]);
        }
        let body = json!([{"fragment": {"id": "cam-1"}, "data": data}]);
        assert!(matches!(one(PROCESSED, body, &[AUDIO]), Event::Failed { .. }));
    }
}
