//! Counts what a demuxer took in, handed out and could not use. The counts are independent, so that they can be
//! compared.
//!
//! Bytes are counted where they arrive (payloads of PES packets, samples that a `trun` announces), before they are
//! read; packets where they are handed out; discarded units where they are discarded. [`TrackWitness::unexplained`] is
//! the difference.

use super::event::TrackKind;

/// Why media cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its start or its end is missing, because the input was cut off or begins inside it.
    Truncated,
    /// Transport packets inside it are missing, according to the continuity counter.
    Lost,
    /// It is scrambled, or encrypted.
    Scrambled,
    /// It violates the rules of its codec or container, or uses a form that is not supported.
    Corrupt,
    /// It is a picture before the first one at which decoding can start.
    BeforeKey,
    /// No time is known for it.
    NoTime,
    /// It is longer than [`DEMUX_UNIT_BYTES_MAX`](crate::limits::DEMUX_UNIT_BYTES_MAX).
    TooLarge,
    /// It continues a unit that was taken for complete at a segment's end and was handed out.
    AfterEnd,
}

impl Reason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Truncated,
        Self::Lost,
        Self::Scrambled,
        Self::Corrupt,
        Self::BeforeKey,
        Self::NoTime,
        Self::TooLarge,
        Self::AfterEnd,
    ];

    /// Returns the reason as a word for counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Lost => "lost",
            Self::Scrambled => "scrambled",
            Self::Corrupt => "corrupt",
            Self::BeforeKey => "before-key",
            Self::NoTime => "no-time",
            Self::TooLarge => "too-large",
            Self::AfterEnd => "after-end",
        }
    }

    /// Returns the reason as words for a sentence such as "3 packets were not used: cut off".
    pub fn text(self) -> &'static str {
        match self {
            Self::Truncated => "cut off",
            Self::Lost => "packets of the transport stream are missing",
            Self::Scrambled => "scrambled",
            Self::Corrupt => "damaged",
            Self::BeforeKey => "before the first key frame",
            Self::NoTime => "without a time",
            Self::TooLarge => "too large",
            Self::AfterEnd => "after the end of its segment",
        }
    }
}

/// A number of access units or frames, and of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Number of access units or frames; media that could not be divided into units adds only bytes.
    pub units: u64,
    /// Bytes of the elementary stream.
    pub bytes: u64,
}

impl Count {
    /// Adds units and bytes to the counts.
    pub fn add(&mut self, units: u64, bytes: usize) {
        self.units += units;
        self.bytes += bytes as u64;
    }
}

/// The counts of one track.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackWitness {
    /// PES packets that began, or samples that a fragment announced, and their bytes.
    pub taken: Count,
    /// Number of access units or frames whose start was seen.
    pub begun: u64,
    /// Packets that were handed out; their bytes without those that the demuxer added (lengths of NAL units).
    pub packets: Count,
    /// Bytes between packets that are no media: start codes, zeros after NAL units, ADTS headers.
    pub framing: u64,
    /// Units and bytes that are held because they are incomplete.
    pub open: Count,
    unused: [Count; Reason::ALL.len()],
    /// Packets whose end came only after they were handed out (see [`Reason::AfterEnd`]).
    pub cut_short: u64,
}

impl TrackWitness {
    /// Returns what could not be used for this reason.
    pub fn unused(&self, reason: Reason) -> Count {
        self.unused[reason as usize]
    }

    /// Returns what could not be used, summed over all reasons.
    pub fn unused_in_all(&self) -> Count {
        self.unused.iter().fold(Count::default(), |sum, count| Count {
            units: sum.units + count.units,
            bytes: sum.bytes + count.bytes,
        })
    }

    /// Counts units and bytes that are discarded.
    pub(crate) fn drop(&mut self, reason: Reason, units: u64, bytes: usize) {
        self.unused[reason as usize].add(units, bytes);
    }

    /// Returns the units and bytes that no count explains. Any result but `(0, 0)` is a fault of the demuxer.
    pub fn unexplained(&self) -> (i128, i128) {
        let sum = self.unused_in_all();
        let units = i128::from(self.begun) - i128::from(self.packets.units + sum.units + self.open.units);
        let bytes =
            i128::from(self.taken.bytes) - i128::from(self.packets.bytes + self.framing + sum.bytes + self.open.bytes);
        (units, bytes)
    }
}

/// What became of the bytes of the container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerWitness {
    /// All bytes that were fed.
    pub bytes: u64,
    /// Whole transport packets of 188 bytes, or MP4 samples with the bytes of boxes, or the bytes of audio frames and
    /// tags.
    pub packets: Count,
    /// Bytes that belong to none of these: before the first sync byte, between packets after damage, parts of `mdat`
    /// without a sample.
    pub skipped: u64,
    /// Bytes before or after the 188 bytes of a packet, in packets of 192 or 204 bytes.
    pub beside: u64,
    /// Bytes that are held because more are needed.
    pub held: u64,
    /// Packets of taken tracks.
    pub media: u64,
    /// Packets of tables (PAT, PMT).
    pub tables: u64,
    /// Packets of data streams.
    pub data: u64,
    /// Packets of streams that a table announces and that are not taken.
    pub passed_over: u64,
    /// Packets of PIDs that no table has announced yet.
    pub unknown: u64,
    /// Null packets (PID 0x1fff).
    pub null: u64,
    /// Packets whose header is damaged, or that the sender marked so (transport_error_indicator).
    pub damaged: u64,
    /// Legal repetitions of the previous packet of their PID (ISO/IEC 13818-1 section 2.4.3.3).
    pub duplicates: u64,
}

impl ContainerWitness {
    /// Returns the packets and bytes that no count explains. Any result but `(0, 0)` is a fault of the demuxer.
    pub fn unexplained(&self) -> (i128, i128) {
        let classes = self.media
            + self.tables
            + self.data
            + self.passed_over
            + self.unknown
            + self.null
            + self.damaged
            + self.duplicates;
        let bytes = self.packets.bytes + self.skipped + self.beside + self.held;
        (i128::from(self.packets.units) - i128::from(classes), i128::from(self.bytes) - i128::from(bytes))
    }
}

/// All counts of one demuxer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witness {
    /// Counts of the container's packets and bytes.
    pub container: ContainerWitness,
    /// Counts of the video track that is taken.
    pub video: TrackWitness,
    /// Counts of the audio track that is taken.
    pub audio: TrackWitness,
}

impl Witness {
    /// The counts of one track.
    pub fn track(&self, kind: TrackKind) -> &TrackWitness {
        match kind {
            TrackKind::Video => &self.video,
            TrackKind::Audio => &self.audio,
        }
    }

    pub(crate) fn track_mut(&mut self, kind: TrackKind) -> &mut TrackWitness {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    /// Returns whether all counts balance, as they must after each segment. False is a fault of the demuxer.
    pub fn is_balanced(&self) -> bool {
        let none = (0, 0);
        self.container.unexplained() == none && self.video.unexplained() == none && self.audio.unexplained() == none
    }
}
