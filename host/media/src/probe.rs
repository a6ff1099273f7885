//! Probes audio that a processor returned, before it is used: container, codec, rate, channels, and the duration by its
//! packets.
//!
//! In: the bytes of an untrusted file. Out: a [`Probe`], or the reason why the file cannot be used. One in eight AAC
//! packets is decoded, nothing else; 30 s of audio take a few milliseconds. Damage to a few packets may not be
//! detected.
//!
//! Limits, before a library gets the bytes: the readers `tables`, `chunks` and `adts` refuse a file whose counts exceed
//! its bytes, or which needs more than [`crate::limits::PROBE_STEPS_MAX`]. While the library reads:
//! [`PROBE_PACKETS_MAX`], and [`PROBE_TIME_MAX`], after which reads fail.

mod aac;
mod adts;
pub(super) mod boxes;
mod chunks;
mod configured;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod packets;
mod tables;

use std::fmt;

use serde::Serialize;

use crate::limits::{PROBE_PACKETS_MAX, PROBE_TIME_MAX};

/// The supported containers of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// MP4, fragmented or not.
    Fmp4,
    /// AAC frames with ADTS headers.
    Adts,
    /// A RIFF WAVE file.
    Wav,
    /// MPEG audio, layer 3.
    Mp3,
}

impl Container {
    /// The name in the contract (`wit/remux-planning.wit`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Fmp4 => "fmp4",
            Self::Adts => "adts",
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
        }
    }
}

impl Container {
    /// ffmpeg's name of the container.
    pub fn ffmpeg_name(self) -> &'static str {
        match self {
            Self::Fmp4 => "mp4",
            Self::Adts => "aac",
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The facts of returned audio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The container of the file.
    pub container: Container,
    /// ffmpeg's name of the codec: `aac`, `mp3`, `pcm_s16le`, ….
    pub codec: &'static str,
    /// Sample rate, in samples per second.
    pub sample_rate_hz: u32,
    /// Number of audio channels.
    pub channels: u32,
    /// Sum of the packets' durations, in microseconds, including the encoder's delay and padding.
    pub duration_us: u64,
    /// Number of packets; for PCM, of the blocks that are read.
    pub packets: u64,
    /// Number of samples of one channel in all packets, including the encoder's delay and padding.
    pub samples: u64,
    /// The encoder's delay at the start, in samples, if the file has it (MP4 edit list, iTunSMPB, LAME header).
    pub delay_samples: Option<u64>,
    /// The encoder's padding at the end, in samples, if the file has it (iTunSMPB, LAME header).
    pub padding_samples: Option<u64>,
    /// True if the packets can go on air without encoding: AAC-LC, in MP4 or ADTS.
    pub copyable: bool,
}

/// Why a file cannot be used as audio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The file has no bytes.
    #[error("it is empty")]
    Empty,
    /// The file has none of the supported containers.
    #[error("its {0} bytes are neither MP4, ADTS, WAV nor MP3")]
    Unknown(usize),
    /// The file ends too early.
    #[error("the {container} file is cut off: {what}")]
    Truncated {
        /// The container of the file.
        container: Container,
        /// What is missing, in words.
        what: String,
    },
    /// The structure of the file is invalid.
    #[error("the {container} file is damaged: {what}")]
    Damaged {
        /// The container of the file.
        container: Container,
        /// The part that is invalid.
        what: String,
    },
    /// The codec is not supported.
    #[error("the {container} file holds {codec}; AAC, MP3 or PCM is wanted")]
    Codec {
        /// The container of the file.
        container: Container,
        /// The codec of the file.
        codec: String,
    },
    /// The file has no audio.
    #[error("the {0} file holds no audio")]
    NoAudio(Container),
    /// The file has too many packets.
    #[error("the {0} file has more than {PROBE_PACKETS_MAX} packets")]
    TooManyPackets(Container),
    /// The file takes too long to read.
    #[error("the {0} file takes longer than {PROBE_TIME_MAX:?} to read")]
    TooSlow(Container),
}

/// Probes the bytes of a file. Blocks, for well under a millisecond per MiB.
///
/// # Errors
/// [`ProbeError`] with the reason why the file cannot be used.
pub fn probe(data: &[u8]) -> Result<Probe, ProbeError> {
    let container = sniff(data)?;
    let read = || match container {
        Container::Adts => adts::probe(skip_id3(data)),
        Container::Fmp4 => {
            let facts = boxes::check(data)?;
            tables::check(data)?;
            let probe = configured::probe(data)?;
            let delay_samples = facts.delay_samples(probe.sample_rate_hz);
            Ok(Probe { delay_samples, padding_samples: facts.padding_samples(), ..probe })
        }
        Container::Wav => {
            chunks::check(data)?;
            packets::probe(data, container)
        }
        Container::Mp3 => packets::probe(skip_id3(data), container),
    };
    // The readers calculate with what a stranger wrote, and some sums overflow (seen in symphonia 0.6.1 with a changed
    // `moof`): a panic in debug builds, which is then the file's fault, not ours.
    let probe = std::panic::catch_unwind(read)
        .unwrap_or_else(|_| Err(ProbeError::Damaged { container, what: "its numbers make no sense".to_owned() }))?;
    if probe.packets == 0 || probe.duration_us == 0 || probe.channels == 0 || probe.sample_rate_hz == 0 {
        return Err(ProbeError::NoAudio(container));
    }
    Ok(probe)
}

fn sniff(data: &[u8]) -> Result<Container, ProbeError> {
    if data.is_empty() {
        return Err(ProbeError::Empty);
    }
    match (data.get(..4), data.get(4..8), data.get(8..12)) {
        (_, Some(b"ftyp"), _) => return Ok(Container::Fmp4),
        (Some(b"RIFF" | b"RIFX" | b"RF64"), _, Some(b"WAVE")) => return Ok(Container::Wav),
        _ => {}
    }
    // 12 bits of sync, then in ADTS layer 0, in MPEG audio layer 3 (01) with 11 bits of sync.
    match skip_id3(data) {
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Ok(Container::Adts),
        [0xff, second, ..] if second & 0xe6 == 0xe2 => Ok(Container::Mp3),
        _ => Err(ProbeError::Unknown(data.len())),
    }
}

/// The bytes after the ID3v2 tag, if there is one (id3.org, ID3v2.4 structure, section 3.1).
fn skip_id3(data: &[u8]) -> &[u8] {
    let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = data else { return data };
    let size = [a, b, c, d].iter().fold(0_usize, |size, byte| size << 7 | usize::from(**byte & 0x7f));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    data.get(10 + size + footer..).unwrap_or_default()
}

#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::replies as fuzz_replies;

#[cfg(test)]
mod tests;
