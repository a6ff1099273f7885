//! The event names of the dialect `sts`, and its simple messages.

use serde_json::{Value, json};
use stage_kit::framing::Message;

/// To the processor: begins a session.
pub const INIT: &str = "stream:init";
/// From the processor: the session is ready.
pub const READY: &str = "stream:ready";
/// From the processor: the session ended.
pub const COMPLETE: &str = "stream:complete";
/// To the processor: a fragment.
pub const DATA: &str = "fragment:data";
/// In both directions: a fragment, or its new audio, was received.
pub const ACK: &str = "fragment:ack";
/// From the processor: the result of a fragment.
pub const PROCESSED: &str = "fragment:processed";
/// From the processor: how many fragments it can accept.
pub const BACKPRESSURE: &str = "backpressure";
/// From the processor: something failed.
pub const ERROR: &str = "error";

/// A message with one object as its argument.
pub fn message(event: &str, body: Value) -> Message {
    Message { event: event.to_owned(), arguments: Value::Array(vec![body]).to_string(), attachments: Vec::new() }
}

/// Acknowledges a fragment's new audio.
pub fn received(fragment_id: &str, now_ms: u64) -> Message {
    message(ACK, json!({ "fragment_id": fragment_id, "status": "received", "timestamp": now_ms }))
}
