//! After a restart: the last frames of the source before the first batch, read again, so that the grid of packets goes on
//! where the earlier process left it.

use super::super::counts::Counts;
use super::super::feed::{Feed, Sink};
use super::frames::Frame;
use super::run::Run;
use super::{DemuxError, is_encoded, us};
use crate::limits::ENCODED_SETTLE_SAMPLES;
use outboard_media::demux::{Config, Packet, TICKS_PER_SECOND, TrackKind};
use outboard_media::facts::BatchFacts;
use outboard_media::segment::Segment;

/// Segments that are read again: the last one may be too short.
const SEGMENTS: usize = 2;

/// What was before the first batch.
#[derive(Debug, Clone)]
pub(super) struct Before {
    /// The last segments, oldest first.
    segments: Vec<Segment>,
    /// End of the last packet that was made, in microseconds.
    end_us: i64,
}

impl Before {
    /// `segments`: the last ones before a restart, oldest first. `facts`: of the last batch. `None`: its sound was not encoded.
    pub(super) fn new(segments: &[Segment], facts: Option<&BatchFacts>) -> Option<Self> {
        let audio = facts?.audio.as_ref().filter(|audio| !audio.encoded_from.is_empty())?;
        let segments = segments.get(segments.len().saturating_sub(SEGMENTS)..)?.to_vec();
        Some(Self { segments, end_us: audio.end_us() })
    }

    /// The run that goes on in the segment with this index. `None`: the frames that it needs are not there; a new one begins.
    /// Reads files.
    pub(super) fn run(self, next: u64) -> Option<Run> {
        let follow = self.segments.iter().rev().zip(1..).all(|(segment, n)| segment.index + n == next);
        let mut last = Last { separate: self.segments.iter().any(|one| !one.audio.is_empty()), ..Last::default() };
        if !follow {
            return None;
        }
        if let Err(error) = last.read(&self.segments) {
            tracing::debug!(%error, "a segment before the first batch is gone");
            return None;
        }
        Run::resumed(last.frames, self.end_us)
    }
}

/// Takes the last frames of some segments.
#[derive(Default)]
struct Last {
    frames: Vec<Frame>,
    counts: Counts,
    separate: bool,
    beside: bool,
}

impl Last {
    fn read(&mut self, segments: &[Segment]) -> Result<(), DemuxError> {
        let (mut main, mut audio, mut chunk) = (Feed::default(), Feed::default(), Vec::new());
        for segment in segments {
            self.beside = false;
            if !self.separate {
                main.part(&segment.main, &mut chunk, self)?;
            }
            self.beside = true;
            for part in &segment.audio {
                audio.part(part, &mut chunk, self)?;
            }
        }
        Ok(())
    }

    /// Forgets the older half of what is more than enough.
    fn limit(&mut self) {
        let samples: u64 = self.frames.iter().map(|frame| u64::from(frame.samples)).sum();
        if samples > 8 * ENCODED_SETTLE_SAMPLES {
            self.frames.drain(..self.frames.len() / 2);
        }
    }
}

impl Sink for Last {
    fn packet(&mut self, packet: &Packet, config: &Config) -> Result<(), DemuxError> {
        if packet.kind != TrackKind::Audio || self.beside != self.separate {
            return Ok(());
        }
        match config {
            Config::Audio(config) if is_encoded(config.codec) => {
                let at_us = us(packet.pts, TICKS_PER_SECOND);
                let (config, data) = (config.clone(), packet.data.clone());
                Frame { config, at_us, samples: packet.samples, start: 0, data }.push_to(&mut self.frames);
                self.limit();
            }
            _ => self.frames.clear(),
        }
        Ok(())
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }
}
