//! What must survive: the database, the journal in it, and the files, each behind its own handle.

pub mod database;
pub mod files;
pub mod journal;
pub mod page;
pub mod retention;
