//! Outboard takes a live HLS stream, sends its audio to an external processor, puts the returned audio back under the
//! untouched picture and publishes the stream, without ever going silent.
//!
//! The map, in the order of the data: [`pipeline`] is the spine (source, batch, demux, exchange, remux, air);
//! [`stage`] runs the WebAssembly components that decide; [`media`] knows containers and packets; [`store`] keeps what
//! must survive; [`net`] says what may be reached, [`redact`] what may be shown; [`preview`] shows what went on air; [`api`] is
//! what is served over HTTP. [`echo`] is the test processor.

// Crates of their own, under the names that the modules below know them by. A line goes when the modules that use it have
// become crates that name what they need in their own Cargo.toml.
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
pub mod api;
pub mod cli;
pub mod limits;
pub mod metrics;
pub mod watchdog;

/// The spine and its steps.
pub mod pipeline {
    pub use outboard_egress as air;
    pub use outboard_exchange as exchange;
    pub use outboard_hls as source;
    pub use outboard_pipeline::*;
}

pub mod preview;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;

#[cfg(test)]
mod scope_tests;
