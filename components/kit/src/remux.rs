//! The code that remux-planning stages share: the contract's facts and plans in plain Rust, and the rule for returned audio that is
//! longer or shorter than the original.
//!
//! These stages have no state, so each accepts the others' snapshots.

use crate::settings::{Field, FieldKind, Problem, Values};
use crate::snapshot::{self, Origin};
use serde::de::IgnoredAny;

/// The writers whose snapshots a remux-planning stage accepts.
pub const READABLE: &[Origin] = &[REPLACE, DUCK];
/// The writer of `remux-replace`'s snapshots.
pub const REPLACE: Origin = Origin { stage: "remux-replace", layout: 1 };
/// The writer of `remux-duck`'s snapshots.
pub const DUCK: Origin = Origin { stage: "remux-duck", layout: 1 };

/// Checks that a snapshot was written by a remux-planning stage. It contains no state.
///
/// # Errors
/// A sentence that says why it cannot be used.
pub fn check_state(state: &[u8]) -> Result<(), String> {
    snapshot::read::<IgnoredAny>(READABLE, state).map(drop)
}

/// A batch's original audio.
#[derive(Debug, Clone, Copy)]
pub struct Audio {
    /// Length of the audio, in microseconds.
    pub duration_us: u64,
    /// Sample rate, in samples per second.
    pub sample_rate_hz: u32,
    /// Number of audio channels.
    pub channels: u32,
    /// Length of one packet, in microseconds.
    pub packet_us: u64,
}

impl Audio {
    /// The largest difference between two lengths, in microseconds, that is at most this many packets. Lengths and the
    /// packet are rounded to microseconds; that alone never makes a difference larger than this.
    pub fn packets_us(&self, packets: u64) -> u64 {
        match self.packet_us {
            0 => 0,
            packet => packet.saturating_mul(packets).saturating_add(packets).saturating_add(1),
        }
    }
}

/// The audio that the processor returned.
#[derive(Debug, Clone, Copy)]
pub struct Returned {
    /// Length of the audio, in microseconds.
    pub duration_us: u64,
    /// Sample rate, in samples per second.
    pub sample_rate_hz: u32,
    /// Number of audio channels.
    pub channels: u32,
    /// True if its packets can go on air without being encoded.
    pub copyable: bool,
}

/// The facts of a batch, from which its plan is made.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The original audio; `None` if the batch has none.
    pub audio: Option<Audio>,
    /// The returned audio, or a sentence that says why there is none.
    pub reply: Result<Returned, String>,
    /// True if nothing was sent to the processor on purpose; the original audio then needs no mark.
    pub not_sent: bool,
    /// Largest change of length that the host's policy allows, in per mille.
    pub max_stretch_permille: u32,
    /// Largest gain that the host's policy allows, in hundredths of a decibel.
    pub max_gain_centibel: u32,
}

/// The audio that goes on air with the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The batch has no audio.
    None,
    /// The original audio of the source.
    Original,
    /// The audio that the processor returned.
    Processed,
    /// Both, mixed with these gains.
    Mix {
        /// Gain of the original in hundredths of a decibel.
        original_centibel: i32,
        /// Gain of the processed audio in hundredths of a decibel.
        processed_centibel: i32,
        /// Length of the gain ramp at each end of the batch, in milliseconds.
        ramp_ms: u32,
    },
}

/// The decision about one batch's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The audio that goes on air.
    pub choice: Choice,
    /// `None`: packets are copied. `Some`: audio is encoded, with this bit rate in bits per second, or the host's default.
    pub encode: Option<Option<u32>>,
    /// Change of length by stretching, in per mille; positive: longer.
    pub stretch_permille: i32,
    /// True: trimmed or padded with silence to the original's length. False: its length is not changed.
    pub trim_or_pad: bool,
    /// The reason, for the operator.
    pub note: String,
    /// True: the batch is marked, for an operator to look at it.
    pub marked: bool,
}

impl Plan {
    /// A plan with the original audio, copied; `why` becomes its note.
    pub fn original(why: &str, marked: bool) -> Self {
        let (choice, note) = (Choice::Original, why.to_owned());
        Self { choice, encode: None, stretch_permille: 0, trim_or_pad: false, note, marked }
    }
}

/// Makes the plan for one batch. `usable` is called if both original and returned audio exist and have a length.
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

/// The field of the setting [`Lengths::tolerance_frames`].
pub const TOLERANCE: Field = Field {
    key: "tolerance_frames",
    title: "Left as it is up to",
    description: "Processed audio that is longer or shorter than the original by at most this many of the original's AAC frames is not stretched: the surplus is cut, or silence is added.",
    kind: FieldKind::Integer { min: 1, max: 10, default: 1 },
};

/// The field of the setting [`Lengths::stretch_permille`].
pub const STRETCH: Field = Field {
    key: "stretch_percent",
    title: "Stretch up to",
    description: "Processed audio whose length differs from the original's by at most this percentage is stretched to fit.",
    kind: FieldKind::Integer { min: 0, max: 50, default: 10 },
};

/// The field of the setting [`Lengths::stretch_marked_permille`].
pub const STRETCH_MARKED: Field = Field {
    key: "stretch_marked_percent",
    title: "Stretch and mark up to",
    description: "Up to this percentage, the audio is stretched too, and the batch is marked for the operator. Above it, the original audio goes on air, and the batch is marked.",
    kind: FieldKind::Integer { min: 0, max: 50, default: 20 },
};

/// The field of the setting that [`bitrate`] reads.
pub const BITRATE: Field = Field {
    key: "bitrate_kbps",
    title: "Bit rate",
    description: "Bit rate of audio that must be encoded, in kbit/s; 0 leaves it to the host.",
    kind: FieldKind::Integer { min: 0, max: 512, default: 0 },
};

/// Lowest bit rate that can be set for AAC, kbit/s.
const BITRATE_KBPS_MIN: i64 = 16;

/// Reads [`BITRATE`]: bits per second, or `None` if it is 0. Adds a problem if it is too low.
pub fn bitrate(values: &Values, problems: &mut Vec<Problem>) -> Option<u32> {
    let kbps = values.integer(BITRATE.key);
    if kbps != 0 && kbps < BITRATE_KBPS_MIN {
        let message = format!("{kbps} is neither 0 nor from {BITRATE_KBPS_MIN} to 512");
        problems.push(Problem { path: BITRATE.key.to_owned(), message });
    }
    u32::try_from(kbps).ok().filter(|kbps| *kbps > 0).map(|kbps| kbps * 1000)
}

/// How far the returned audio's length may differ from the original's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Not stretched up to a difference of this many packets of the original.
    pub tolerance_frames: u64,
    /// Stretched, without a mark, up to this difference, in per mille of the original's length.
    pub stretch_permille: u64,
    /// Stretched and marked up to this difference, in per mille of the original's length.
    pub stretch_marked_permille: u64,
}

/// How a difference in length is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The difference is within the tolerance: the audio is not stretched.
    AsItIs,
    /// The returned audio is stretched.
    Stretch {
        /// Change of its length, in per mille of it; positive: longer.
        permille: i32,
        /// True: the batch is marked for the operator.
        marked: bool,
    },
    /// The difference is too large: the returned audio is not used.
    TooFar,
}

impl Lengths {
    /// Reads [`TOLERANCE`], [`STRETCH`] and [`STRETCH_MARKED`]; adds a problem if the last is below the second.
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

    /// Decides how returned audio of this length is handled. The stretch is at most `max_stretch_permille`.
    pub fn fit(&self, audio: Audio, returned: Returned, max_stretch_permille: u32) -> Fit {
        let (was, is) = (audio.duration_us, returned.duration_us);
        let difference = was.abs_diff(is);
        if difference <= audio.packets_us(self.tolerance_frames) {
            return Fit::AsItIs;
        }
        // Rounded up, so that a difference of exactly 10 % is within 10 %, and anything above is not.
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

/// The change of length that makes `is` as long as `was`, in per mille of `is`, rounded to the nearest.
fn stretch_permille(was: u64, is: u64) -> Option<i32> {
    let (was, is) = (i128::from(was), i128::from(is.max(1)));
    let change = (was - is) * 1000;
    let rounded = (change.abs() * 2 + is).div_euclid(is * 2) * change.signum();
    i32::try_from(rounded).ok()
}

/// The difference in length in words, for a note.
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
