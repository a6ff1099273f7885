//! Every bound on the media path, with its unit. A queue, retry, body, file or wait without a limit here is a bug.
//!
//! One file per part of the host; all names are used from here. Parts that are crates of their own have their bounds in their
//! own `limits.rs`, and are listed here with the others.

mod api;
mod control;
mod echo;
mod registry;
mod stages;
mod watchdog;

// Lines that go when the last module that uses such a bound is a crate that names where it is from.
pub use outboard_base::limits::*;
pub use outboard_egress::limits::*;
pub use outboard_exchange::limits::*;
pub use outboard_ffmpeg::limits::*;
pub use outboard_hls::limits::*;
pub use outboard_logs::limits::*;
pub use outboard_media::limits::*;
pub use outboard_net::limits::*;
pub use outboard_pipeline::limits::*;
pub use outboard_process::limits::*;
pub use outboard_stage::limits::*;
pub use outboard_store::limits::*;

pub use api::*;
pub use control::*;
pub use echo::*;
pub use registry::*;
pub use stages::*;
pub use watchdog::*;

#[cfg(test)]
mod retry_test;
