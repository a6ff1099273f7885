//! What a demuxer took in, handed out, and could not use: counted apart, so that they can be held against each other.
//!
//! Bytes are counted where they arrive (payloads of PES packets, samples that a `trun` announces) before anything looks into
//! them; packets where they leave; what is thrown away where that happens. [`TrackWitness::unexplained`] is what no count explains.

use super::event::Kind;

/// Why media cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It has no beginning or no end: the input was cut off, or begins in the middle of it.
    Truncated,
    /// Packets of 188 bytes are missing inside it, by the continuity counter.
    Lost,
    /// It is scrambled, or encrypted.
    Scrambled,
    /// It is not what its codec or its container allows for.
    Corrupt,
    /// A picture before the first one that decoding can start at.
    BeforeKey,
    /// No time is known for it.
    NoTime,
    /// It is longer than [`DEMUX_UNIT_BYTES_MAX`](crate::limits::DEMUX_UNIT_BYTES_MAX).
    TooLarge,
    /// It went on after a segment's end although its end had been seen, so its beginning is out already.
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

    /// In a sentence: "3 packets were not used: … ".
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

/// Access units or frames, and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Access units or frames; what could not be told apart counts by its bytes only.
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
    /// PES packets that began, or samples that a fragment announced, and their bytes as they arrived.
    pub taken: Count,
    /// Access units or frames whose beginning was seen.
    pub begun: u64,
    /// Packets that left; bytes without what the demuxer added (lengths of NAL units).
    pub packets: Count,
    /// Bytes between packets that are no media: start codes, zeros after NAL units, ADTS headers.
    pub framing: u64,
    /// What is being gathered now.
    pub open: Count,
    unused: [Count; Reason::ALL.len()],
    /// Packets whose end came only after they were handed out (see [`Reason::AfterEnd`]).
    pub cut_short: u64,
}

impl TrackWitness {
    /// What could not be used for this reason.
    pub fn unused(&self, reason: Reason) -> Count {
        self.unused[reason as usize]
    }

    /// What could not be used, for any reason.
    pub fn unused_in_all(&self) -> Count {
        self.unused.iter().fold(Count::default(), |sum, count| Count {
            units: sum.units + count.units,
            bytes: sum.bytes + count.bytes,
        })
    }

    /// Counts what is thrown away.
    pub(crate) fn drop(&mut self, reason: Reason, units: u64, bytes: usize) {
        self.unused[reason as usize].add(units, bytes);
    }

    /// Units and bytes that no count explains; `(0, 0)` always, or the demuxer has a fault.
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
    /// Bytes of whole packets (188 each), or of MP4 boxes and samples, or of sound frames and tags.
    pub packets: Count,
    /// Bytes that belong to none: before the first sync byte, between packets after damage, `mdat` that no sample points to.
    pub skipped: u64,
    /// Bytes beside each packet of 192 or 204 bytes.
    pub beside: u64,
    /// Bytes that wait for more.
    pub held: u64,
    /// Packets of taken tracks.
    pub media: u64,
    /// Packets of tables (PAT, PMT).
    pub tables: u64,
    /// Packets of data streams.
    pub data: u64,
    /// Packets that are announced and not taken.
    pub passed_over: u64,
    /// Packets of PIDs that no table has announced yet.
    pub unknown: u64,
    /// Null packets (PID 0x1fff).
    pub null: u64,
    /// Packets whose header is damaged, or that the sender marked so (transport_error_indicator).
    pub damaged: u64,
    /// Legal repetitions of the packet before (ISO/IEC 13818-1 section 2.4.3.3).
    pub duplicates: u64,
}

impl ContainerWitness {
    /// Packets and bytes that no count explains; `(0, 0)` always, or the demuxer has a fault.
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
    /// Of the pictures that were taken.
    pub video: TrackWitness,
    /// Of the sound that was taken.
    pub audio: TrackWitness,
}

impl Witness {
    /// The counts of one track.
    pub fn track(&self, kind: Kind) -> &TrackWitness {
        match kind {
            Kind::Video => &self.video,
            Kind::Audio => &self.audio,
        }
    }

    pub(crate) fn track_mut(&mut self, kind: Kind) -> &mut TrackWitness {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    /// Every count explains every other. Hold it to this after each segment; alarm if not.
    pub fn is_balanced(&self) -> bool {
        let none = (0, 0);
        self.container.unexplained() == none && self.video.unexplained() == none && self.audio.unexplained() == none
    }
}
