//! A batching stage that traps before it is opened.

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
        panic!("nothing to say")
    }

    fn open(_: String, _: Option<Vec<u8>>) -> Result<(), Error> {
        Ok(())
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
