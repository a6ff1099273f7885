//! Cuts after every second segment, until it fails as ordered.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "batching-stage" });
    export!(Guest with_types_in self);
    use super::Guest;
}

use bindings::exports::outboard::stage::{batching, lifecycle};
use bindings::outboard::stage::types::Error;
use faults::Act;
use std::cell::RefCell;

struct Guest;

thread_local! {
    static OPEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl lifecycle::Guest for Guest {
    fn describe() -> lifecycle::Description {
        lifecycle::Description {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Breaks as its settings say".to_owned(),
            settings_schema: "{}".to_owned(),
        }
    }

    fn open(settings: String, state: Option<Vec<u8>>) -> Result<(), Error> {
        faults::open(&settings, state.as_deref()).map_err(|text| match text.as_str() {
            "refused" => Error::UnreadableState(text),
            _ => Error::Other(text),
        })
    }

    fn snapshot() -> Vec<u8> {
        faults::snapshot()
    }
}
impl batching::Guest for Guest {
    fn push(segment: batching::Segment) -> Result<Vec<batching::Cut>, Error> {
        let index = segment.index;
        let cut = |first, last| batching::Cut { first, last, reason: batching::Reason::Other };
        match faults::strike("push") {
            Act::Error(text) => return Err(Error::Other(text)),
            Act::Lie(lie) => {
                return Ok(match lie.as_str() {
                    "future" => vec![cut(index, index + 5)],
                    "past" => vec![cut(0, 0), cut(0, 0)],
                    "many" => vec![cut(index, index); 100_000],
                    "never" => vec![],
                    other => panic!("no such lie: {other}"),
                });
            }
            Act::Well => {}
        }
        OPEN.with_borrow_mut(|open| {
            let mut cuts = Vec::new();
            if open.last().is_some_and(|last| last + 1 != index) {
                open.clear();
            }
            if let (true, Some(first), Some(last)) = (segment.discontinuity, open.first(), open.last()) {
                cuts.push(cut(*first, *last));
                open.clear();
            }
            open.push(index);
            if let [first, last] = open[..] {
                cuts.push(cut(first, last));
                open.clear();
            }
            Ok(cuts)
        })
    }

    fn flush() -> Result<Option<batching::Cut>, Error> {
        match faults::strike("flush") {
            Act::Error(text) => return Err(Error::Other(text)),
            Act::Lie(_) => return Ok(None),
            Act::Well => {}
        }
        OPEN.with_borrow_mut(|open| {
            let cut = match (open.first(), open.last()) {
                (Some(first), Some(last)) => {
                    Some(batching::Cut { first: *first, last: *last, reason: batching::Reason::Flush })
                }
                _ => None,
            };
            open.clear();
            Ok(cut)
        })
    }
}
