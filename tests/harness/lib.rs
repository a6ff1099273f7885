//! The parts that whole-path tests are made of: live origins, processors, receivers, the host, a packet comparer.
//!
//! Real parts wherever a user would have them (ffmpeg, nginx-rtmp, Node's Socket.IO, Debian's registry); fakes only for faults that real
//! ones cannot be brought to show.

pub mod attacks;
pub mod authored;
pub mod browser;
pub mod clients;
pub mod compiled;
pub mod door;
pub mod drivers;
pub mod footprint;
pub mod guests;
pub mod host;
pub mod media;
pub mod onair;
pub mod origin;
pub mod processes;
pub mod processor;
pub mod receiver;
pub mod registry;
pub mod schema;
pub mod server;
pub mod signer;
