//! Every limit of the host, with its unit. A queue, retry, body, file or wait without a limit here is a bug.
//!
//! Each crate has a `limits.rs` of its own; here are those of the program, and all others under the same name.

mod watchdog;

pub use outboard_api::limits::*;
pub use outboard_base::limits::*;
pub use outboard_config::limits::*;
pub use outboard_control::limits::*;
pub use outboard_demo::limits::*;
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

pub use watchdog::*;

#[cfg(test)]
mod retry_test;
