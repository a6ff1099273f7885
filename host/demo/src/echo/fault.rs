//! The syntax of faults: `FAULT[:ARGUMENT]@WHICH`. In: an argument of the command line. Out: a [`Rule`], or an error
//! that names the wrong part and what would be valid. Deterministic: each run chooses the same fragments.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The description of the syntax for `--help`.
pub const HELP: &str = "\
Fault to simulate, as FAULT@WHICH. Repeat for several faults; all faults that match a fragment apply, in order.

FAULT
  drop              ignore the fragment: no ack, no reply
  silent            send the ack if --ack is set, never reply
  fail              reply fragment:error, not retryable
  fail:retryable    reply fragment:error, retryable
  late:MS           reply after MS milliseconds
  duplicate         reply twice
  reorder           reply after the next reply
  disconnect        close the session instead of replying
  corrupt           flip bits in the middle of the audio
  garbage           reply with random bytes
  truncate          reply with the first half of the bytes
  empty             reply with no bytes
  shorten:P%        make the audio P per cent shorter (ffmpeg, 1 to 50)
  lengthen:P%       make the audio P per cent longer (ffmpeg, 1 to 50)
  wav, adts, mp3    reply in this container (ffmpeg)

WHICH, by batch number from 0
  3                 this batch
  2..4              from 2 to 4
  every:N           every Nth batch: with 4, these are 3, 7, 11, …
  all               all batches
  random:P%[:SEED]  P per cent of the batches, the same ones in each run with the same seed
  first:WHICH       of these, only the first time that each one is received";

/// The fault that is applied to a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Send neither an ack nor a reply.
    Drop,
    /// Send the ack if acks are enabled, but no reply.
    Silent,
    /// Send `fragment:error` instead of the processed audio.
    Fail {
        /// Whether the client should retry.
        retryable: bool,
    },
    /// Reply after this time instead of the configured delay.
    Late(Duration),
    /// Send the reply twice.
    Duplicate,
    /// Send the reply after the next one.
    Reorder,
    /// Close the client's socket instead of sending a reply.
    Disconnect,
    /// Flip bits in the middle fifth of the audio.
    Corrupt,
    /// Reply with random bytes.
    Garbage,
    /// Reply with half of the bytes.
    Truncate,
    /// Reply with audio of zero bytes.
    Empty,
    /// Change the length, in per cent of the original; below or above 100.
    Length(u32),
    /// Reply with the audio converted to 16-bit PCM in WAV.
    Wav,
    /// Reply with the audio in ADTS, without encoding it again.
    Adts,
    /// Reply with the audio encoded as MP3.
    Mp3,
}

/// Selects fragments by batch number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The fragment with this batch number.
    Number(u64),
    /// A range, both ends included.
    Range(u64, u64),
    /// Every Nth fragment: with 4, the batch numbers 3, 7, 11 and so on.
    Every(u64),
    /// All fragments, whatever their batch number.
    All,
    /// A pseudo-random share of all fragments.
    Random {
        /// Share in per cent, 0 to 100.
        percent: u64,
        /// Seed of the selection.
        seed: u64,
    },
}

/// A fault and the fragments to which it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The fault that is simulated.
    pub fault: Fault,
    /// The fragments to which the fault is applied.
    pub selection: Selection,
    /// Applies only to the first transmission of a fragment, not when it is sent again.
    pub first_only: bool,
}

/// Why a rule cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The text is not FAULT@WHICH.
    #[error("{0:?} has no @; expected FAULT@WHICH, such as drop@3")]
    NoSelection(String),
    /// The fault is unknown.
    #[error(
        "unknown fault {0:?}; expected one of drop, silent, fail, late:MS, duplicate, reorder, disconnect, corrupt, garbage, truncate, empty, shorten:P%, lengthen:P%, wav, adts, mp3"
    )]
    Fault(String),
    /// The argument is invalid.
    #[error("{fault}: {value:?} is invalid; expected {wanted}")]
    Argument {
        /// The fault or selection that has the argument.
        fault: &'static str,
        /// The value as it was given.
        value: String,
        /// What would be valid.
        wanted: &'static str,
    },
    /// The selection is unknown.
    #[error("unknown selection {0:?}; expected a number, FROM..TO, every:N, all, random:P%[:SEED] or first:WHICH")]
    Selection(String),
}

impl Selection {
    /// Whether a fragment is selected.
    pub fn contains(&self, number: u64) -> bool {
        match *self {
            Self::Number(one) => number == one,
            Self::Range(from, to) => (from..=to).contains(&number),
            Self::Every(n) => number % n == n - 1,
            Self::All => true,
            Self::Random { percent, seed } => mixed(seed ^ mixed(number)) % 100 < percent,
        }
    }
}

impl Rule {
    /// Whether the rule applies to this fragment; `time` counts earlier transmissions of it, from 0.
    pub fn applies(&self, number: u64, time: u64) -> bool {
        self.selection.contains(number) && !(self.first_only && time > 0)
    }
}

/// A pseudo-random number (the finisher of SplitMix64).
pub fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl FromStr for Rule {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (fault, which) = text.split_once('@').ok_or_else(|| FaultError::NoSelection(text.to_owned()))?;
        let (first_only, which) = which.strip_prefix("first:").map_or((false, which), |which| (true, which));
        Ok(Self { fault: fault.parse()?, selection: which.parse()?, first_only })
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let percent = |fault, value: &str| number_in(fault, value.strip_suffix('%').unwrap_or(value), 1..=50);
        Ok(match text.split_once(':').unwrap_or((text, "")) {
            ("drop", "") => Self::Drop,
            ("silent", "") => Self::Silent,
            ("fail", "") => Self::Fail { retryable: false },
            ("fail", "retryable") => Self::Fail { retryable: true },
            ("late", ms) => Self::Late(Duration::from_millis(number("late", ms, "a number of milliseconds")?)),
            ("duplicate", "") => Self::Duplicate,
            ("reorder", "") => Self::Reorder,
            ("disconnect", "") => Self::Disconnect,
            ("corrupt", "") => Self::Corrupt,
            ("garbage", "") => Self::Garbage,
            ("truncate", "") => Self::Truncate,
            ("empty", "") => Self::Empty,
            ("shorten", value) => Self::Length(100 - percent("shorten", value)?),
            ("lengthen", value) => Self::Length(100 + percent("lengthen", value)?),
            ("wav", "") => Self::Wav,
            ("adts", "") => Self::Adts,
            ("mp3", "") => Self::Mp3,
            _ => return Err(FaultError::Fault(text.to_owned())),
        })
    }
}

impl FromStr for Selection {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        const NUMBER: &str = "a batch number";
        if let Some((from, to)) = text.split_once("..") {
            let (from, last) = (number("range", from, NUMBER)?, number("range", to.trim_start_matches('='), NUMBER)?);
            if from > last {
                return Err(wrong("range", text, "FROM..TO with FROM not above TO"));
            }
            return Ok(Self::Range(from, last));
        }
        match text.split_once(':').unwrap_or((text, "")) {
            ("all", "") => Ok(Self::All),
            ("every", n) => match number("every", n, "a number from 1")? {
                0 => Err(wrong("every", n, "a number from 1")),
                n => Ok(Self::Every(n)),
            },
            ("random", rest) => {
                let (percent, seed) = rest.split_once(':').unwrap_or((rest, "0"));
                let percent = number_in("random", percent.strip_suffix('%').unwrap_or(percent), 0..=100)?;
                Ok(Self::Random { percent: percent.into(), seed: number("random", seed, "a number as seed")? })
            }
            _ => text.parse().map(Self::Number).map_err(|_| FaultError::Selection(text.to_owned())),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Silent => f.write_str("silent"),
            Self::Fail { retryable: false } => f.write_str("fail"),
            Self::Fail { retryable: true } => f.write_str("fail:retryable"),
            Self::Late(delay) => write!(f, "late:{}", delay.as_millis()),
            Self::Duplicate => f.write_str("duplicate"),
            Self::Reorder => f.write_str("reorder"),
            Self::Disconnect => f.write_str("disconnect"),
            Self::Corrupt => f.write_str("corrupt"),
            Self::Garbage => f.write_str("garbage"),
            Self::Truncate => f.write_str("truncate"),
            Self::Empty => f.write_str("empty"),
            Self::Length(percent) if *percent < 100 => write!(f, "shorten:{}%", 100 - percent),
            Self::Length(percent) => write!(f, "lengthen:{}%", percent - 100),
            Self::Wav => f.write_str("wav"),
            Self::Adts => f.write_str("adts"),
            Self::Mp3 => f.write_str("mp3"),
        }
    }
}

fn number(fault: &'static str, value: &str, wanted: &'static str) -> Result<u64, FaultError> {
    value.parse().map_err(|_| wrong(fault, value, wanted))
}

fn number_in(fault: &'static str, value: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, FaultError> {
    let wanted = if *range.start() == 0 { "per cent from 0 to 100" } else { "per cent from 1 to 50" };
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| wrong(fault, value, wanted))
}

fn wrong(fault: &'static str, value: &str, wanted: &'static str) -> FaultError {
    FaultError::Argument { fault, value: value.to_owned(), wanted }
}

#[cfg(test)]
mod tests;
