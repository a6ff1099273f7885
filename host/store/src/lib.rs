//! What must survive: the database, the journal in it, and the files of streams, each behind its own handle.
//!
//! In: facts of batches, and the folder of the storage. Out: what was written, after `kill -9` too; how much is used; what may be
//! removed and was. [`usage`] counts the files, [`janitor`] keeps them within their bounds (`retention` says what may go) and
//! closes the [`Room`](outboard_base::room::Room) of a tenant that has none left. Limits: [`limits`].
//!
//! It uses `outboard-base` and `outboard-media`, and never knows pipelines, stages or who asks. The control plane keeps its own
//! tables in the same [`database`].

pub mod database;
pub mod files;
pub mod janitor;
pub mod journal;
pub mod limits;
pub mod page;
pub mod retention;
pub mod usage;
