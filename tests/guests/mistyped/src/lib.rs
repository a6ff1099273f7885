//! The contract's names with wrong types.

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package outboard:stage@0.1.0;
            interface lifecycle {
                record description { name: string, version: string, summary: string, settings-schema: string }
                describe: func() -> description;
                open: func(settings: string) -> string;
                snapshot: func() -> list<u8>;
            }
            interface batching {
                push: func(segment: u32) -> list<u32>;
                flush: func() -> option<u32>;
            }
            world batching-stage {
                export lifecycle;
                export batching;
            }
        ",
    });
    export!(Guest with_types_in self);
    use super::Guest;
}

use bindings::exports::outboard::stage::{batching, lifecycle};

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

    fn open(settings: String) -> String {
        settings
    }

    fn snapshot() -> Vec<u8> {
        Vec::new()
    }
}

impl batching::Guest for Guest {
    fn push(segment: u32) -> Vec<u32> {
        vec![segment]
    }

    fn flush() -> Option<u32> {
        None
    }
}
