//! A batching stage that cannot resume from its own snapshot.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "batching-stage" });
    export!(Guest with_types_in self);
    use super::Guest;
}

use bindings::exports::outboard::stage::{batching, lifecycle};
use bindings::outboard::stage::types::Error;

struct Guest;

impl lifecycle::Guest for Guest {
    fn describe() -> lifecycle::Description {
        lifecycle::Description {
            name: "guest".to_owned(),
            version: "0.1.0".to_owned(),
            summary: String::new(),
            settings_schema: "{}".to_owned(),
        }
    }

    fn open(_: String, state: Option<Vec<u8>>) -> Result<(), Error> {
        match state {
            None => Ok(()),
            Some(_) => Err(Error::UnreadableState("what is this?".to_owned())),
        }
    }

    fn snapshot() -> Vec<u8> {
        Vec::new()
    }
}

impl batching::Guest for Guest {
    fn push(_: batching::Segment) -> Result<Vec<batching::Cut>, Error> {
        Ok(Vec::new())
    }

    fn flush() -> Result<Option<batching::Cut>, Error> {
        Ok(None)
    }
}
