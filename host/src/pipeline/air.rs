//! remux -> [air]: FLV tags become RTMP messages on the air clock.

pub mod spool;
