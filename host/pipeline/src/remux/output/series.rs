//! The places of a stream's batches among each other: numbers of fragments and of discontinuities that rise over the stream's
//! life, also over restarts. Kept with each batch in its [`AirIndex`].

use std::io;
use std::path::Path;

use super::{Output, Tracks};
use crate::remux::index::{AirIndex, Form};
use outboard_egress::spool::ReadyBatch;
use outboard_media::facts::BatchFacts;
use outboard_store::files::StreamFiles;

/// Batches follow on if the next begins this near to the end of the one before, in milliseconds. Real breaks are far larger.
const FOLLOWS_MS: u64 = 500;

/// The indexes of a stream's batches, one after another. Remembers where the last one ended.
#[derive(Debug, Default)]
pub struct Series(pub(super) Option<Last>);

#[derive(Debug)]
pub(super) struct Last {
    discontinuity: u64,
    init: Vec<u8>,
    pub(super) next_sequence: u64,
    pub(super) end_ms: u64,
}

impl Series {
    /// Goes on after the newest index on disk of a batch before `below`; blocks. Without one, counts begin anew.
    pub fn resume(files: &StreamFiles, below: u64) -> Self {
        let entries = std::fs::read_dir(&files.batches).into_iter().flatten().flatten();
        let number = |name: &str| name.strip_prefix("batch-")?.parse::<u64>().ok().filter(|number| *number < below);
        let mut numbers: Vec<u64> = entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Self(numbers.into_iter().find_map(|number| Last::of(&AirIndex::read(&files.batch(number)).ok()?)))
    }

    /// Gives the next batch its place, and writes its index into its folder; blocks. A batch whose index cannot be written uses
    /// no numbers.
    ///
    /// # Errors
    /// The system's error.
    pub fn write(&mut self, dir: &Path, ready: &ReadyBatch, facts: &BatchFacts) -> io::Result<()> {
        let mut index = AirIndex { ready: ready.clone(), form: Form::of(facts), place: None };
        let tracks = Tracks::of(&index);
        let mut place = tracks.start();
        if let (Some(place), Some(last)) = (&mut place, &self.0) {
            let follows = last.init == tracks.init() && last.end_ms.abs_diff(place.start_ms) <= FOLLOWS_MS;
            place.sequence = last.next_sequence;
            place.discontinuity = last.discontinuity + u64::from(!follows);
        }
        index.place = place;
        index.write(dir)?;
        if let Some(last) = Last::of(&index) {
            self.0 = Some(last);
        }
        Ok(())
    }
}

impl Last {
    fn of(index: &AirIndex) -> Option<Self> {
        let output = Output::of(index)?;
        let head = output.head();
        Some(Self {
            discontinuity: head.place.discontinuity,
            init: Tracks::of(index).init(),
            next_sequence: head.next_sequence(),
            end_ms: index.ready.end_ms.max(head.place.start_ms),
        })
    }
}
