//! Cuts at borders of wall-clock time, at discontinuities, before a batch becomes too long, and at cues if configured. If the source
//! has no date-time, it cuts by length.
//!
//! In: the facts of segments, in order. Out: cuts by segment index. A batch ends with the segment that contains a border. So cuts
//! depend on the source alone: two pipelines of one source cut in the same places, whenever they started. Borders are at
//! `k * every + offset` since the Unix epoch. Its state is the [`State`] of all batching stages.

use crate::settings::Settings;
use stage_kit::batching::{ALIGNED, Cut, READABLE, Reason, Segment, State, long_enough_us};
use stage_kit::snapshot;

/// Playlists round durations and date-times: a border that is at most this long after a segment's end counts as reached.
const SLACK_US: i64 = 250_000;

/// If the wall clock goes back by more than this, it was set; less is rounding.
const CLOCK_BACK_US: i64 = 1_000_000;

/// The open batch of one pipeline.
#[derive(Debug)]
pub struct Batcher {
    settings: Settings,
    state: State,
}

impl Batcher {
    /// Starts without state, or resumes from a snapshot of any bundled batching stage.
    ///
    /// # Errors
    /// A sentence if the snapshot cannot be read.
    pub fn new(settings: Settings, state: Option<&[u8]>) -> Result<Self, String> {
        let state: State = state.map(|bytes| snapshot::read(READABLE, bytes)).transpose()?.unwrap_or_default();
        let state = state.checked()?;
        Ok(Self { settings, state })
    }

    /// Takes the next segment; returns the batches that are complete now, oldest first.
    pub fn push(&mut self, segment: Segment) -> Vec<Cut> {
        let mut cuts = Vec::new();
        self.state.follow(&segment);
        if let Some(reason) = self.border_before(segment) {
            cuts.extend(self.state.close(reason));
        }
        let from = self.period_at_start(segment);
        self.state.add(&segment);
        if let Some(reason) = self.border_after(from) {
            cuts.extend(self.state.close(reason));
        }
        cuts
    }

    /// Ends the input: returns the open batch, if it has any segment.
    pub fn flush(&mut self) -> Option<Cut> {
        self.state.close(Reason::Flush)
    }

    /// Serialises the state, from which another instance can resume.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(ALIGNED, &self.state)
    }

    /// Why the open batch must end before this segment, if it must.
    fn border_before(&self, segment: Segment) -> Option<Reason> {
        if segment.discontinuity {
            Some(Reason::Discontinuity)
        } else if segment.cue && self.settings.cut_at_cues {
            Some(Reason::Cue)
        } else if self.period(self.state.clock_us) < self.period_at_start(segment) && self.state.clock_us.is_some() {
            // The clock passed a border between the two segments.
            Some(Reason::Aligned)
        } else if self.state.open_us().saturating_add(segment.duration_us) > self.settings.max_us {
            Some(Reason::Length)
        } else {
            None
        }
    }

    /// Why the open batch ends with the segment that was just added, if it does. `from`: the period in which the segment began.
    fn border_after(&self, from: Option<i128>) -> Option<Reason> {
        let (open_us, settings) = (self.state.open_us(), &self.settings);
        match (from, self.period(self.state.clock_us)) {
            (Some(from), Some(to)) if to > from => Some(Reason::Aligned),
            (None, _) if open_us >= long_enough_us(settings.every_us) => Some(Reason::Length),
            _ if open_us >= settings.max_us => Some(Reason::Length),
            _ => None,
        }
    }

    /// The period in which a segment begins: not before the one that was reached, unless the clock was set. So no border is passed
    /// twice if a date-time is a little earlier than the sum of the durations.
    fn period_at_start(&self, segment: Segment) -> Option<i128> {
        let start = self.state.start_us(&segment);
        let reached = self.state.clock_us.filter(|_| !segment.discontinuity);
        let set_anew = start.zip(reached).is_some_and(|(start, reached)| start < reached.saturating_sub(CLOCK_BACK_US));
        if set_anew { self.period(start) } else { self.period(start).max(self.period(reached)) }
    }

    /// The number of borders before a point in time.
    fn period(&self, time_us: Option<i64>) -> Option<i128> {
        let since = i128::from(time_us?) + i128::from(SLACK_US) - i128::from(self.settings.offset_us);
        Some(since.div_euclid(i128::from(self.settings.every_us)))
    }
}

#[cfg(test)]
mod tests;
