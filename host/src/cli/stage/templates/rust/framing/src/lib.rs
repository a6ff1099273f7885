//! {{name}}: a framing stage for Outboard. Only the contract's calls are here; the dialect is in `framer.rs`.

mod framer;
mod settings;
mod snapshot;

mod contract {
    wit_bindgen::generate!({
        path: "wit",
        world: "framing-stage",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "crate::contract",
    });
}

use contract::exports::outboard::stage::{framing, lifecycle};
use contract::outboard::stage::types::Error;
use framer::Framer;
use settings::Settings;
use std::cell::RefCell;

thread_local! {
    // One instance serves one pipeline, so its state can be kept here.
    static FRAMER: RefCell<Option<Framer>> = const { RefCell::new(None) };
}

struct Stage;

// Only the component has exports; the tests need the types only.
#[cfg(target_family = "wasm")]
contract::export!(Stage);

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
        let settings = Settings::read(&settings).map_err(Error::InvalidSettings)?;
        let framer = Framer::new(settings, state.as_deref()).map_err(Error::UnreadableState)?;
        FRAMER.set(Some(framer));
        Ok(())
    }

    fn snapshot() -> Vec<u8> {
        FRAMER.with_borrow(|framer| framer.as_ref().map(Framer::snapshot).unwrap_or_default())
    }
}

impl framing::Guest for Stage {
    fn audio_format() -> framing::Format {
        framing::Format::Fmp4
    }

    fn on_connect(_: framing::Connection) -> Result<framing::Greeting, Error> {
        // A dialect with a handshake sends it here and answers `ready: false`.
        Ok(framing::Greeting { messages: vec![], ready: true })
    }

    fn encode(fragment: framing::Fragment, audio: Vec<u8>) -> Result<Vec<framing::Message>, Error> {
        with_framer(|framer| vec![framer.encode(&fragment, audio)])
    }

    fn decode(message: framing::Message, _now_ms: u64) -> Result<Vec<framing::Event>, Error> {
        with_framer(|framer| framer.decode(message))?.map_err(Error::InvalidInput)
    }

    fn on_disconnect(_reason: String) -> Result<(), Error> {
        Ok(())
    }
}

fn with_framer<T>(work: impl FnOnce(&mut Framer) -> T) -> Result<T, Error> {
    FRAMER.with_borrow_mut(|framer| framer.as_mut().map(work).ok_or(Error::Other("not opened".to_owned())))
}
