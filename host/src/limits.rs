//! Every limit on the media path, with its unit. A queue, retry, body, file or wait without a limit here is a bug.
//!
//! One file per part of the host; all names are re-exported here. Parts in their own crates have a `limits.rs` of their
//! own, which is re-exported here too.

mod air;
mod api;
mod batch;
mod control;
mod exchange;
mod settings;
mod source;
mod stages;
mod store;
mod telemetry;
mod watchdog;

// Re-exports that can be removed once no module uses such a limit without naming its crate.
pub use outboard_base::limits::*;
pub use outboard_ffmpeg::limits::*;
pub use outboard_media::limits::*;
pub use outboard_net::limits::*;
pub use outboard_process::limits::*;
pub use outboard_stage::limits::*;

pub use air::*;
pub use api::*;
pub use batch::*;
pub use control::*;
pub use exchange::*;
pub use settings::*;
pub use source::*;
pub use stages::*;
pub use store::*;
pub use telemetry::*;
pub use watchdog::*;

#[cfg(test)]
mod retry_test;
