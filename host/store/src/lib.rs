//! Durable state: the database, the journal in it, and the files of streams, each behind its own handle.
//!
//! In: the storage folder and the states of batches. Out: durable records (they survive `kill -9`), the space in use,
//! and which files may be removed and were. [`usage`] counts the files, [`janitor`] keeps them within their limits
//! (`retention` chooses what is removed) and closes a tenant's [`Room`](outboard_base::room::Room) when nothing more can be
//! removed. Limits: [`limits`].
//!
//! Uses `outboard-base` and `outboard-media`. Does not depend on pipelines, stages or callers. The control plane keeps
//! its own tables in the same [`database`].

pub mod database;
pub mod files;
pub mod janitor;
pub mod journal;
pub mod limits;
pub mod page;
pub mod retention;
pub mod usage;
