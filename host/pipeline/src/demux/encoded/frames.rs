//! The frames of a batch's sound in the source's codec, with their times.

use outboard_media::demux::{AudioConfig, Codec, Config};
use outboard_media::facts::TrackFacts;
use outboard_media::layout::TrackLayout;

/// A frame of the source's sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) config: AudioConfig,
    /// When it is heard, in microseconds of the source's time.
    pub(super) at_us: i64,
    /// Samples of one channel.
    pub(super) samples: u32,
    /// The place of its first sample in its [`Run`](super::Run), in samples.
    pub(super) start: u64,
    pub(super) data: Vec<u8>,
}

impl Frame {
    /// The place after its last sample, in samples.
    pub(super) fn end(&self) -> u64 {
        self.start + u64::from(self.samples)
    }

    /// It belongs to the samples of the frame before it (a dependent substream, ETSI TS 102 366 annex E.1.3.1.1).
    fn is_dependent(&self) -> bool {
        self.config.codec == Codec::Eac3 && self.data.get(2).is_some_and(|byte| byte >> 6 == 1)
    }

    /// Adds it to frames; a dependent one to the frame before it.
    pub(super) fn push_to(self, frames: &mut Vec<Self>) {
        match frames.last_mut() {
            Some(before) if self.is_dependent() => before.data.extend(self.data),
            _ => frames.push(self),
        }
    }
}

/// Samples of the longest frame: Opus with 120 ms (RFC 6716 section 3.2.5).
const SAMPLES_MAX: u32 = 5760;

/// Samples of a frame that the container says to have so many. Some say nothing of the last one, or nonsense.
fn length(config: &AudioConfig, told: u32) -> u32 {
    match (told, config.codec) {
        (0, Codec::MpegAudio) => 1152,
        (0, Codec::Opus) => 960,
        (0, Codec::Ac3 | Codec::Eac3) => 1536,
        _ => told.min(SAMPLES_MAX),
    }
}

/// Reads the frames of a file that our writer made.
pub(super) fn read(file: &[u8], facts: &TrackFacts, layout: &TrackLayout) -> Vec<Frame> {
    let mut frames = Vec::with_capacity(facts.packets.len());
    let (mut configs, mut config) = (layout.configs.iter().peekable(), None);
    for (n, (fact, stored)) in facts.packets.iter().zip(&layout.packets).enumerate() {
        while let Some((_, next)) = configs.next_if(|(first, _)| *first <= n) {
            config = if let Config::Audio(audio) = next { Some(audio) } else { None };
        }
        let data = usize::try_from(stored.offset).ok().and_then(|at| file.get(at..)?.get(..stored.len as usize));
        let (Some(config), Some(data)) = (config, data) else { continue };
        let samples = (u64::from(fact.duration_us) * u64::from(config.sample_rate) + 500_000) / 1_000_000;
        let samples = length(config, u32::try_from(samples).unwrap_or_default());
        Frame { config: config.clone(), at_us: fact.pts_us, samples, start: 0, data: data.to_vec() }
            .push_to(&mut frames);
    }
    frames
}
