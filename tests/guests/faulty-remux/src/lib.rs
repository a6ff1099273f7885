//! Plans the original audio with its own note, until it fails as ordered.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "remux-planning-stage" });
    export!(Guest with_types_in self);
    use super::Guest;
}

use bindings::exports::outboard::stage::{lifecycle, remux_planning};
use bindings::outboard::stage::types::Error;
use faults::Act;

struct Guest;

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
impl remux_planning::Guest for Guest {
    fn plan(_: remux_planning::Facts) -> Result<remux_planning::RemuxPlan, Error> {
        let mut plan = remux_planning::RemuxPlan {
            audio: remux_planning::AudioChoice::Original,
            coding: remux_planning::Coding::Copy,
            stretch_permille: 0,
            fit: remux_planning::Fit::Leave,
            offset_us: 0,
            note: "as the guest says".to_owned(),
            marked: false,
        };
        match faults::strike("plan") {
            Act::Well => {}
            Act::Error(text) => return Err(Error::InvalidInput(text)),
            Act::Lie(lie) => match lie.as_str() {
                "processed" => plan.audio = remux_planning::AudioChoice::Processed,
                "stretch" => plan.stretch_permille = i32::MIN,
                "offset" => plan.offset_us = i64::MAX,
                "none" => plan.audio = remux_planning::AudioChoice::None,
                other => panic!("no such lie: {other}"),
            },
        }
        Ok(plan)
    }
}
