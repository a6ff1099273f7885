//! remux -> [air]: FLV tags become RTMP messages on the air clock.

pub mod bodies;
pub mod clock;
pub mod cursor;
pub mod lean;
pub mod position;
pub mod rtmp;
pub mod spool;
pub mod target;
