//! Frames of the source that follow on each other, over any number of batches, and the grid of AAC packets over them. Pure.

use std::collections::VecDeque;

use super::frames::Frame;
use super::{BLOCK, TURN, us};
use crate::limits::{ENCODED_GAP_MAX, ENCODED_SETTLE_SAMPLES};
use outboard_media::demux::{AudioConfig, TICKS_PER_SECOND};

/// Packets of which the samples are there, and which are made in the next batch: ffmpeg's encoder takes one packet's length for
/// the overlap of its transform, and looks one ahead.
const AHEAD: u64 = 2;
/// After so many microseconds the times of a transport stream begin anew.
pub(super) const TURN_US: i64 =
    TURN / TICKS_PER_SECOND * 1_000_000 + TURN % TICKS_PER_SECOND * 1_000_000 / TICKS_PER_SECOND;

/// Frames that follow on each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) config: AudioConfig,
    /// Time of the sample at place 0, in microseconds.
    base_us: i64,
    /// The place after the last frame, in samples.
    next: u64,
    /// Packets before this one were made. Packet n is heard from place n × 1024 on.
    pub(super) done: u64,
    /// The last frames, as many as the next packets need.
    pub(super) held: VecDeque<Frame>,
    /// By how much the times of the batch's frames are off the places', in microseconds.
    off_us: Vec<i64>,
}

impl Run {
    /// Begins with a frame at this time.
    pub(super) fn new(config: AudioConfig, at_us: i64) -> Self {
        Self { config, base_us: at_us, next: 0, done: 0, held: VecDeque::new(), off_us: Vec::new() }
    }

    /// Goes on where packets up to `end_us` were made, by an earlier process, from frames of which these are the last ones.
    pub(super) fn resumed(mut frames: Vec<Frame>, end_us: i64) -> Option<Self> {
        let config = frames.last()?.config.clone();
        let done = 2 * ENCODED_SETTLE_SAMPLES / BLOCK;
        let mut run = Self { done, ..Self::new(config, end_us) };
        run.base_us = end_us - us((done * BLOCK) as i64, run.rate());
        for frame in &mut frames {
            let since_us = near(frame.at_us - run.base_us);
            let place = (i128::from(since_us) * i128::from(run.rate()) + 500_000).div_euclid(1_000_000);
            frame.start = u64::try_from(place).unwrap_or(u64::MAX);
        }
        frames.retain(|frame| frame.start != u64::MAX && frame.config == run.config);
        // Nothing is missing between them, nor behind the last packet.
        let whole = frames.windows(2).all(|pair| pair[0].end() == pair[1].start);
        run.next = frames.last()?.end();
        let reaches = run.next + BLOCK > done * BLOCK && frames.first()?.start <= done * BLOCK;
        run.held = frames.into();
        Some(run).filter(|_| whole && reaches)
    }

    fn rate(&self) -> i64 {
        i64::from(self.config.sample_rate.max(1))
    }

    /// The time of a place, in microseconds.
    pub(super) fn at_us(&self, place: u64) -> i64 {
        self.base_us + us(i64::try_from(place).unwrap_or_default(), self.rate())
    }

    /// Gives the next frame its place. False: it does not follow on.
    pub(super) fn place(&mut self, frame: &mut Frame) -> bool {
        let raw_us = frame.at_us - self.at_us(self.next);
        let off_us = near(raw_us);
        let tolerance_us = us(i64::from(frame.samples / 2), self.rate()).max(ROUNDING_US);
        let gap_max_us = i64::try_from(ENCODED_GAP_MAX.as_micros()).unwrap_or(i64::MAX);
        if frame.config != self.config || off_us < -tolerance_us || off_us > gap_max_us {
            return false;
        }
        // The source's clock began anew.
        self.base_us += raw_us - off_us;
        if off_us > tolerance_us {
            self.next += (off_us * self.rate() / 1_000_000).unsigned_abs();
        } else {
            self.off_us.push(off_us);
        }
        frame.start = self.next;
        self.next = frame.end();
        true
    }

    /// Takes the frames of a batch that have their places.
    pub(super) fn take(&mut self, frames: Vec<Frame>) {
        self.held.extend(frames);
        // The source's clock is not that of its samples: packets keep to its times, as copied ones do.
        let mut off_us = std::mem::take(&mut self.off_us);
        off_us.sort_unstable();
        self.base_us += off_us.get(off_us.len() / 2).copied().unwrap_or_default();
    }

    /// The packet after the last one that can be made now. `ends`: no frame follows on; `last`: nothing follows at all, and the
    /// last packet is filled up.
    pub(super) fn end(&self, ends: bool, last: bool) -> u64 {
        let end = match (ends, last) {
            (_, true) => self.next.div_ceil(BLOCK),
            (true, _) => self.next / BLOCK,
            _ => (self.next / BLOCK).saturating_sub(AHEAD),
        };
        end.max(self.done)
    }

    /// Packets up to this one were made: forgets the frames that no later packet needs.
    pub(super) fn settle(&mut self, end: u64) {
        self.done = end;
        let needed = (end * BLOCK).saturating_sub(2 * ENCODED_SETTLE_SAMPLES);
        while self.held.get(1).is_some_and(|second| second.start <= needed) {
            self.held.pop_front();
        }
    }

    /// The packet with which a run of the encoder begins: behind the first frame by as much as the decoder needs to settle, but
    /// for the very first one.
    pub(super) fn begin(&self) -> u64 {
        match self.held.front().map_or(0, |first| first.start) {
            0 => 0,
            start => (start + ENCODED_SETTLE_SAMPLES).div_ceil(BLOCK).min(self.done),
        }
    }
}

/// Times that are off by less are rounded, in microseconds.
const ROUNDING_US: i64 = 2000;

/// The distance of two times on clocks that may have begun anew between them.
fn near(off_us: i64) -> i64 {
    (off_us + TURN_US / 2).rem_euclid(TURN_US) - TURN_US / 2
}
