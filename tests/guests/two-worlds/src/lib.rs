//! Batching and remux planning in one component.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:guest;
            world both {
                include outboard:stage/batching-stage@0.1.0;
                include outboard:stage/remux-planning-stage@0.1.0;
            }
        ",
        generate_all,
    });
    export!(Guest with_types_in self);
    use super::Guest;
}

use bindings::exports::outboard::stage::{batching, lifecycle, remux_planning};
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

impl remux_planning::Guest for Guest {
    fn plan(_: remux_planning::Facts) -> Result<remux_planning::RemuxPlan, Error> {
        Err(Error::Other("no plan".to_owned()))
    }
}
