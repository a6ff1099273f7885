//! `batching-duration`: batches of a wanted length. See `batcher.rs` for the rule.

pub mod batcher;
pub mod settings;

#[cfg(target_family = "wasm")]
mod exports {
    #[expect(unsafe_code, reason = "generated from wit/")]
    mod bindings {
        wit_bindgen::generate!({ path: "../../wit", world: "batching-stage" });
        export!(Stage with_types_in self);
        use super::Stage;
    }

    use crate::batcher::Batcher;
    use crate::settings;

    struct Stage;

    stage_kit::batching_stage!(Batcher);
}
