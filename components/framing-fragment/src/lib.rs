//! `framing-fragment`: the dialect `fragment`. Only the exports of the contract; see `session.rs`, `encode.rs` and `decode.rs`.

pub mod decode;
pub mod dialect;
pub mod encode;
pub mod session;
pub mod settings;

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
    use crate::settings;

    struct Stage;

    stage_kit::lifecycle!(Session);
    stage_kit::framing_answers!();

    impl wit::Guest for Stage {
        fn audio_format() -> wit::Format {
            wit::Format::Fmp4
        }

        fn on_connect(_: wit::Connection) -> Result<wit::Greeting, Error> {
            Ok(wit::Greeting { messages: Vec::new(), ready: true })
        }

        fn encode(fragment: wit::Fragment, audio: Vec<u8>) -> Result<Vec<wit::Message>, Error> {
            let fragment = Fragment {
                id: fragment.id,
                stream_id: fragment.stream_id,
                batch: fragment.batch,
                pts_us: fragment.pts_us,
                duration_us: fragment.duration_us,
                codec: fragment.codec,
                sample_rate_hz: fragment.sample_rate_hz,
                channels: fragment.channels,
                content_type: fragment.content_type,
                file_name: fragment.file_name,
                created_ms: fragment.created_ms,
                attempt: fragment.attempt,
            };
            let message = with_state(|session| session.encode(&fragment, audio))?;
            Ok(vec![to_wit(message)])
        }

        fn decode(message: wit::Message, _now_ms: u64) -> Result<Vec<wit::Event>, Error> {
            let message = from_wit(message);
            let events = with_state(|session| session.decode(message))?.map_err(Error::InvalidInput)?;
            Ok(events.into_iter().map(event).collect())
        }

        fn on_disconnect(_: String) -> Result<(), Error> {
            Ok(())
        }
    }
}
