//! What every part of the host says in the same way.
//!
//! In: texts, bytes and clocks. Out: names that are checked ([`check_name`]), digests ([`Digest`]), what is wrong with settings
//! ([`Problem`]), texts that may be shown ([`redact`], [`text`], [`printable`]), lines out of what a program writes ([`Lines`]) and how many of them may be
//! logged ([`LineBudget`]), how long to wait after a failure ([`backoff`]), whether there is room on disk ([`room`]),
//! and time ([`unix_time`], [`asleep`]).
//!
//! The lowest crate: it uses no other crate of ours, does no I/O and starts no task, thread or process. What only one part of
//! the host needs does not belong here.

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
