//! The words of dialect `sts`, and the messages that we send.

use serde_json::{Value, json};
use stage_kit::framing::Message;

/// To the processor: begins a session.
pub const INIT: &str = "stream:init";
/// From the processor: the session is there.
pub const READY: &str = "stream:ready";
/// From the processor: the session ended.
pub const COMPLETE: &str = "stream:complete";
/// To the processor: a fragment.
pub const DATA: &str = "fragment:data";
/// Both ways: a fragment, or its new audio, is there.
pub const ACK: &str = "fragment:ack";
/// From the processor: what became of a fragment.
pub const PROCESSED: &str = "fragment:processed";
/// From the processor: how much it can take.
pub const BACKPRESSURE: &str = "backpressure";
/// From the processor: something failed.
pub const ERROR: &str = "error";

/// A message with one object as its argument.
pub fn message(event: &str, body: Value) -> Message {
    Message { event: event.to_owned(), arguments: Value::Array(vec![body]).to_string(), attachments: Vec::new() }
}

/// Tells the processor that its audio is here.
pub fn received(fragment_id: &str, now_ms: u64) -> Message {
    message(ACK, json!({ "fragment_id": fragment_id, "status": "received", "timestamp": now_ms }))
}
