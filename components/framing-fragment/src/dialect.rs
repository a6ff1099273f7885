//! The event names of the dialect `fragment`, and the notation of attachments.

use serde_json::{Value, json};

/// To the processor: a fragment.
pub const DATA: &str = "fragment:data";
/// From the processor: a fragment's new audio.
pub const PROCESSED: &str = "fragment:processed";
/// From the processor: it has received a fragment.
pub const ACK: &str = "fragment:ack";
/// From the processor: it failed to process a fragment.
pub const ERROR: &str = "fragment:error";
/// From the processor: its status.
pub const STATUS: &str = "fragment:status";

/// Socket.IO's notation for attachment `n`.
pub fn placeholder(n: usize) -> Value {
    json!({ "_placeholder": true, "num": n })
}

/// The number of the attachment that a placeholder stands for; `None` for other values.
pub fn attachment_number(value: &Value) -> Option<usize> {
    let object = value.as_object()?;
    if object.get("_placeholder") != Some(&Value::Bool(true)) {
        return None;
    }
    usize::try_from(object.get("num")?.as_u64()?).ok()
}
