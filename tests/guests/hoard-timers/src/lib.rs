//! A batching stage that allocates timers from the host without end and frees none.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:guest;
            world stage {
                include outboard:stage/batching-stage@0.1.0;
                import wasi:clocks/monotonic-clock@0.2.0;
            }
            package wasi:io@0.2.0 {
                interface poll {
                    resource pollable {
                        ready: func() -> bool;
                        block: func();
                    }
                    poll: func(in: list<borrow<pollable>>) -> list<u32>;
                }
            }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    type instant = u64;
                    type duration = u64;
                    now: func() -> instant;
                    resolution: func() -> duration;
                    subscribe-instant: func(when: instant) -> pollable;
                    subscribe-duration: func(when: duration) -> pollable;
                }
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
        loop {
            std::mem::forget(bindings::wasi::clocks::monotonic_clock::subscribe_duration(1 << 60));
        }
    }

    fn flush() -> Result<Option<batching::Cut>, Error> {
        Ok(None)
    }
}
