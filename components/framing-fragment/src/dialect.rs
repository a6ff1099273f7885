//! The words of dialect `fragment`, shared by both directions.

use serde_json::{Value, json};

/// To the processor: a fragment.
pub const DATA: &str = "fragment:data";
/// From the processor: a fragment's new audio.
pub const PROCESSED: &str = "fragment:processed";
/// From the processor: it has a fragment.
pub const ACK: &str = "fragment:ack";
/// From the processor: it gave a fragment up.
pub const ERROR: &str = "fragment:error";
/// From the processor: how it is doing.
pub const STATUS: &str = "fragment:status";

/// Socket.IO's notation for attachment `n`.
pub fn placeholder(n: usize) -> Value {
    json!({ "_placeholder": true, "num": n })
}

/// The attachment's number, if the value stands for one.
pub fn attachment_number(value: &Value) -> Option<usize> {
    let object = value.as_object()?;
    if object.get("_placeholder") != Some(&Value::Bool(true)) {
        return None;
    }
    usize::try_from(object.get("num")?.as_u64()?).ok()
}
