//! What is encoded in front of a batch, so that its sound goes on where the batch before ended.
//!
//! A packet of AAC overlaps with the next one: what it holds is heard whole only together with its neighbours. An encoder
//! that starts with a batch and ends with it therefore leaves a hole of a packet at both ends. So the end of the batch before
//! is encoded in front and left out; and the last packet of a batch, which needs what follows, is left to the next batch.

use std::path::PathBuf;

use super::{AAC_SAMPLES, form};
use crate::remux::plan::Tail;
use outboard_ffmpeg as ffmpeg;
use outboard_media::facts::TrackFacts;

/// Packets that are encoded in front of a batch. Behind so many, ffmpeg's encoder writes what it would write without a
/// border: measured, it takes 8.
pub const PACKETS_BEFORE: u64 = 12;

/// What was on air before a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Before {
    /// Nothing that this batch goes on after, or it is not known: the encoder starts with the batch.
    #[default]
    Nothing,
    /// Sound whose packets are all on air: the last ones in an ADTS file.
    Complete {
        /// The file, with one packet more than is heard.
        path: PathBuf,
        /// How many packets are heard.
        packets: u64,
    },
    /// Encoded sound whose last packet is left to this batch.
    Open(Tail),
}

impl Before {
    /// Packets that are encoded in front of the batch.
    pub(super) fn packets(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Complete { packets, .. } | Self::Open(Tail { packets, .. }) => *packets,
        }
    }

    /// Adds the input that holds it, which gets this index. Answers its filters, from that input to the label `[before]`.
    pub(super) fn add_to(&self, command: &mut ffmpeg::Command, index: u32, audio: &TrackFacts) -> Option<String> {
        let form = form(audio, audio.channels);
        match self {
            Self::Nothing => None,
            Self::Complete { path, .. } => {
                command.reads(path).args(["-f", "aac", "-i"]).arg(path);
                // The first packet lacks the one before it.
                let cut = format!("atrim=start_sample={AAC_SAMPLES},asetpts=PTS-STARTPTS");
                Some(format!("[{index}:a:0]{cut},{form}[before]"))
            }
            Self::Open(tail) => {
                add_pcm(command, tail, audio);
                Some(format!("[{index}:a:0]{form}[before]"))
            }
        }
    }
}

/// Adds the input of a tail.
pub(super) fn add_pcm(command: &mut ffmpeg::Command, tail: &Tail, audio: &TrackFacts) {
    let (rate, channels) = (audio.sample_rate.to_string(), audio.channels.to_string());
    command.args(["-f", "f32le", "-ar", &rate, "-ac", &channels, "-i"]);
    command.reads(&tail.path).arg(&tail.path);
}
