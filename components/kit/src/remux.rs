//! What remux-planning stages share: the contract's facts and plans in plain Rust, and what to do with returned audio that
//! is longer or shorter than the original.
//!
//! They remember nothing, so each reads the others' snapshots.

use crate::settings::{Field, FieldKind, Problem, Values};
use crate::snapshot::{self, Origin};
use serde::de::IgnoredAny;

/// Whose snapshots a remux-planning stage reads.
pub const READABLE: &[Origin] = &[REPLACE, DUCK];
/// The processed audio in the original's place.
pub const REPLACE: Origin = Origin { stage: "remux-replace", layout: 1 };
/// The original under the processed audio.
pub const DUCK: Origin = Origin { stage: "remux-duck", layout: 1 };

/// Whether a snapshot is one that a remux-planning stage may begin from. There is nothing in it to be read.
///
/// # Errors
/// Why not.
pub fn check_state(state: &[u8]) -> Result<(), String> {
    snapshot::read::<IgnoredAny>(READABLE, state).map(drop)
}

/// A batch's original audio.
#[derive(Debug, Clone, Copy)]
pub struct Audio {
    /// Length in microseconds.
    pub duration_us: u64,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Channel count.
    pub channels: u32,
    /// Length of one packet in microseconds.
    pub packet_us: u64,
}

/// Audio that came back.
#[derive(Debug, Clone, Copy)]
pub struct Returned {
    /// Length in microseconds.
    pub duration_us: u64,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Channel count.
    pub channels: u32,
    /// True if its packets can go on air without being encoded.
    pub copyable: bool,
}

/// All that a plan is made from.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The original audio; absent if the batch has none.
    pub audio: Option<Audio>,
    /// What came back, or why nothing did, in words.
    pub reply: Result<Returned, String>,
    /// True if nothing was sent, on purpose: then an original is nothing to tell of.
    pub not_sent: bool,
    /// Largest change of speed that the host takes, in per mille.
    pub max_stretch_permille: u32,
    /// Largest gain that the host takes, in hundredths of a decibel.
    pub max_gain_centibel: u32,
}

/// The audio to put under the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The batch has no audio.
    None,
    /// The source's own.
    Original,
    /// The processor's.
    Processed,
    /// Both.
    Mix {
        /// Gain of the original in hundredths of a decibel.
        original_centibel: i32,
        /// Gain of the processed audio in hundredths of a decibel.
        processed_centibel: i32,
        /// Ramp at both ends.
        ramp_ms: u32,
    },
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which audio.
    pub choice: Choice,
    /// Absent: copied. Else encoded, with the bit rate where it is set.
    pub encode: Option<Option<u32>>,
    /// Change of length in per mille.
    pub stretch_permille: i32,
    /// Whether to trim or pad to the original's length; otherwise it is left as it is.
    pub trim_or_pad: bool,
    /// Why, for the operator.
    pub note: String,
    /// Whether the operator should look.
    pub marked: bool,
}

impl Plan {
    /// The original audio, copied.
    pub fn original(why: &str, marked: bool) -> Self {
        let (choice, note) = (Choice::Original, why.to_owned());
        Self { choice, encode: None, stretch_permille: 0, trim_or_pad: false, note, marked }
    }
}

/// Makes the plan for one batch: `usable` decides where there is audio to work with.
pub fn plan(facts: &Facts, usable: impl FnOnce(Audio, Returned) -> Plan) -> Plan {
    let Some(audio) = facts.audio else {
        return Plan { choice: Choice::None, ..Plan::original("the batch has no audio", false) };
    };
    match &facts.reply {
        Err(why) => Plan::original(why, !facts.not_sent),
        Ok(returned) if audio.duration_us == 0 || returned.duration_us == 0 => {
            Plan::original("the original or the returned audio has no length", true)
        }
        Ok(returned) => usable(audio, *returned),
    }
}

/// The setting [`Lengths::tolerance_frames`].
pub const TOLERANCE: Field = Field {
    key: "tolerance_frames",
    title: "Left as it is up to",
    description: "Processed audio that is longer or shorter than the original by at most so many frames of the original is not stretched; what is over is cut, what is missing is silence.",
    kind: FieldKind::Integer { min: 1, max: 10, default: 1 },
};

/// The setting [`Lengths::stretch_permille`].
pub const STRETCH: Field = Field {
    key: "stretch_percent",
    title: "Stretch up to",
    description: "Processed audio whose length differs from the original's by at most so many per cent is stretched to fit.",
    kind: FieldKind::Integer { min: 0, max: 50, default: 10 },
};

/// The setting [`Lengths::stretch_marked_permille`].
pub const STRETCH_MARKED: Field = Field {
    key: "stretch_marked_percent",
    title: "Stretch and mark up to",
    description: "Up to so many per cent it is stretched too, and the batch is marked for the operator. Above it the original goes on air, marked.",
    kind: FieldKind::Integer { min: 0, max: 50, default: 20 },
};

/// The setting that [`bitrate`] reads.
pub const BITRATE: Field = Field {
    key: "bitrate_kbps",
    title: "Bit rate",
    description: "Bit rate of audio that must be encoded, in kbit/s; 0 leaves it to the host.",
    kind: FieldKind::Integer { min: 0, max: 512, default: 0 },
};

/// Lowest bit rate that AAC is of use at.
const BITRATE_KBPS_MIN: i64 = 16;

/// Reads [`BITRATE`]: bits per second, where it is set.
pub fn bitrate(values: &Values, problems: &mut Vec<Problem>) -> Option<u32> {
    let kbps = values.integer(BITRATE.key);
    if kbps != 0 && kbps < BITRATE_KBPS_MIN {
        let message = format!("{kbps} is neither 0 nor from {BITRATE_KBPS_MIN} to 512");
        problems.push(Problem { path: BITRATE.key.to_owned(), message });
    }
    u32::try_from(kbps).ok().filter(|kbps| *kbps > 0).map(|kbps| kbps * 1000)
}

/// How far lengths may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Left as it is up to this many of the original's packets.
    pub tolerance_frames: u64,
    /// Stretched without a word up to this difference, in per mille of the original's length.
    pub stretch_permille: u64,
    /// Stretched and marked up to this difference, in per mille of the original's length.
    pub stretch_marked_permille: u64,
}

/// What is done about a difference in length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Nothing: it is within the tolerance.
    AsItIs,
    /// Stretched by so many per mille of its own length.
    Stretch {
        /// Positive: longer.
        permille: i32,
        /// Whether the operator should look.
        marked: bool,
    },
    /// It differs too much to be used.
    TooFar,
}

impl Lengths {
    /// Reads [`TOLERANCE`], [`STRETCH`] and [`STRETCH_MARKED`].
    pub fn read(values: &Values, problems: &mut Vec<Problem>) -> Self {
        let (plain, marked) = (values.integer(STRETCH.key), values.integer(STRETCH_MARKED.key));
        if marked < plain {
            let message = format!("{marked} is below stretch_percent, which is {plain}");
            problems.push(Problem { path: STRETCH_MARKED.key.to_owned(), message });
        }
        let number = |value: i64| u64::try_from(value).unwrap_or_default();
        Self {
            tolerance_frames: number(values.integer(TOLERANCE.key)),
            stretch_permille: number(plain) * 10,
            stretch_marked_permille: number(marked) * 10,
        }
    }

    /// What is done with returned audio of this length. The stretch keeps within `max_stretch_permille`.
    pub fn fit(&self, audio: Audio, returned: Returned, max_stretch_permille: u32) -> Fit {
        let (was, is) = (audio.duration_us, returned.duration_us);
        let difference = was.abs_diff(is);
        if difference <= audio.packet_us.saturating_mul(self.tolerance_frames) {
            return Fit::AsItIs;
        }
        // A difference of exactly 10 % is still "up to 10 %": round up only what is over.
        let off = (u128::from(difference) * 1000).div_ceil(u128::from(was.max(1)));
        let stretch = stretch_permille(was, is).filter(|permille| permille.unsigned_abs() <= max_stretch_permille);
        match stretch {
            Some(permille) if off <= u128::from(self.stretch_marked_permille) => {
                Fit::Stretch { permille, marked: off > u128::from(self.stretch_permille) }
            }
            _ => Fit::TooFar,
        }
    }
}

/// The change that makes `is` as long as `was`, in per mille of `is`, to the nearest.
fn stretch_permille(was: u64, is: u64) -> Option<i32> {
    let (was, is) = (i128::from(was), i128::from(is.max(1)));
    let change = (was - is) * 1000;
    let rounded = (change.abs() * 2 + is).div_euclid(is * 2) * change.signum();
    i32::try_from(rounded).ok()
}

/// The difference in length, for a note.
pub fn length_difference(audio: Audio, returned: Returned) -> String {
    let (was, is) = (audio.duration_us, returned.duration_us);
    let difference_ms = was.abs_diff(is) / 1000;
    match is.cmp(&was) {
        std::cmp::Ordering::Equal => "as long as the original".to_owned(),
        std::cmp::Ordering::Greater => format!("{difference_ms} ms longer than the original"),
        std::cmp::Ordering::Less => format!("{difference_ms} ms shorter than the original"),
    }
}

#[cfg(test)]
mod tests;
