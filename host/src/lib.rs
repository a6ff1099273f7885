//! The program `outboard`: its command line, and the watchdog of the process.
//!
//! In: arguments, and signals. Out: an exit code. All that it does is in the crates that it names below, each with the name under
//! which the end-to-end tests know it; `docs/architecture.md` describes them in their order.

pub use outboard_api as api;
pub use outboard_base::{asleep, backoff, redact, room, unix_time};
pub use outboard_config as config;
pub use outboard_control as control;
pub use outboard_demo as demo;
pub use outboard_demo::echo;
pub use outboard_ffmpeg as ffmpeg;
pub use outboard_logs as logs;
pub use outboard_logs::telemetry;
pub use outboard_media as media;
pub use outboard_net as net;
pub use outboard_net::tls;
pub use outboard_pipeline::settings;
pub use outboard_process as process;
pub use outboard_stage as stage;
pub use outboard_store as store;

pub mod address_space;
pub mod cli;
pub mod limits;
pub mod watchdog;

/// The spine and its steps, in the order of the data.
pub mod pipeline {
    pub use outboard_egress as air;
    pub use outboard_exchange as exchange;
    pub use outboard_hls as source;
    pub use outboard_pipeline::*;
}

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;

#[cfg(test)]
mod refused_text_test;
#[cfg(test)]
mod scope_tests;
