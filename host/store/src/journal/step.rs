//! The steps of a batch.

/// The progress of a batch. The order of the variants is the order of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Its segments are known and on disk.
    Cut,
    /// `video.fmp4`, `audio.fmp4` and `packets.txt` exist, and the batch has its place on the timeline.
    Demuxed,
    /// Its audio was passed to the exchange.
    Sent,
    /// The decision was made: processed audio, or the original.
    Decided,
    /// It is ready for air: `air.index` exists.
    Remuxed,
    /// Its first packet was sent.
    OnAir,
    /// Its last packet was sent to every destination.
    Done,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 7] =
        [Self::Cut, Self::Demuxed, Self::Sent, Self::Decided, Self::Remuxed, Self::OnAir, Self::Done];

    /// The number that stands for the step in the journal.
    pub(super) fn code(self) -> i64 {
        self as i64
    }

    pub(super) fn of(code: i64) -> Self {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code)).copied().unwrap_or(Self::Cut)
    }

    /// The name in the API, in the journal's times and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Demuxed => "demuxed",
            Self::Sent => "sent",
            Self::Decided => "decided",
            Self::Remuxed => "remuxed",
            Self::OnAir => "on-air",
            Self::Done => "done",
        }
    }
}
