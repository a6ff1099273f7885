//! The parts of end-to-end tests: live origins, processors, receivers, the host, a packet comparison.
//!
//! Real programs wherever a user would have them (ffmpeg, nginx-rtmp, Node's Socket.IO, Debian's registry); fakes only
//! for faults that real programs do not produce on demand.

pub mod attacks;
pub mod authored;
pub mod browser;
pub mod clients;
pub mod compiled;
pub mod differential;
pub mod door;
pub mod drivers;
pub mod field;
pub mod footprint;
pub mod guests;
pub mod host;
pub mod media;
pub mod onair;
pub mod origin;
pub mod over_borders;
pub mod processes;
pub mod processor;
pub mod receiver;
pub mod registry;
pub mod schema;
pub mod server;
pub mod signer;
pub mod sound;
