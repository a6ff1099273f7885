//! air -> **release**: journals what is on air and lets go of batches that went out everywhere.

// which destinations have sent which batches
mod done;
// where destinations are, for the next start
pub mod positions;
// the step
pub mod releaser;
// what the step tells
mod report;

pub use positions::Positions;
pub use releaser::Releaser;
pub use report::storage_event;
