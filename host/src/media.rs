//! Containers and packets: what the steps know about the bytes they move.

pub mod avc;
pub mod duration;
pub mod facts;
pub mod flv;
pub mod fmp4;
pub mod id3;
pub mod probe;
