//! The code that framing stages share: the contract's messages and events in plain Rust, and the reading of untrusted messages.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Map, Value, json};

/// Longest text from a processor that is passed to the host, in characters.
pub const TEXT_CHARS_MAX: usize = 500;

/// Longest id from a processor that is passed to the host, in bytes.
const ID_BYTES_MAX: usize = 256;
/// Largest metadata that is passed to the host, in bytes of JSON text.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// Error codes of failures that may be temporary, not caused by the fragment.
const RETRYABLE_CODES: [&str; 5] = ["TIMEOUT", "MODEL_ERROR", "GPU_OOM", "QUEUE_FULL", "RATE_LIMIT"];

/// A Socket.IO message in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The name of the Socket.IO event.
    pub event: String,
    /// The arguments of the event: a JSON array.
    pub arguments: String,
    /// The binary attachments, in the order of their numbers.
    pub attachments: Vec<Vec<u8>>,
}

/// The fragment that a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The fragment with this id.
    Id(String),
    /// The fragment of the batch with this number.
    Batch(u64),
}

/// What a message means, as one of the contract's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The processor accepts fragments from now on.
    Ready,
    /// The processor has received this fragment.
    Acknowledged(Reference),
    /// The processor returned audio.
    Processed {
        /// The fragment that was processed.
        fragment: Reference,
        /// The audio file's bytes.
        audio: Vec<u8>,
        /// Further facts from the processor: a JSON object as text.
        metadata: String,
    },
    /// The processor failed to process a fragment, or, if none is named, the stream.
    Failed {
        /// The fragment that failed; `None`: all of the stream.
        fragment: Option<Reference>,
        /// The reason that the processor gave.
        reason: String,
        /// True if sending it again may help.
        retryable: bool,
    },
    /// Send no further fragments until `Resume`.
    Pause,
    /// Send fragments again, after a pause.
    Resume,
    /// Wait this many milliseconds before the next fragment.
    SlowDown(u32),
    /// Send this to the processor.
    Reply(Message),
    /// A line for the log.
    Note {
        /// True: a warning; false: information.
        warn: bool,
        /// The text of the line.
        text: String,
    },
}

impl Event {
    /// A warning that an event of the dialect could not be read.
    pub fn unreadable(event: &str, why: &str) -> Self {
        Self::Note { warn: true, text: format!("{event} could not be read: {why}") }
    }
}

/// True if a failure with this code may be temporary, so that sending the fragment again may help.
pub fn is_retryable(code: &str) -> bool {
    RETRYABLE_CODES.contains(&code)
}

/// Cuts a processor's text to [`TEXT_CHARS_MAX`].
pub fn clip(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// A reference by an id that is not known, cut to the length that the host accepts.
pub fn foreign_id(id: &str) -> Reference {
    let end = (0..=ID_BYTES_MAX.min(id.len())).rev().find(|end| id.is_char_boundary(*end)).unwrap_or(0);
    Reference::Id(id.get(..end).unwrap_or_default().to_owned())
}

/// Metadata as JSON text. Metadata that is too large is replaced by an object with its size.
pub fn metadata(object: Map<String, Value>) -> String {
    let text = Value::Object(object).to_string();
    if text.len() <= METADATA_BYTES_MAX { text } else { json!({ "leftOutBytes": text.len() }).to_string() }
}

/// A value as text for people: a string without quotes, null as nothing.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A whole number, not negative; also accepted as `7.0` (from languages without integers) and as text.
pub fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            (float >= 0.0 && float.fract() == 0.0 && float < 9e15).then_some(float as u64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Decodes base64 text, with or without padding, also from a `data:` URL.
///
/// # Errors
/// A sentence if the text is not base64.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    // A browser's FileReader writes `data:audio/mp4;base64,…`.
    let text = if text.starts_with("data:") { text.split_once(',').map_or(text, |(_, data)| data) } else { text };
    let text = text.trim();
    STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .map_err(|error| format!("the audio is text, but not base64: {error}"))
}

/// Encodes bytes as base64 text, with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn base64_is_read_as_people_write_it() {
        for text in ["YXVkaW8=", "YXVkaW8", " YXVkaW8=\n", "data:audio/mp4;base64,YXVkaW8="] {
            assert_eq!(from_base64(text).unwrap(), b"audio", "{text:?}");
        }
        assert!(from_base64("%%%").unwrap_err().contains("not base64"));
        assert_eq!(to_base64(b"audio"), "YXVkaW8=");
    }

    #[test]
    fn whole_numbers_in_three_spellings() {
        for value in [json!(7), json!(7.0), json!("7")] {
            assert_eq!(whole(&value), Some(7));
        }
        for value in [json!(-7), json!(7.5), json!(1e300), json!("x"), json!(null), json!([7])] {
            assert_eq!(whole(&value), None, "{value}");
        }
    }

    #[test]
    fn what_strangers_write_is_bounded() {
        assert_eq!(foreign_id("ab"), Reference::Id("ab".into()));
        let Reference::Id(cut) = foreign_id(&"€".repeat(1000)) else { panic!() };
        assert!((ID_BYTES_MAX - 2..=ID_BYTES_MAX).contains(&cut.len()), "{}", cut.len());
        assert_eq!(clip(&"€".repeat(1000)).chars().count(), TEXT_CHARS_MAX);
        let large = Map::from_iter([("k".to_owned(), "x".repeat(METADATA_BYTES_MAX).into())]);
        assert_eq!(metadata(large), r#"{"leftOutBytes":65544}"#);
        assert_eq!(metadata(Map::new()), "{}");
    }

    #[test]
    fn codes_of_the_moment_are_worth_another_try() {
        assert!(is_retryable("MODEL_ERROR") && is_retryable("TIMEOUT"));
        assert!(!is_retryable("AUTH_FAILED") && !is_retryable(""));
    }
}
