//! {{name}}: a batching stage for Outboard. Only the contract's calls are here; the rule is in `batcher.rs`.

mod batcher;
mod settings;
mod snapshot;

mod contract {
    wit_bindgen::generate!({
        path: "wit",
        world: "batching-stage",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "crate::contract",
    });
}

use batcher::Batcher;
use contract::exports::outboard::stage::{batching, lifecycle};
use contract::outboard::stage::types::Error;
use settings::Settings;
use std::cell::RefCell;

thread_local! {
    // One instance serves one pipeline, so its state can be kept here.
    static BATCHER: RefCell<Option<Batcher>> = const { RefCell::new(None) };
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
        let batcher = Batcher::new(settings, state.as_deref()).map_err(Error::UnreadableState)?;
        BATCHER.set(Some(batcher));
        Ok(())
    }

    fn snapshot() -> Vec<u8> {
        BATCHER.with_borrow(|batcher| batcher.as_ref().map(Batcher::snapshot).unwrap_or_default())
    }
}

impl batching::Guest for Stage {
    fn push(segment: batching::Segment) -> Result<Vec<batching::Cut>, Error> {
        with_batcher(|batcher| batcher.push(&segment))
    }

    fn flush() -> Result<Option<batching::Cut>, Error> {
        with_batcher(Batcher::flush)
    }
}

fn with_batcher<T>(work: impl FnOnce(&mut Batcher) -> T) -> Result<T, Error> {
    BATCHER.with_borrow_mut(|batcher| batcher.as_mut().map(work).ok_or(Error::Other("not opened".to_owned())))
}
