//! The spine: the steps in the order of the data.

// source -> batch -> demux -> exchange -> remux -> air

pub mod source;
// groups segments
// pub mod batch;

// decisions over time
pub mod timeline;

pub mod air;
pub mod demux;
pub mod exchange;
pub mod remux;
