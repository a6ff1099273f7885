//! The batch that is open: its packets on their way into its files.
//!
//! In: the packets of one segment after the other. Out: `video.fmp4.part` and `audio.fmp4.part`, complete up to the end of
//! the newest segment, the facts and the layout. Places between the segments are noted, so that a segment that could not be
//! read or written leaves nothing, and a batch may be cut at any of them.

use std::path::Path;

use super::counts::Counts;
use super::feed::Sink;
use super::reader::{index, is_at, is_wanted};
use super::track::{self, Track, shifts};
use super::{DemuxError, Layout, part};
use outboard_media::demux::{Config, Packet};
use outboard_media::facts::BatchFacts;
use outboard_store::files::names;

/// A batch on its way into its files.
#[derive(Debug)]
pub(super) struct Open {
    tracks: [Track; 2],
    /// The places in front of its segments, each with the segment's index.
    places: Vec<(u64, [track::Mark; 2])>,
    pub(super) counts: Counts,
    pub(super) ends: [Option<i64>; 2],
    /// The sound is an input of its own.
    pub(super) separate: bool,
    /// Packets come from that input now.
    pub(super) beside: bool,
    /// They were open when the batch before was cut, and what follows does not continue them.
    pub(super) border: bool,
    /// The container of a segment of it is known.
    pub(super) known: bool,
}

/// The state of a batch between two segments.
#[derive(Debug)]
pub(super) struct Mark {
    tracks: [track::Mark; 2],
    places: usize,
    counts: Counts,
    ends: [Option<i64>; 2],
    separate: bool,
    known: bool,
}

impl Open {
    /// A batch whose files are written in `dir`.
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            tracks: [Track::new(part(dir, names::VIDEO)), Track::new(part(dir, names::AUDIO))],
            places: Vec::new(),
            counts: Counts::default(),
            ends: [None; 2],
            separate: false,
            beside: false,
            border: false,
            known: false,
        }
    }

    /// It has no segment yet.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Index of its newest segment.
    pub(super) fn newest(&self) -> Option<u64> {
        self.places.last().map(|(index, _)| *index)
    }

    /// Before its first segment. `ends`: packets up to these were in the batch before.
    pub(super) fn begin(&mut self, ends: [Option<i64>; 2], border: bool) {
        (self.ends, self.border) = (ends, border);
    }

    /// Notes the place in front of a segment.
    pub(super) fn place(&mut self, segment: u64) -> Result<(), DemuxError> {
        let marks = self.marks()?;
        self.places.push((segment, marks));
        Ok(())
    }

    /// Ends the open fragments, so that all packets are in the files.
    pub(super) fn write_out(&mut self) -> Result<(), DemuxError> {
        self.marks().map(|_| ())
    }

    fn marks(&mut self) -> Result<[track::Mark; 2], DemuxError> {
        let [video, audio] = &mut self.tracks;
        Ok([video.mark()?, audio.mark()?])
    }

    /// The state to go back to, which needs nothing to be written after [`Self::write_out`].
    pub(super) fn mark(&mut self) -> Result<Mark, DemuxError> {
        let Self { counts, ends, separate, known, .. } = self;
        let (counts, ends, separate, known) = (counts.clone(), *ends, *separate, *known);
        Ok(Mark { tracks: self.marks()?, places: self.places.len(), counts, ends, separate, known })
    }

    /// Goes on as if nothing had come after `mark`.
    ///
    /// # Errors
    /// [`DemuxError`]: the files are of no use any more.
    pub(super) fn back_to(&mut self, mark: &Mark) -> Result<(), DemuxError> {
        for (track, mark) in self.tracks.iter_mut().zip(&mark.tracks) {
            track.back_to(mark)?;
        }
        self.places.truncate(mark.places);
        self.counts.clone_from(&mark.counts);
        (self.ends, self.separate, self.known) = (mark.ends, mark.separate, mark.known);
        Ok(())
    }

    /// Takes what came after segment `last` out, as the start of a batch whose files are written in `dir`. `None`: nothing
    /// came after it.
    ///
    /// # Errors
    /// [`DemuxError`]: nothing was taken out.
    pub(super) fn split_off(&mut self, last: u64, dir: &Path) -> Result<Option<Self>, DemuxError> {
        let at = self.places.partition_point(|(index, _)| *index <= last);
        let Some((_, start)) = self.places.get(at).cloned() else { return Ok(None) };
        let mut rest = Self::new(dir);
        for (rest, ours) in rest.tracks.iter_mut().zip(&self.tracks) {
            rest.hold_as(ours);
        }
        let behind = self.places.get(at..).unwrap_or_default();
        let ends = behind.iter().skip(1).map(|(_, marks)| Some(marks)).chain([None]);
        for ((segment, from), to) in behind.iter().zip(ends) {
            rest.place(*segment)?;
            for (n, (rest, ours)) in rest.tracks.iter_mut().zip(&self.tracks).enumerate() {
                ours.copy(&from[n], to.map(|to| &to[n]), rest)?;
            }
        }
        rest.write_out()?;
        for (track, mark) in self.tracks.iter_mut().zip(&start) {
            track.end_at(mark)?;
        }
        self.places.truncate(at);
        (rest.ends, rest.separate, rest.known) = (self.ends, self.separate, self.known);
        self.ends = [None; 2];
        Ok(Some(rest))
    }

    /// Takes the next packet of an input that is wanted.
    pub(super) fn take(&mut self, packet: &Packet, config: &Config) -> Result<(), DemuxError> {
        let at = index(packet.kind);
        // On air already: it was handed out before the restart, though its end was missing.
        if self.ends[at].is_some_and(|end| is_at(packet, end)) {
            return Ok(());
        }
        self.ends[at] = None;
        if self.border {
            self.tracks[at].left_over(config, packet);
            return Ok(());
        }
        self.tracks[at].packet(config, packet)
    }

    /// Writes what is open, and counts what found no place.
    pub(super) fn close(&mut self) -> Result<(), DemuxError> {
        for track in &mut self.tracks {
            self.counts.no_batch(track.close()?);
        }
        Ok(())
    }

    /// The facts, once it is closed. `wraps`: whether the times of pictures and of sound have 33 bits.
    pub(super) fn facts(&self, wraps: [bool; 2]) -> BatchFacts {
        let [video, audio] = &self.tracks;
        let moved = shifts(video.first(), audio.first(), wraps);
        BatchFacts { video: video.facts(moved[0]), audio: audio.facts(moved[1]) }
    }

    /// Where the packets are, once it is closed.
    pub(super) fn layout(&self) -> Layout {
        let [video, audio] = &self.tracks;
        Layout { video: video.layout(), audio: audio.layout() }
    }
}

impl Sink for Open {
    fn packet(&mut self, packet: &Packet, config: &Config) -> Result<(), DemuxError> {
        if is_wanted(packet.kind, self.separate, self.beside) { self.take(packet, config) } else { Ok(()) }
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }
}
