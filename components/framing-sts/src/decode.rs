//! Parses a processor's messages, field by field.
//!
//! In: one Socket.IO event. Out: a [`ProcessorMessage`], from which the [session](crate::session) makes events. A message that cannot
//! be read becomes a note, and the fragment's deadline passes.

use crate::dialect::{ACK, BACKPRESSURE, COMPLETE, ERROR, PROCESSED, READY};
use crate::settings::{PCM, Settings};
use crate::wav;
use serde_json::{Map, Value};
use stage_kit::framing::{Message, clip, from_base64, is_retryable, metadata, plain, whole};

/// A processor's message, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessorMessage {
    /// The session is ready.
    Ready {
        /// The processor's id of the session; empty if it has none.
        session: String,
        /// How many fragments may be in flight, if the processor said so.
        max_inflight: Option<u64>,
    },
    /// A fragment was received.
    Acknowledged(FragmentRef),
    /// The processor returned audio.
    Processed {
        /// The fragment that was processed.
        fragment: FragmentRef,
        /// The audio file's bytes.
        audio: Vec<u8>,
        /// Further facts from the processor: a JSON object as text.
        metadata: String,
    },
    /// The processor failed to process a fragment, or, if none is named, the session.
    Failed {
        /// The fragment that failed; `None`: all of the session.
        fragment: Option<FragmentRef>,
        /// True if this is the reply to the fragment, which must be acknowledged.
        answer: bool,
        /// The reason, in a sentence.
        reason: String,
        /// True if sending it again may help.
        retryable: bool,
    },
    /// Send no fragments until further notice.
    Pause,
    /// Wait before the next fragment: this many milliseconds, if the processor said so.
    SlowDown(Option<u64>),
    /// Send fragments without a wait again.
    Resume,
    /// A line for the log.
    Note {
        /// True: a warning; false: information.
        warn: bool,
        /// The text of the line.
        text: String,
    },
    /// An event that is not in this dialect; it is ignored.
    Nothing,
}

/// The ways in which a message names a fragment; at least one is present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FragmentRef {
    /// The id that was sent with it.
    pub id: Option<String>,
    /// The number of its batch.
    pub sequence: Option<u64>,
}

/// Parses a processor's message.
///
/// # Errors
/// A sentence if the arguments are not a JSON array.
pub fn decode(settings: &Settings, message: &Message) -> Result<ProcessorMessage, String> {
    let event = message.event.as_str();
    if ![READY, COMPLETE, ACK, PROCESSED, BACKPRESSURE, ERROR].contains(&event) {
        return Ok(ProcessorMessage::Nothing);
    }
    let arguments: Vec<Value> = serde_json::from_str(&message.arguments)
        .map_err(|error| format!("the arguments of {event} are not a JSON array: {error}"))?;
    let Some(Value::Object(body)) = arguments.into_iter().next() else {
        return Ok(unreadable(event, "its first argument is not an object"));
    };
    Ok(match event {
        READY => ProcessorMessage::Ready {
            session: clip(&field(&body, "session_id")),
            max_inflight: body.get("max_inflight").and_then(whole),
        },
        COMPLETE => ProcessorMessage::Note {
            warn: false,
            text: clip(&format!("the processor ended the session: {}", Value::from(body))),
        },
        ACK => match named(&body) {
            Some(fragment) => ProcessorMessage::Acknowledged(fragment),
            None => unreadable(ACK, "it names no fragment"),
        },
        PROCESSED => match named(&body) {
            Some(fragment) => processed(settings, body, fragment),
            None => unreadable(PROCESSED, "it names no fragment"),
        },
        BACKPRESSURE => backpressure(&body),
        _ => error(&body),
    })
}

fn processed(settings: &Settings, mut body: Map<String, Value>, fragment: FragmentRef) -> ProcessorMessage {
    let failed = |fragment, reason, retryable| ProcessorMessage::Failed {
        fragment: Some(fragment),
        answer: true,
        reason,
        retryable,
    };
    let status = field(&body, "status");
    if status == "failed" {
        let (reason, retryable) = reason(body.get("error").and_then(Value::as_object).unwrap_or(&Map::new()));
        return failed(fragment, reason, retryable);
    }
    let Some(Value::Object(mut dubbed)) = body.remove("dubbed_audio") else {
        return failed(fragment, format!("the reply ({status}) holds no audio"), false);
    };
    let data = dubbed.remove("data_base64");
    match audio(settings, &dubbed, data.as_ref().and_then(Value::as_str)) {
        Ok(audio) => {
            for known in ["fragment_id", "stream_id", "sequence_number"] {
                body.remove(known);
            }
            body.insert("dubbed_audio".to_owned(), Value::Object(dubbed));
            ProcessorMessage::Processed { fragment, audio, metadata: metadata(body) }
        }
        Err(reason) => failed(fragment, reason, false),
    }
}

/// The audio in `dubbed_audio`, as a file.
fn audio(settings: &Settings, facts: &Map<String, Value>, data: Option<&str>) -> Result<Vec<u8>, String> {
    let bytes = from_base64(data.ok_or("the reply holds no audio")?)?;
    if bytes.is_empty() {
        return Err("the reply's audio is empty".to_owned());
    }
    if field(facts, "format") != PCM {
        return Ok(bytes);
    }
    let number = |key: &str, otherwise: u32| facts.get(key).and_then(whole).unwrap_or(otherwise.into());
    wav::of_samples(&bytes, number("sample_rate_hz", settings.sample_rate_hz), number("channels", settings.channels))
        .map_err(|why| format!("the reply's samples: {why}"))
}

fn backpressure(body: &Map<String, Value>) -> ProcessorMessage {
    match field(body, "action").as_str() {
        "pause" => ProcessorMessage::Pause,
        "slow_down" => ProcessorMessage::SlowDown(body.get("recommended_delay_ms").and_then(whole)),
        "none" => ProcessorMessage::Resume,
        other => unreadable(BACKPRESSURE, &format!("{:?} is not an action", clip(other))),
    }
}

fn error(body: &Map<String, Value>) -> ProcessorMessage {
    let fragment = named(body);
    let (reason, retryable) = reason(body);
    // An error of the whole session ends the fragments in flight only if it is fatal.
    match field(body, "severity").as_str() {
        "warning" => ProcessorMessage::Note { warn: true, text: format!("the processor warns: {reason}") },
        "fatal" => ProcessorMessage::Failed { fragment, answer: false, reason, retryable },
        _ if fragment.is_some() => ProcessorMessage::Failed { fragment, answer: false, reason, retryable },
        _ => ProcessorMessage::Note { warn: true, text: format!("the processor failed: {reason}") },
    }
}

/// The reason of a failure, and whether sending again may help: as the processor says, else by the code.
fn reason(error: &Map<String, Value>) -> (String, bool) {
    let (code, message, stage) = (field(error, "code"), field(error, "message"), field(error, "stage"));
    let retryable = error.get("retryable").and_then(Value::as_bool).unwrap_or_else(|| is_retryable(&code));
    let stage = if stage.is_empty() { stage } else { format!("in {stage}") };
    let parts: Vec<_> = [code, stage, message].into_iter().filter(|part| !part.is_empty()).collect();
    let reason = if parts.is_empty() { "the processor gave no reason".to_owned() } else { clip(&parts.join(": ")) };
    (reason, retryable)
}

fn named(body: &Map<String, Value>) -> Option<FragmentRef> {
    let id = Some(field(body, "fragment_id")).filter(|id| !id.is_empty());
    let sequence = body.get("sequence_number").and_then(whole);
    (id.is_some() || sequence.is_some()).then_some(FragmentRef { id, sequence })
}

fn field(body: &Map<String, Value>, key: &str) -> String {
    body.get(key).map(plain).unwrap_or_default()
}

fn unreadable(event: &str, why: &str) -> ProcessorMessage {
    ProcessorMessage::Note { warn: true, text: format!("{event} could not be read: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(event: &str, body: Value) -> ProcessorMessage {
        let arguments = json!([body]).to_string();
        let message = Message { event: event.into(), arguments, attachments: vec![] };
        decode(&Settings::read("").unwrap(), &message).unwrap()
    }

    fn seven() -> FragmentRef {
        FragmentRef { id: Some("7".into()), sequence: None }
    }

    fn failed(reason: &str, retryable: bool, answer: bool) -> ProcessorMessage {
        ProcessorMessage::Failed { fragment: Some(seven()), answer, reason: reason.into(), retryable }
    }

    #[test]
    fn a_session_is_ready_with_what_it_grants() {
        let ready =
            said(READY, json!({"stream_id": "cam", "session_id": "s-1", "max_inflight": 2, "capabilities": []}));
        assert_eq!(ready, ProcessorMessage::Ready { session: "s-1".into(), max_inflight: Some(2) });
        assert_eq!(said(READY, json!({})), ProcessorMessage::Ready { session: String::new(), max_inflight: None });
    }

    #[test]
    fn audio_is_taken_out_of_the_text_and_the_rest_is_kept() {
        for status in ["success", "partial"] {
            let body = json!({
                "fragment_id": "7", "stream_id": "cam", "sequence_number": 7, "status": status, "transcript": "hello",
                "dubbed_audio": {"format": "m4a", "duration_ms": 2000, "data_base64": "YXVkaW8="},
                "processing_time_ms": 812,
            });
            let ProcessorMessage::Processed { fragment, audio, metadata } = said(PROCESSED, body) else { panic!() };
            assert_eq!(
                (fragment, audio.as_slice()),
                (FragmentRef { sequence: Some(7), ..seven() }, b"audio".as_slice())
            );
            let kept: Value = serde_json::from_str(&metadata).unwrap();
            let wanted = json!({
                "status": status, "transcript": "hello", "processing_time_ms": 812,
                "dubbed_audio": {"format": "m4a", "duration_ms": 2000},
            });
            assert_eq!(kept, wanted);
        }
    }

    #[test]
    fn samples_get_a_header() {
        let dubbed = |facts: Value| {
            let mut dubbed = json!({"format": "pcm_s16le", "data_base64": "AQIDBA=="});
            dubbed.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
            said(PROCESSED, json!({"fragment_id": "7", "status": "success", "dubbed_audio": dubbed}))
        };
        let ProcessorMessage::Processed { audio, .. } = dubbed(json!({"sample_rate_hz": 16000, "channels": 1})) else {
            panic!()
        };
        assert_eq!(audio, wav::of_samples(&[1, 2, 3, 4], 16_000, 1).unwrap());
        let ProcessorMessage::Processed { audio, .. } = dubbed(json!({})) else { panic!() };
        assert_eq!(audio, wav::of_samples(&[1, 2, 3, 4], 48_000, 2).unwrap(), "as set");
        let ProcessorMessage::Failed { reason, .. } = dubbed(json!({"channels": 99})) else { panic!() };
        assert!(reason.contains("99 channels"), "{reason}");
    }

    #[test]
    fn a_reply_without_usable_audio_fails_the_fragment() {
        for (dubbed, says) in [
            (Value::Null, "(success) holds no audio"),
            (json!({}), "no audio"),
            (json!({"data_base64": "%%%"}), "not base64"),
            (json!({"data_base64": ""}), "empty"),
        ] {
            let body = json!({"fragment_id": "7", "status": "success", "dubbed_audio": dubbed});
            let ProcessorMessage::Failed { reason, retryable: false, answer: true, .. } = said(PROCESSED, body) else {
                panic!()
            };
            assert!(reason.contains(says), "{dubbed}: {reason}");
        }
    }

    #[test]
    fn failures_tell_whether_another_try_may_help() {
        let answer = |error: Value| said(PROCESSED, json!({"fragment_id": "7", "status": "failed", "error": error}));
        assert_eq!(
            answer(json!({"code": "MODEL_ERROR", "message": "no voice", "stage": "tts"})),
            failed("MODEL_ERROR: in tts: no voice", true, true)
        );
        assert_eq!(answer(json!({"code": "TIMEOUT", "retryable": false})), failed("TIMEOUT", false, true));
        assert_eq!(answer(json!({"code": "INVALID_SEQUENCE"})), failed("INVALID_SEQUENCE", false, true));
        assert_eq!(answer(Value::Null), failed("the processor gave no reason", false, true));
        let error = json!({"fragment_id": "7", "code": "QUEUE_FULL", "message": "9 wait", "severity": "error"});
        assert_eq!(said(ERROR, error), failed("QUEUE_FULL: 9 wait", true, false));
    }

    #[test]
    fn errors_of_the_session_count_when_they_are_fatal() {
        let of = |severity: &str| said(ERROR, json!({"code": "RATE_LIMIT", "severity": severity}));
        let fatal =
            ProcessorMessage::Failed { fragment: None, answer: false, reason: "RATE_LIMIT".into(), retryable: true };
        assert_eq!(of("fatal"), fatal);
        for severity in ["error", "warning", ""] {
            assert!(matches!(of(severity), ProcessorMessage::Note { warn: true, .. }), "{severity}");
        }
        let about_one = json!({"code": "RATE_LIMIT", "severity": "warning", "fragment_id": "7"});
        assert!(matches!(said(ERROR, about_one), ProcessorMessage::Note { .. }));
    }

    #[test]
    fn backpressure_is_one_of_three() {
        let of = |action: &str| said(BACKPRESSURE, json!({"action": action, "recommended_delay_ms": 1500}));
        assert_eq!([of("pause"), of("none")], [ProcessorMessage::Pause, ProcessorMessage::Resume]);
        assert_eq!(of("slow_down"), ProcessorMessage::SlowDown(Some(1500)));
        assert_eq!(said(BACKPRESSURE, json!({"action": "slow_down"})), ProcessorMessage::SlowDown(None));
        assert!(matches!(of("stop"), ProcessorMessage::Note { warn: true, .. }));
    }

    #[test]
    fn garbage_is_a_note_and_what_is_unknown_is_nothing() {
        for (event, body) in [(ACK, json!({})), (PROCESSED, json!({"status": "success"})), (READY, json!("text"))] {
            assert!(matches!(said(event, body.clone()), ProcessorMessage::Note { warn: true, .. }), "{event} {body}");
        }
        assert_eq!(said("chat", json!("hello")), ProcessorMessage::Nothing);
        let broken = Message { event: ACK.into(), arguments: "[{".into(), attachments: vec![] };
        assert!(decode(&Settings::read("").unwrap(), &broken).unwrap_err().contains("fragment:ack"));
        assert!(matches!(said(COMPLETE, json!({"total": 3})), ProcessorMessage::Note { warn: false, .. }));
    }
}
