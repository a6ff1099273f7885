//! What framing stages share: the contract's messages and events in plain Rust, and careful reading of what strangers
//! write.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Map, Value, json};

/// Longest text from a processor that is passed on, in characters.
pub const TEXT_CHARS_MAX: usize = 500;

/// Longest id of a stranger's that is passed on, in bytes.
const ID_BYTES_MAX: usize = 256;
/// Largest metadata that is passed on, in bytes of JSON.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// Error codes that are about the moment, not about the fragment.
const RETRYABLE_CODES: [&str; 5] = ["TIMEOUT", "MODEL_ERROR", "GPU_OOM", "QUEUE_FULL", "RATE_LIMIT"];

/// A message in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The event's name.
    pub event: String,
    /// The arguments: a JSON array.
    pub arguments: String,
    /// Binary attachments.
    pub attachments: Vec<Vec<u8>>,
}

/// Which fragment a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// By fragment id.
    Id(String),
    /// By batch number.
    Batch(u64),
}

/// What a message means; the contract's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The processor takes fragments from now on.
    Ready,
    /// The processor has this fragment.
    Acknowledged(Reference),
    /// Audio came back.
    Processed {
        /// Which fragment.
        fragment: Reference,
        /// The audio file's bytes.
        audio: Vec<u8>,
        /// What was told besides: a JSON object.
        metadata: String,
    },
    /// The processor gave a fragment up, or the stream where none is named.
    Failed {
        /// Which fragment.
        fragment: Option<Reference>,
        /// The processor's words.
        reason: String,
        /// True if sending it again may help.
        retryable: bool,
    },
    /// Send no further fragments until `Resume`.
    Pause,
    /// Send fragments again.
    Resume,
    /// Wait so many milliseconds before the next fragment.
    SlowDown(u32),
    /// Send this to the processor.
    Reply(Message),
    /// A line for the log.
    Note {
        /// True: an operator should look.
        warn: bool,
        /// The line.
        text: String,
    },
}

impl Event {
    /// A note that something of the dialect could not be read.
    pub fn unreadable(event: &str, why: &str) -> Self {
        Self::Note { warn: true, text: format!("{event} could not be read: {why}") }
    }
}

/// True if a failure with this code may be over by the time of another try.
pub fn is_retryable(code: &str) -> bool {
    RETRYABLE_CODES.contains(&code)
}

/// A text of a processor's, cut to [`TEXT_CHARS_MAX`].
pub fn clip(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// An id that a stranger made up, cut to what the host takes.
pub fn foreign_id(id: &str) -> Reference {
    let end = (0..=ID_BYTES_MAX.min(id.len())).rev().find(|end| id.is_char_boundary(*end)).unwrap_or(0);
    Reference::Id(id.get(..end).unwrap_or_default().to_owned())
}

/// Metadata as JSON text; what is too large is left out, and said so.
pub fn metadata(object: Map<String, Value>) -> String {
    let text = Value::Object(object).to_string();
    if text.len() <= METADATA_BYTES_MAX { text } else { json!({ "leftOutBytes": text.len() }).to_string() }
}

/// A value as people read it: text without quotes, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A whole number, also where a language without integers wrote it as `7.0`, or as text.
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

/// The bytes of base64 text, with or without padding, also as a `data:` URL.
///
/// # Errors
/// A sentence if it is not base64.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    // A browser's FileReader writes `data:audio/mp4;base64,…`.
    let text = if text.starts_with("data:") { text.split_once(',').map_or(text, |(_, data)| data) } else { text };
    let text = text.trim();
    STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .map_err(|error| format!("the audio is text, but not base64: {error}"))
}

/// Bytes as base64 text.
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
