//! Bounds of the control plane, with their units.

mod control;
mod registry;
mod stages;

pub use control::*;
pub use registry::*;
pub use stages::*;
