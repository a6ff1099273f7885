//! Demuxes MPEG transport streams, fragmented MP4 and packed audio as their bytes arrive. One demuxer serves a stream
//! for its whole life.
//!
//! In: the bytes of segments in pieces of any size, and calls at the end of each segment, at each `EXT-X-DISCONTINUITY`
//! and at the end of the stream. Out: [`Event`]s in the order of the stream, as soon as they are complete: the list of
//! streams, configurations right before the packets that need them, packets, data, notices. Units that cross the border
//! of a segment are kept until they are complete. [`Witness`] counts separately what was taken in, handed out and not
//! used.
//!
//! The module does no I/O and does not panic, whatever the bytes. Its bounds are the constants in [`crate::limits`]
//! whose names begin with `DEMUX_`.

mod any;
mod choice;
mod clock;
mod es;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
pub mod index;
mod mp4;
mod numbering;
mod out;
mod packed;
#[cfg(any(test, feature = "testing"))]
pub mod repack;
mod ts;
mod witness;
mod words;

pub use any::{Demuxer, TELLING_BYTES};
pub use choice::{Choice, Wish};
pub use event::{
    AudioConfig, Codec, Config, Data, Event, Key, Notice, Packet, Stream, Streams, TICKS_PER_SECOND, Timing, TrackKind,
    VideoConfig,
};
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::segments as fuzz_segments;
pub use mp4::Mp4;
pub use numbering::Numbering;
pub use packed::Packed;
pub use ts::Ts;
pub use witness::{ContainerWitness, Count, Reason, TrackWitness, Witness};

#[cfg(test)]
mod tests;
