//! The dialect `fragment`: sends `fragment:data` with the audio as a binary attachment, receives `fragment:processed`.

use crate::contract::exports::outboard::stage::framing::{Event, Failure, Fragment, Message, Processed, Reference};
use crate::settings::Settings;
use crate::snapshot;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Most ids that are kept; more than fragments are ever in flight.
const SENT_MAX: usize = 64;

/// The state from which another instance can resume on the open connection.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Ids of fragments that were sent, oldest first, because a processor may use other ids in its replies.
    sent: VecDeque<String>,
}

pub struct Framer {
    settings: Settings,
    state: State,
}

impl Framer {
    pub fn new(settings: Settings, state: Option<&[u8]>) -> Result<Self, String> {
        Ok(Self { settings, state: state.map(snapshot::read).transpose()?.unwrap_or_default() })
    }

    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.state)
    }

    pub fn encode(&mut self, fragment: &Fragment, audio: Vec<u8>) -> Message {
        if !self.state.sent.contains(&fragment.id) {
            self.state.sent.push_back(fragment.id.clone());
            while self.state.sent.len() > SENT_MAX {
                self.state.sent.pop_front();
            }
        }
        let mut metadata = self.settings.metadata.clone();
        metadata.insert("fileName".to_owned(), fragment.file_name.as_str().into());
        metadata.insert("fileSize".to_owned(), audio.len().into());
        metadata.insert("ptsUs".to_owned(), fragment.pts_us.into());
        let arguments = json!([{
            "fragment": {
                "id": fragment.id,
                "streamId": fragment.stream_id,
                "sequenceNumber": fragment.batch,
                "batchNumber": fragment.batch,
                "timestamp": fragment.created_ms,
                "duration": fragment.duration_us / 1000,
                "codec": fragment.codec,
                "sampleRate": fragment.sample_rate_hz,
                "channels": fragment.channels,
                "contentType": fragment.content_type,
                "size": audio.len(),
                "metadata": metadata,
            },
            "data": { "_placeholder": true, "num": 0 },
        }]);
        Message { event: "fragment:data".to_owned(), arguments: arguments.to_string(), attachments: vec![audio] }
    }

    /// Fails with a sentence if the message is not JSON; events that are not in the dialect are ignored.
    pub fn decode(&self, message: Message) -> Result<Vec<Event>, String> {
        let arguments: Vec<Value> = serde_json::from_str(&message.arguments)
            .map_err(|error| format!("the arguments of {} are not a JSON array: {error}", message.event))?;
        let body = arguments.into_iter().next().unwrap_or_default();
        let fragment = self.reference(&body);
        Ok(match (message.event.as_str(), fragment) {
            ("fragment:processed", Some(fragment)) => vec![processed(&body, fragment, message.attachments)],
            ("fragment:ack", Some(fragment)) => vec![Event::Acknowledged(fragment)],
            ("fragment:error", fragment) => {
                let reason = body["error"].as_str().unwrap_or("the processor gave no reason").to_owned();
                vec![Event::Failed(Failure { fragment, reason, retryable: body["retryable"] == true })]
            }
            _ => vec![],
        })
    }

    /// The fragment: by an id that was sent, else by number, else by an unknown id.
    fn reference(&self, body: &Value) -> Option<Reference> {
        let of = |key: &str| body["fragment"].get(key).or_else(|| body.get(key)).cloned().unwrap_or_default();
        let (id, other) = (of("id"), of("fragmentId"));
        let id = id.as_str().or(other.as_str()).filter(|id| !id.is_empty());
        let number = of("batchNumber").as_u64().or(of("sequenceNumber").as_u64());
        match (id, number) {
            (Some(id), _) if self.state.sent.iter().any(|sent| sent == id) => Some(Reference::Id(id.to_owned())),
            (_, Some(number)) => Some(Reference::Batch(number)),
            (Some(id), None) => Some(Reference::Id(id.to_owned())),
            (None, None) => None,
        }
    }
}

fn processed(body: &Value, fragment: Reference, mut attachments: Vec<Vec<u8>>) -> Event {
    let number = body["data"]["num"].as_u64().and_then(|number| usize::try_from(number).ok());
    match number.filter(|number| *number < attachments.len()) {
        Some(number) => Event::Processed(Processed {
            fragment,
            audio: attachments.swap_remove(number),
            metadata: if body["metadata"].is_object() { body["metadata"].to_string() } else { "{}".to_owned() },
        }),
        None => Event::Failed(Failure {
            fragment: Some(fragment),
            reason: "the reply holds no audio".to_owned(),
            retryable: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment() -> Fragment {
        Fragment {
            id: "cam-7".into(),
            stream_id: "cam".into(),
            batch: 7,
            pts_us: 1_400_000,
            duration_us: 30_000_000,
            codec: "aac".into(),
            sample_rate_hz: 48_000,
            channels: 2,
            content_type: "audio/mp4".into(),
            file_name: "audio.fmp4".into(),
            created_ms: 1_700_000_000_000,
            now_ms: 1_700_000_000_001,
            attempt: 0,
        }
    }

    fn framer(state: Option<&[u8]>) -> Framer {
        Framer::new(Settings::read(r#"{"metadata":{"to":"de"}}"#).unwrap(), state).unwrap()
    }

    fn message(event: &str, body: Value) -> Message {
        Message { event: event.into(), arguments: json!([body]).to_string(), attachments: vec![b"audio".to_vec()] }
    }

    #[test]
    fn an_echo_comes_back_as_processed_audio() {
        let mut framer = framer(None);
        let sent = framer.encode(&fragment(), b"audio".to_vec());
        assert_eq!((sent.event.as_str(), sent.attachments.len()), ("fragment:data", 1));
        assert!(sent.arguments.contains(r#""to":"de""#), "{}", sent.arguments);
        let heard = framer.decode(Message { event: "fragment:processed".into(), ..sent }).unwrap();
        let audio = b"audio".to_vec();
        let fragment = Reference::Id("cam-7".into());
        assert_eq!(heard, [Event::Processed(Processed { fragment, audio, metadata: "{}".into() })]);
    }

    #[test]
    fn ids_that_are_not_ours_give_way_to_the_number_also_after_a_hand_over() {
        let mut first = framer(None);
        first.encode(&fragment(), vec![]);
        let second = framer(Some(&first.snapshot()));
        let ours = message("fragment:ack", json!({ "fragmentId": "cam-7", "batchNumber": 1 }));
        assert_eq!(second.decode(ours).unwrap(), [Event::Acknowledged(Reference::Id("cam-7".into()))]);
        let theirs = message("fragment:ack", json!({ "fragmentId": "x", "batchNumber": 7 }));
        assert_eq!(second.decode(theirs).unwrap(), [Event::Acknowledged(Reference::Batch(7))]);
    }

    #[test]
    fn without_audio_the_fragment_failed() {
        let heard =
            framer(None).decode(message("fragment:processed", json!({ "fragment": { "id": "cam-7" } }))).unwrap();
        assert!(matches!(&heard[..], [Event::Failed(failure)] if failure.reason.contains("no audio")), "{heard:?}");
        let heard =
            framer(None).decode(message("fragment:error", json!({ "error": "busy", "retryable": true }))).unwrap();
        assert!(matches!(&heard[..], [Event::Failed(failure)] if failure.retryable), "{heard:?}");
    }

    #[test]
    fn what_is_unknown_means_nothing_and_what_is_no_json_is_an_error() {
        assert_eq!(framer(None).decode(message("weather", json!({}))), Ok(vec![]));
        let garbage = Message { event: "fragment:ack".into(), arguments: "{".into(), attachments: vec![] };
        assert!(framer(None).decode(garbage).is_err());
    }
}
