//! Helpers that all parts of the host share.
//!
//! In: texts, bytes and clocks. Out: validated names ([`check_name`]), digests ([`Digest`]), problems in settings
//! ([`Problem`]), texts without secrets and control characters ([`redact`], [`text`], [`printable`]), the lines of a
//! program's output ([`Lines`]) and how many of them are logged ([`LineBudget`]), delays after a failure ([`backoff`]),
//! whether there is room on disk ([`room`]), and time ([`unix_time`], [`asleep`]).
//!
//! The lowest crate: it uses no other crate of this project, does no I/O and starts no task, thread or process. Code that
//! only one part of the host needs does not belong here.

pub mod asleep;
pub mod backoff;
pub mod limits;
pub mod printable;
pub mod redact;
pub mod room;
pub mod text;
pub mod unix_time;

mod digest;
mod line_budget;
mod lines;
mod name;
mod problem;

pub use digest::Digest;
pub use line_budget::LineBudget;
pub use lines::{Lines, plain};
pub use name::{NameError, check_name};
pub use problem::{Problem, Problems};
