//! `remux-replace`: the processed audio takes the original's place. See `planner.rs` for the rule.

pub mod planner;
pub mod settings;

#[cfg(target_family = "wasm")]
mod exports {
    #[expect(unsafe_code, reason = "generated from wit/")]
    mod bindings {
        wit_bindgen::generate!({ path: "../../wit", world: "remux-planning-stage" });
        export!(Stage with_types_in self);
        use super::Stage;
    }

    use crate::{planner, settings};

    struct Stage;

    stage_kit::remux_stage!(stage_kit::remux::REPLACE);
}
