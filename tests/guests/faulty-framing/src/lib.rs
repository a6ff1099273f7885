//! Sends `guest:data` and treats every message as an acknowledgement, until it fails as ordered.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "framing-stage" });
    export!(Guest with_types_in self);
    use super::Guest;
}

use bindings::exports::outboard::stage::{framing, lifecycle};
use bindings::outboard::stage::types::Error;
use faults::Act;

struct Guest;

impl lifecycle::Guest for Guest {
    fn describe() -> lifecycle::Description {
        lifecycle::Description {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Breaks as its settings say".to_owned(),
            settings_schema: "{}".to_owned(),
        }
    }

    fn open(settings: String, state: Option<Vec<u8>>) -> Result<(), Error> {
        faults::open(&settings, state.as_deref()).map_err(|text| match text.as_str() {
            "refused" => Error::UnreadableState(text),
            _ => Error::Other(text),
        })
    }

    fn snapshot() -> Vec<u8> {
        faults::snapshot()
    }
}
impl framing::Guest for Guest {
    fn audio_format() -> framing::Format {
        match faults::strike("audio-format") {
            Act::Lie(_) => framing::Format::Pcm(framing::Pcm { sample_rate_hz: Some(1), channels: None }),
            _ => framing::Format::Adts,
        }
    }

    fn on_connect(_: framing::Connection) -> Result<framing::Greeting, Error> {
        let messages = act("on-connect")?.map_or_else(|| vec![message("hello", "[]")], |lie| lied(&lie));
        Ok(framing::Greeting { messages, ready: false })
    }

    fn encode(_: framing::Fragment, audio: Vec<u8>) -> Result<Vec<framing::Message>, Error> {
        if let Some(lie) = act("encode")? {
            return Ok(lied(&lie));
        }
        let arguments = r#"[{"_placeholder":true,"num":0}]"#.to_owned();
        Ok(vec![framing::Message { event: "guest:data".to_owned(), arguments, attachments: vec![audio] }])
    }

    fn decode(_: framing::Message, _: u64) -> Result<Vec<framing::Event>, Error> {
        let acknowledged = framing::Event::Acknowledged(framing::Reference::Batch(1));
        Ok(match act("decode")?.as_deref() {
            None => vec![acknowledged],
            Some("flood") => vec![acknowledged; 1000],
            Some("metadata") => vec![framing::Event::Processed(framing::Processed {
                fragment: framing::Reference::Batch(1),
                audio: vec![1],
                metadata: "none".to_owned(),
            })],
            Some(lie) => lied(lie).into_iter().map(framing::Event::Reply).collect(),
        })
    }

    fn on_disconnect(_: String) -> Result<(), Error> {
        act("on-disconnect").map(drop)
    }
}

fn act(call: &str) -> Result<Option<String>, Error> {
    match faults::strike(call) {
        Act::Well => Ok(None),
        Act::Lie(lie) => Ok(Some(lie)),
        Act::Error(text) => Err(Error::Other(text)),
    }
}

fn lied(lie: &str) -> Vec<framing::Message> {
    match lie {
        "nothing" => vec![],
        "json" => vec![message("guest:data", "not json")],
        // 8 MiB of memory, listed ten times.
        "bomb" => {
            let bytes = Vec::leak(vec![1_u8; 8 << 20]);
            // Invalid on purpose: the host must fail the call before the guest can free any of it.
            let again = || unsafe { Vec::from_raw_parts(bytes.as_ptr().cast_mut(), bytes.len(), bytes.len()) };
            let attachments = (0..10).map(|_| again()).collect();
            vec![framing::Message { attachments, ..message("guest:data", "[]") }]
        }
        "placeholder" => vec![message("guest:data", r#"[{"_placeholder":true,"num":9}]"#)],
        "reserved" => vec![message("disconnect", "[]")],
        other => panic!("no such lie: {other}"),
    }
}

fn message(event: &str, arguments: &str) -> framing::Message {
    framing::Message { event: event.to_owned(), arguments: arguments.to_owned(), attachments: vec![] }
}
