//! What goes on air as a batch's audio. Typed: the numbers were checked against the policy before they come here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The audio to put under the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audio {
    /// The batch has none.
    None,
    /// The original audio of the source.
    Original,
    /// The audio that the processor returned.
    Processed,
    /// Both, with gains in hundredths of a decibel and ramps at both ends in milliseconds.
    Mix {
        /// Gain of the original.
        original_centibel: i32,
        /// Gain of the processed audio.
        processed_centibel: i32,
        /// Length of the ramps.
        ramp_ms: u32,
    },
    /// Silence as long as the original.
    Silence,
}

/// Whether packets are encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// Packets are copied without encoding.
    Copy,
    /// To AAC with the original's rate and channels; bits per second.
    Encode(Option<u32>),
}

/// What is done where the chosen audio is longer or shorter than the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Cut or fill to the original's length.
    TrimOrPad,
    /// The length stays as it is.
    Leave,
}

/// The decision for one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The audio that goes on air.
    pub audio: Audio,
    /// Whether the audio is copied or encoded.
    pub coding: Coding,
    /// New length over old in per mille of change; 50 is 5 % longer.
    pub stretch_permille: i32,
    /// How the audio is fitted to the batch at its end.
    pub fit: Fit,
    /// Shift of the audio in microseconds; positive is later.
    pub offset_us: i64,
    /// Why, for the operator.
    pub note: String,
    /// To be looked at.
    pub marked: bool,
}

impl Plan {
    /// The host's plain default: the original as it is, or nothing where there is none.
    pub fn original(has_audio: bool, note: impl Into<String>) -> Self {
        Self {
            audio: if has_audio { Audio::Original } else { Audio::None },
            coding: Coding::Copy,
            stretch_permille: 0,
            fit: Fit::Leave,
            offset_us: 0,
            note: note.into(),
            marked: false,
        }
    }

    /// True if the processor's audio is heard.
    pub fn uses_processed(&self) -> bool {
        matches!(self.audio, Audio::Processed | Audio::Mix { .. })
    }
}

/// The processor's audio on disk, as the probe found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// The file with the processed audio.
    pub path: PathBuf,
    /// ffmpeg's name of its container: `mp4`, `aac`, `wav`, `mp3`.
    pub format: &'static str,
    /// Number of packets in the file.
    pub packets: u64,
    /// Packets at its start that do not go on air: they hold the encoder's delay, or what is on air already.
    pub priming: u64,
    /// Length of one packet in nanoseconds.
    pub packet_ns: u64,
    /// The first packet that goes on air is the one that the batch before left to this one; it is due before this batch.
    pub leads: bool,
    /// The packets are the source's own.
    pub own: bool,
    /// The last packet does not go on air: it needs what follows, and the next batch makes it from this.
    pub tail: Option<Tail>,
}

/// The end of what was encoded for a batch: PCM as 32-bit floats, in the original's rate and channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The file with the samples.
    pub path: PathBuf,
    /// Their number in packets.
    pub packets: u64,
}
