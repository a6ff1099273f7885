//! Basic types that every part of the host uses.
//!
//! In: texts, bytes and clocks. Out: checked names ([`check_name`]), digests ([`Digest`]), problems of settings ([`Problem`]), texts
//! without secrets ([`redact`]), lines of a program's output ([`Lines`]) and their limit in the log ([`LineBudget`]), waits between
//! retries ([`backoff`]), and time ([`unix_time`], [`asleep`]).
//!
//! The lowest crate: it uses no other crate of the host, does no I/O, and starts no task, thread or process. Code that only one part
//! of the host needs does not belong here.

pub mod asleep;
pub mod backoff;
pub mod limits;
pub mod redact;
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
