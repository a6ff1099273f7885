//! Durable state: the database, the journal in it, and the files, each behind its own handle.
//!
//! [`usage`] counts the files, [`janitor`] keeps them within their limits (`retention` chooses what is removed), and
//! [`room`] tells the source whether it may fetch more. [`evidence`] stores reports of failed stages.

pub mod database;
pub mod evidence;
pub mod files;
pub mod janitor;
pub mod journal;
pub mod page;
pub mod retention;
pub mod room;
pub mod usage;
