//! A batching stage that imports a database interface.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package acme:db@1.2.3;
            interface query { ask: func(text: string) -> string; }
            world stage {
                include outboard:stage/batching-stage@0.1.0;
                import query;
            }
        ",
        generate_all,
    });
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
            summary: bindings::acme::db::query::ask("what am I?"),
            settings_schema: "{}".to_owned(),
        }
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
