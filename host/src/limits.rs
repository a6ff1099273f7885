//! Every bound on the media path, with its unit. A queue, retry, body, file or wait without a limit here is a bug.
//!
//! One file per part of the host; all names are used from here.

mod air;
mod api;
mod batch;
mod children;
mod control;
mod exchange;
mod settings;
mod source;
mod stages;
mod store;
mod telemetry;
mod watchdog;

pub use air::*;
pub use api::*;
pub use batch::*;
pub use children::*;
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
