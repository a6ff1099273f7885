//! The contract's types, generated from `wit/`: what goes into a stage and what comes out.
//!
//! Documentation of every field and case is in `wit/`. The rest of the host uses these types and nothing else of
//! wasmtime.

#[expect(missing_docs, reason = "generated from wit/, where the documentation is")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        // One world over all kinds gives one set of shared types; a component implements just one of the kinds.
        inline: "
            package outboard:host;
            world every-kind {
                export outboard:stage/lifecycle@0.1.0;
                export outboard:stage/batching@0.1.0;
                export outboard:stage/framing@0.1.0;
                export outboard:stage/remux-planning@0.1.0;
            }
        ",
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

pub(super) use bindings::exports::outboard::stage as exports;

/// Shared by all kinds.
pub use bindings::exports::outboard::stage::lifecycle::Description;
pub use bindings::outboard::stage::types::{Error, Level, Problem};

/// Types of the `batching` kind.
pub mod batching {
    pub use super::exports::batching::{Cue, Cut, Reason, Segment};
}

/// Types of the `framing` kind.
pub mod framing {
    pub use super::exports::framing::{
        Connection, Event, Failure, Format, Fragment, Greeting, Message, Note, Pcm, Processed, Reference,
    };
}

/// Types of the `remux-planning` kind.
pub mod remux {
    pub use super::exports::remux_planning::{
        Absence, AudioChoice, AudioTrack, Coding, Facts, Fit, Mix, Policy, RemuxPlan, Reply, ReturnedAudio, VideoTrack,
    };
}
