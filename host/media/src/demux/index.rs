//! Lists where the packets of a whole file are, without reading them: fragmented MP4, or AAC in ADTS.
//!
//! In: the length of a file and a function that reads bytes of it. Out: the file's [`TrackLayout`], or why it cannot be listed.
//! Only a file that is understood to its last byte is listed; one that ends too early is listed up to there. Of MP4 only
//! boxes are read, of ADTS the headers of frames. Bounds: [`INDEX_BOXES_MAX`], [`INDEX_PACKETS_MAX`].

mod adts;
mod mp4;

use std::io;

use thiserror::Error;

use super::any::{Demuxer, TELLING_BYTES};
use super::choice::Choice;
use super::event::{Config, TrackKind};
use crate::layout::{Stored, TrackLayout};
#[cfg(doc)]
use crate::limits::INDEX_BOXES_MAX;
use crate::limits::INDEX_PACKETS_MAX;

/// Why the packets of a file cannot be listed.
#[derive(Debug, Error)]
pub enum IndexError {
    /// The file has something that is not understood here. Another program may read it.
    #[error("{0}")]
    Foreign(String),
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The packets of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// Where the packets are.
    pub layout: TrackLayout,
    /// What is missing at the end of the file, in words; `None`: it is whole.
    pub torn: Option<String>,
}

/// Reads exactly so many bytes as the buffer has, from this place in the file.
pub type Read<'a> = dyn FnMut(u64, &mut [u8]) -> io::Result<()> + 'a;

/// Lists the packets of this kind in a file of `length` bytes.
///
/// # Errors
/// [`IndexError::Foreign`] if the file is not understood or has no packet of this kind, and [`IndexError::Io`].
pub fn index(kind: TrackKind, length: u64, read: &mut Read<'_>) -> Result<Indexed, IndexError> {
    let mut start = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(TELLING_BYTES)];
    read(0, &mut start)?;
    let mut list = List::default();
    let torn = match (Demuxer::recognise(&start, Choice::default()), kind) {
        (Some(Demuxer::Mp4(_)), _) => mp4::index(kind, length, read, &mut list)?,
        (Some(Demuxer::Packed(_)), TrackKind::Audio) => adts::index(length, read, &mut list)?,
        _ => return Err(foreign("it is neither fragmented MP4 nor, for audio, ADTS")),
    };
    if list.0.packets.is_empty() && torn.is_none() {
        return Err(foreign(format!("it has no {kind} packet with a configuration in its fragments")));
    }
    Ok(Indexed { layout: list.0, torn })
}

fn foreign(why: impl Into<String>) -> IndexError {
    IndexError::Foreign(why.into())
}

/// What was found up to now.
#[derive(Debug, Default)]
struct List(TrackLayout);

impl List {
    /// Adds a packet with the configuration that it needs.
    fn add(&mut self, packet: Stored, config: Config) -> Result<(), IndexError> {
        if self.0.packets.len() >= INDEX_PACKETS_MAX {
            return Err(foreign(format!("it has more than {INDEX_PACKETS_MAX} packets")));
        }
        if self.0.configs.last().is_none_or(|(_, last)| *last != config) {
            self.0.configs.push((self.0.packets.len(), config));
        }
        self.0.packets.push(packet);
        Ok(())
    }
}
