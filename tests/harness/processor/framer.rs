//! The `fragment` dialect in plain Rust, for tests of the exchange alone; the product uses the stage
//! `framing-fragment`.

use bytes::Bytes;
use outboard::pipeline::exchange::message_framer::{
    Answer, AudioFormat, Connection, Event, Failure, Fragment, FramerError, Greeting, Message, MessageFramer,
    Processed, Reference,
};
use serde_json::{Value, json};

/// Sends `fragment:data`; decodes `fragment:processed`, `fragment:ack` and `fragment:error`. Has no state.
#[derive(Debug, Default, Clone, Copy)]
pub struct FragmentFramer;

impl MessageFramer for FragmentFramer {
    fn audio_format(&mut self) -> Answer<'_, AudioFormat> {
        Box::pin(async { Ok(AudioFormat::Fmp4) })
    }

    fn on_connect(&mut self, _connection: Connection) -> Answer<'_, Greeting> {
        Box::pin(async { Ok(Greeting { messages: Vec::new(), ready: true }) })
    }

    fn encode(&mut self, fragment: Fragment, audio: Bytes) -> Answer<'_, Vec<Message>> {
        let body = json!([{
            "fragment": {
                "id": fragment.id,
                "streamId": fragment.stream_id,
                "batchNumber": fragment.batch,
                "sequenceNumber": fragment.batch,
                "attempt": fragment.attempt,
                "size": audio.len(),
            },
            "data": {"_placeholder": true, "num": 0},
        }]);
        let message =
            Message { event: "fragment:data".to_owned(), arguments: body.to_string(), attachments: vec![audio] };
        Box::pin(async move { Ok(vec![message]) })
    }

    fn decode(&mut self, message: Message, _now_ms: u64) -> Answer<'_, Vec<Event>> {
        Box::pin(async move { decode(&message) })
    }

    fn on_disconnect(&mut self, _reason: String) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

fn decode(message: &Message) -> Result<Vec<Event>, FramerError> {
    let arguments: Value = serde_json::from_str(&message.arguments).map_err(|error| FramerError(error.to_string()))?;
    let body = &arguments[0];
    let id = body["fragment"]["id"].as_str().or(body["fragmentId"].as_str()).map(|id| Reference::Id(id.to_owned()));
    let by_id = || id.clone().ok_or_else(|| FramerError("no fragment".to_owned()));
    Ok(match message.event.as_str() {
        "fragment:processed" => {
            let audio = data(body)
                .and_then(|num| message.attachments.get(usize::try_from(num).ok()?).cloned())
                .ok_or_else(|| FramerError("no audio".to_owned()))?;
            vec![Event::Processed(Processed { fragment: by_id()?, audio, metadata: body["metadata"].to_string() })]
        }
        "fragment:ack" => vec![Event::Acknowledged(by_id()?)],
        "fragment:error" => vec![Event::Failed(Failure {
            fragment: id,
            reason: body["error"].as_str().unwrap_or_default().to_owned(),
            retryable: body["retryable"] == true,
        })],
        _ => Vec::new(),
    })
}

/// The attachment under the key `data`, at any depth.
fn data(value: &Value) -> Option<u64> {
    match value {
        Value::Object(object) => match object.get("data").and_then(|data| data["num"].as_u64()) {
            Some(num) => Some(num),
            None => object.values().find_map(data),
        },
        Value::Array(array) => array.iter().find_map(data),
        _ => None,
    }
}
