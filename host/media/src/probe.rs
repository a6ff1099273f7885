//! Probes audio that a processor returned, before it is used: container, codec, rate, channels, duration from the packets.
//!
//! In: a file's bytes, from a stranger. Out: a [`Probe`], or the reason why the bytes cannot be used. One AAC packet in 8
//! is decoded, nothing else; 30 s of audio take a few milliseconds. Damage to a few packets may go unseen.
//!
//! Bounded before a library sees the bytes: our own readers (`tables`, `chunks`, `adts`) refuse what counts more than
//! there is, or asks for more than [`crate::limits::PROBE_STEPS_MAX`]. Bounded while it reads: [`PROBE_PACKETS_MAX`], and
//! [`PROBE_TIME_MAX`], at which its reads fail.

mod aac;
mod adts;
pub(super) mod boxes;
mod chunks;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod packets;
mod tables;

use std::fmt;

use serde::Serialize;

use crate::limits::{PROBE_PACKETS_MAX, PROBE_TIME_MAX};

/// The containers that a reply may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// MP4, fragmented or not.
    Fmp4,
    /// AAC in ADTS.
    Adts,
    /// RIFF WAVE.
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

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What returned audio is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Its container.
    pub container: Container,
    /// Its codec in ffmpeg's words: `aac`, `mp3`, `pcm_s16le`, ….
    pub codec: &'static str,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Number of channels.
    pub channels: u32,
    /// Sum of the packets' durations in microseconds, an encoder's delay included.
    pub duration_us: u64,
    /// Number of packets; of PCM, blocks as they are read.
    pub packets: u64,
    /// Samples' time at the start that the encoder put in (MP4 edit list, LAME header), where it is told.
    pub delay_us: Option<u64>,
    /// True if the packets can go on air as they are: AAC-LC, in MP4 or ADTS.
    pub copyable: bool,
}

/// Why bytes are not audio that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No bytes.
    #[error("it is empty")]
    Empty,
    /// None of the containers.
    #[error("its {0} bytes are neither MP4, ADTS, WAV nor MP3")]
    Unknown(usize),
    /// It ends too early.
    #[error("the {container} file is cut off: {what}")]
    Truncated {
        /// Container.
        container: Container,
        /// How that shows.
        what: String,
    },
    /// Its structure makes no sense.
    #[error("the {container} file is damaged: {what}")]
    Damaged {
        /// Container.
        container: Container,
        /// Where.
        what: String,
    },
    /// A codec that is not taken.
    #[error("the {container} file holds {codec}; AAC, MP3 or PCM is wanted")]
    Codec {
        /// Container.
        container: Container,
        /// What it holds.
        codec: String,
    },
    /// No sound in it.
    #[error("the {0} file holds no audio")]
    NoAudio(Container),
    /// Larger than we look at.
    #[error("the {0} file has more than {PROBE_PACKETS_MAX} packets")]
    TooManyPackets(Container),
    /// It is made so that reading it takes for ever.
    #[error("the {0} file takes longer than {PROBE_TIME_MAX:?} to read")]
    TooSlow(Container),
}

/// Looks at a file's bytes. Blocks for well under a millisecond a MiB: call it where that is allowed.
pub fn probe(data: &[u8]) -> Result<Probe, ProbeError> {
    let container = sniff(data)?;
    let read = || match container {
        Container::Adts => adts::probe(skip_id3(data)),
        Container::Fmp4 => {
            let facts = boxes::check(data)?;
            tables::check(data)?;
            Ok(Probe { delay_us: facts.delay_us, ..packets::probe(data, container)? })
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

/// What follows an ID3v2 tag, if there is one (id3.org, ID3v2.4 structure, section 3.1).
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
