//! `framing-sts`: the dialect `sts`. Only the exports of the contract; see `session.rs`, `flow.rs`, `encode.rs` and `decode.rs`.

pub mod decode;
pub mod dialect;
pub mod encode;
pub mod flow;
pub mod session;
pub mod settings;
pub mod wav;

#[cfg(target_family = "wasm")]
mod exports {
    #[expect(unsafe_code, reason = "generated from wit/")]
    mod bindings {
        wit_bindgen::generate!({ path: "../../wit", world: "framing-stage" });
        export!(Stage with_types_in self);
        use super::Stage;
    }

    use crate::encode::Fragment;
    use crate::session::Session;
    use crate::settings::{self, Format};

    struct Stage;

    stage_kit::lifecycle!(Session);
    stage_kit::framing_answers!();

    impl wit::Guest for Stage {
        fn audio_format() -> wit::Format {
            let format = with_state(|session| match session.settings().format {
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
            let init = with_state(|session| session.connected(&connection.stream_id))?;
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
            let message = with_state(|session| session.encode(&fragment, &audio))?;
            Ok(vec![to_wit(message)])
        }

        fn decode(message: wit::Message, now_ms: u64) -> Result<Vec<wit::Event>, Error> {
            let message = from_wit(message);
            let events = with_state(|session| session.decode(&message, now_ms))?.map_err(Error::InvalidInput)?;
            Ok(events.into_iter().map(event).collect())
        }

        fn on_disconnect(_: String) -> Result<(), Error> {
            with_state(Session::disconnected)
        }
    }
}
