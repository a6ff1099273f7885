//! The demuxers against ffmpeg's, over streams that ffmpeg makes, and over the same streams packed in other ways.

mod bounds;
mod boxed;
mod boxes;
mod clip;
mod damage;
mod differential;
mod field;
mod fuzzed;
mod handmade;
mod index;
mod mp4;
mod packed;
mod probe;
mod run;
mod signalled;
mod ts;

use super::repack;
