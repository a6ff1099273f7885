//! What the media of a batch came to apart from its packets: what could not be used, and what is told of the source.

use std::collections::BTreeMap;

use super::encoded::Encoded;
use crate::limits::NOTICES_LOGGED;
use outboard_media::demux::{Choice, Count, Notice, Numbering, Reason, Stream, Streams, TrackKind, Witness};
use outboard_media::segment::Segment;

/// The word for packets that came out when no batch took them any more.
const NO_BATCH: &str = "no-batch";
/// The word for frames of sound that could not be encoded.
const NOT_ENCODED: &str = "not-encoded";

/// Counts and notices of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Access units and frames that could not be used, by [`Reason::name`]; 1 where bytes could not be divided into units.
    pub unusable: BTreeMap<&'static str, u64>,
    /// The first notices, in words.
    pub notices: Vec<String>,
    /// Notices beyond [`NOTICES_LOGGED`].
    pub more_notices: u64,
    /// What could not be used, in words: the first sentences.
    pub damage: Vec<String>,
    /// The streams of the source, in words, each time that they changed.
    pub streams: Vec<String>,
    /// What the settings choose and the source does not have, in words, each time that this changed.
    pub unmet: Vec<String>,
    /// Counts of the demuxer that do not balance, in words: a fault of ours.
    pub unbalanced: Vec<String>,
    /// Why the rest of the run is demuxed by ffmpeg, told once.
    pub handed_to_ffmpeg: Option<String>,
    /// The sound that was encoded, if any was.
    pub encoded: Option<Encoded>,
    /// The segment that is read, for the words; empty: none.
    pub(super) segment: String,
}

impl Counts {
    /// What comes is found in this segment.
    pub(super) fn at(&mut self, segment: &Segment) {
        self.segment = segment.name();
    }

    /// Counts media that could not be used. `number`: of its stream, if it is known.
    pub(super) fn unusable(&mut self, of: (Numbering, TrackKind, Option<u32>), reason: Reason, count: Count) {
        if count == Count::default() {
            return;
        }
        *self.unusable.entry(reason.name()).or_default() += count.units.max(1);
        let (numbering, kind, number) = of;
        if self.damage.len() < NOTICES_LOGGED {
            self.damage.push(self.placed(&numbering.unused(kind, number, reason, count)));
        }
    }

    /// Counts packets that came out when no batch took them any more.
    pub(super) fn no_batch(&mut self, packets: u64) {
        if packets > 0 {
            *self.unusable.entry(NO_BATCH).or_default() += packets;
        }
    }

    /// Takes up what was encoded.
    pub(super) fn encoded(&mut self, encoded: Encoded) {
        if encoded.failed > 0 {
            *self.unusable.entry(NOT_ENCODED).or_default() += encoded.failed;
        }
        self.encoded = Some(encoded);
    }

    /// Takes up a notice.
    pub(super) fn notice(&mut self, notice: &Notice) {
        if self.notices.len() < NOTICES_LOGGED {
            self.notices.push(self.placed(&notice.to_string()));
        } else {
            self.more_notices += 1;
        }
    }

    /// Takes up a list of streams.
    pub(super) fn streams(&mut self, found: &Streams, choice: &Choice, numbering: Numbering) {
        if !found.streams.is_empty() && self.streams.len() < NOTICES_LOGGED {
            let each = found.programme().into_iter().chain(numbering.streams(&found.streams, choice));
            self.streams.push(each.collect::<Vec<_>>().join("; "));
        }
    }

    fn placed(&self, what: &str) -> String {
        if self.segment.is_empty() { what.to_owned() } else { format!("{}: {what}", self.segment) }
    }
}

/// What was told of a demuxer's counts up to now.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    unused: [[Count; Reason::ALL.len()]; 2],
    unbalanced: bool,
}

impl Told {
    /// Adds what is new in `witness` to the counts of a batch: all that is unbalanced, and what could not be used of the
    /// kinds that are `wanted`. `handed`: packets of each kind that were taken from the demuxer. `of`: the streams of the input.
    pub(super) fn add(
        &mut self,
        witness: &Witness,
        handed: [u64; 2],
        wanted: [bool; 2],
        of: (Numbering, &[Stream]),
        counts: &mut Counts,
    ) {
        let units = [TrackKind::Video, TrackKind::Audio].map(|kind| witness.track(kind).packets.units);
        if (!witness.is_balanced() || units != handed) && !std::mem::replace(&mut self.unbalanced, true) {
            counts.unbalanced.push(format!("{handed:?} packets were taken: {witness:?}"));
        }
        let (numbering, streams) = of;
        for (at, kind) in [TrackKind::Video, TrackKind::Audio].into_iter().enumerate() {
            let taken = streams.iter().find(|stream| stream.taken && stream.codec.kind() == Some(kind));
            for (before, reason) in self.unused[at].iter_mut().zip(Reason::ALL) {
                let now = witness.track(kind).unused(reason);
                let new = Count { units: now.units - before.units, bytes: now.bytes - before.bytes };
                *before = now;
                if wanted[at] {
                    counts.unusable((numbering, kind, taken.map(|stream| stream.number)), reason, new);
                }
            }
        }
    }
}
