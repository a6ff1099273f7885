//! Containers and packets: what the steps know about the bytes they move.

pub mod flv;
pub mod probe;
