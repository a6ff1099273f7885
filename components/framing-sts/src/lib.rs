//! `framing-sts`: the dialect `sts`. WIT glue only; see `session.rs`, `flow.rs`, `encode.rs` and `decode.rs`.

pub mod decode;
pub mod dialect;
pub mod encode;
pub mod flow;
pub mod session;
pub mod settings;
pub mod wav;

#[cfg(target_family = "wasm")]
mod glue {
    #[expect(unsafe_code, reason = "generated from wit/")]
    mod bindings {
        wit_bindgen::generate!({ path: "../../wit", world: "framing-stage" });
        export!(Stage with_types_in self);
        use super::Stage;
    }

    use crate::encode::Fragment;
    use crate::session::Session;
    use crate::settings::{self, Format, Settings};
    use bindings::exports::outboard::stage::{framing as wit, lifecycle};
    use bindings::outboard::stage::types::{Error, Level, Problem};
    use stage_kit::framing::{Event, Message, Reference};
    use std::cell::RefCell;

    thread_local! {
        static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
    }

    struct Stage;

    impl lifecycle::Guest for Stage {
        fn describe() -> lifecycle::Description {
            lifecycle::Description {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                summary: env!("CARGO_PKG_DESCRIPTION").to_owned(),
                settings_schema: settings::schema(),
            }
        }

        fn open(settings: String, state: Option<Vec<u8>>) -> Result<(), Error> {
            let settings = Settings::read(&settings).map_err(|problems| {
                Error::InvalidSettings(
                    problems.into_iter().map(|p| Problem { path: p.path, message: p.message }).collect(),
                )
            })?;
            let session = Session::new(settings, state.as_deref()).map_err(Error::UnreadableState)?;
            SESSION.set(Some(session));
            Ok(())
        }

        fn snapshot() -> Vec<u8> {
            SESSION.with_borrow(|session| session.as_ref().map(Session::snapshot).unwrap_or_default())
        }
    }

    impl wit::Guest for Stage {
        fn audio_format() -> wit::Format {
            let format = with_session(|session| match session.settings().format {
                Format::M4a => wit::Format::Fmp4,
                Format::Pcm => wit::Format::Pcm(wit::Pcm {
                    sample_rate_hz: Some(session.settings().sample_rate_hz),
                    channels: Some(session.settings().channels),
                }),
            });
            // Not opened: nothing will be sent.
            format.unwrap_or(wit::Format::Fmp4)
        }

        fn on_connect(connection: wit::Connection) -> Result<wit::Greeting, Error> {
            let init = with_session(|session| session.connected(&connection.stream_id))?;
            Ok(wit::Greeting { messages: vec![to_wit(init)], ready: false })
        }

        fn encode(fragment: wit::Fragment, audio: Vec<u8>) -> Result<Vec<wit::Message>, Error> {
            let fragment = Fragment {
                id: fragment.id,
                stream_id: fragment.stream_id,
                batch: fragment.batch,
                pts_us: fragment.pts_us,
                duration_us: fragment.duration_us,
                sample_rate_hz: fragment.sample_rate_hz,
                channels: fragment.channels,
                file_name: fragment.file_name,
                created_ms: fragment.created_ms,
                now_ms: fragment.now_ms,
                attempt: fragment.attempt,
            };
            let message = with_session(|session| session.encode(&fragment, &audio))?;
            Ok(vec![to_wit(message)])
        }

        fn decode(message: wit::Message, now_ms: u64) -> Result<Vec<wit::Event>, Error> {
            let message =
                Message { event: message.event, arguments: message.arguments, attachments: message.attachments };
            let events = with_session(|session| session.decode(&message, now_ms))?.map_err(Error::InvalidInput)?;
            Ok(events.into_iter().map(event).collect())
        }

        fn on_disconnect(_: String) -> Result<(), Error> {
            with_session(Session::disconnected)
        }
    }

    fn with_session<T>(work: impl FnOnce(&mut Session) -> T) -> Result<T, Error> {
        SESSION.with_borrow_mut(|session| match session {
            Some(session) => Ok(work(session)),
            None => Err(Error::Other("the stage was not opened".to_owned())),
        })
    }

    fn event(event: Event) -> wit::Event {
        match event {
            Event::Ready => wit::Event::Ready,
            Event::Acknowledged(fragment) => wit::Event::Acknowledged(reference(fragment)),
            Event::Processed { fragment, audio, metadata } => {
                wit::Event::Processed(wit::Processed { fragment: reference(fragment), audio, metadata })
            }
            Event::Failed { fragment, reason, retryable } => {
                wit::Event::Failed(wit::Failure { fragment: fragment.map(reference), reason, retryable })
            }
            Event::Pause => wit::Event::Pause,
            Event::Resume => wit::Event::Resume,
            Event::SlowDown(ms) => wit::Event::SlowDown(ms),
            Event::Reply(message) => wit::Event::Reply(to_wit(message)),
            Event::Note { warn, text } => {
                wit::Event::Note(wit::Note { level: if warn { Level::Warn } else { Level::Info }, text })
            }
        }
    }

    fn to_wit(message: Message) -> wit::Message {
        wit::Message { event: message.event, arguments: message.arguments, attachments: message.attachments }
    }

    fn reference(reference: Reference) -> wit::Reference {
        match reference {
            Reference::Id(id) => wit::Reference::Id(id),
            Reference::Batch(batch) => wit::Reference::Batch(batch),
        }
    }
}
