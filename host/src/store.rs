//! What must survive: the journal (SQLite) and the files, each behind its own handle.

pub mod files;
pub mod journal;
pub mod retention;
