//! Limits of a pipeline and of what its steps share, with their units.

mod batch;
mod host;
mod settings;

pub use batch::*;
pub use host::*;
pub use settings::*;
