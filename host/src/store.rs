//! What must survive: the database, the journal in it, and the files, each behind its own handle.
//!
//! [`usage`] counts the files, [`janitor`] keeps them within their bounds (`retention` says what may go), [`room`] tells the
//! source whether there is room for more. [`evidence`] is of stages that failed.

pub mod database;
pub mod evidence;
pub mod files;
pub mod janitor;
pub mod journal;
pub mod page;
pub mod retention;
pub mod room;
pub mod usage;
