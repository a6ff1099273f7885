//! What the media of a batch came to apart from its packets: what could not be used, and what is told of the source.

use std::collections::BTreeMap;

use super::encoded::Encoded;
use crate::limits::NOTICES_LOGGED;
use outboard_media::demux::{Count, Notice, Reason, Stream, TrackKind, Witness};

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
    /// The streams of the source, in words, each time that they changed.
    pub streams: Vec<String>,
    /// Counts of the demuxer that do not balance, in words: a fault of ours.
    pub unbalanced: Vec<String>,
    /// Why the rest of the run is demuxed by ffmpeg, told once.
    pub handed_to_ffmpeg: Option<String>,
    /// The sound that was encoded, if any was.
    pub encoded: Option<Encoded>,
}

impl Counts {
    /// Counts media that could not be used.
    pub(super) fn unusable(&mut self, reason: Reason, count: Count) {
        if count != Count::default() {
            *self.unusable.entry(reason.name()).or_default() += count.units.max(1);
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
            self.notices.push(in_words(notice));
        } else {
            self.more_notices += 1;
        }
    }

    /// Takes up a list of streams.
    pub(super) fn streams(&mut self, streams: &[Stream]) {
        if !streams.is_empty() && self.streams.len() < NOTICES_LOGGED {
            self.streams.push(streams.iter().map(stream_in_words).collect::<Vec<_>>().join(", "));
        }
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
    /// kinds that are `wanted`. `handed`: packets of each kind that were taken from the demuxer.
    pub(super) fn add(&mut self, witness: &Witness, handed: [u64; 2], wanted: [bool; 2], counts: &mut Counts) {
        let units = [TrackKind::Video, TrackKind::Audio].map(|kind| witness.track(kind).packets.units);
        if (!witness.is_balanced() || units != handed) && !std::mem::replace(&mut self.unbalanced, true) {
            counts.unbalanced.push(format!("{handed:?} packets were taken: {witness:?}"));
        }
        for (at, kind) in [TrackKind::Video, TrackKind::Audio].into_iter().enumerate() {
            for (before, reason) in self.unused[at].iter_mut().zip(Reason::ALL) {
                let now = witness.track(kind).unused(reason);
                let new = Count { units: now.units - before.units, bytes: now.bytes - before.bytes };
                *before = now;
                if wanted[at] {
                    counts.unusable(reason, new);
                }
            }
        }
    }
}

fn in_words(notice: &Notice) -> String {
    match notice {
        Notice::Skipped { bytes } => format!("{bytes} bytes belong to no packet"),
        Notice::Lost { number, packets } => format!("PID {number}: packets are missing ({packets} modulo 16)"),
        Notice::Moved { kind, from, to } => format!("{kind} goes on in PID {to}, after PID {from}"),
        Notice::Scrambled { number } => format!("PID {number} is scrambled"),
        Notice::TableDamaged { number } => format!("PID {number}: a table has a wrong checksum"),
        Notice::BoxDamaged { name } => format!("a box of MP4 is damaged: {:?}", String::from_utf8_lossy(name)),
    }
}

fn stream_in_words(stream: &Stream) -> String {
    let Stream { number, codec, language, encrypted, taken } = stream;
    let language = language.as_ref().map(|language| format!(" ({language})")).unwrap_or_default();
    let what = match (taken, encrypted) {
        (true, _) => "",
        (false, true) => ", encrypted, not used",
        (false, false) => ", not used",
    };
    format!("{number}: {}{language}{what}", codec.name())
}
