//! Where the packets of a track are in its file, and which configuration each of them needs.
//!
//! With this and the packets' times, whoever sends or lists packets reads their bytes straight from the file.

use crate::demux::Config;

/// A packet in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// Length in bytes.
    pub len: u32,
    /// Whether decoding can start there.
    pub key: bool,
}

/// The packets of a track in the order of their decoding, and the decoder's configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackLayout {
    /// The packets.
    pub packets: Vec<Stored>,
    /// Each configuration, with the index in `packets` of the first packet that needs it. Indexes rise; the first is 0.
    pub configs: Vec<(usize, Config)>,
}
