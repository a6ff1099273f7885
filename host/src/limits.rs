//! Every limit on the media path, with its unit. A queue, retry, body, file or wait without a limit here is a bug.
//!
//! One file per part of the host; all names are re-exported here. Parts in their own crates have a `limits.rs` of their
//! own, which is re-exported here too.

mod api;
mod watchdog;

// Re-exports that can be removed once no module uses such a limit without naming its crate.
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

pub use api::*;
pub use watchdog::*;

#[cfg(test)]
mod retry_test;
