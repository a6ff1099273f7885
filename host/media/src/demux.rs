//! Takes containers apart as their bytes arrive, for as long as a stream lives: MPEG transport streams, fragmented MP4, packed audio.
//!
//! In: the bytes of segments in pieces of any size, and where a segment ends, where the source says that its times are others
//! (`EXT-X-DISCONTINUITY`), and where it ends. Out: [`Event`]s in the order of the stream, as soon as they are complete: what there is,
//! configurations right before the packets that need them, packets, data, notices. What reaches over a segment's border is kept.
//! [`Witness`] says what was taken in, what came out and what could not be used, counted apart.
//!
//! It does no I/O, and bytes of any kind bring no panic. Bounds: [`crate::limits`], names that begin with `DEMUX_`.

mod any;
mod choice;
mod clock;
mod es;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod mp4;
mod out;
mod packed;
mod ts;
mod witness;

pub use any::{Demuxer, TELLING_BYTES};
pub use choice::{Choice, Wish};
pub use event::{
    AudioConfig, Codec, Config, Data, Event, Key, Notice, Packet, Stream, Streams, TICKS_PER_SECOND, Timing, TrackKind,
    VideoConfig,
};
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::segments as fuzz_segments;
pub use mp4::Mp4;
pub use packed::Packed;
pub use ts::Ts;
pub use witness::{ContainerWitness, Count, Reason, TrackWitness, Witness};

#[cfg(test)]
mod tests;
