//! When to cut: where wall-clock time passes a border, at discontinuities, before a batch becomes too long, and at cues if
//! wanted; by length where the source tells no date-time.
//!
//! In: segments in order, as facts. Out: cuts by segment index. A batch ends with the segment in which a border lies, so
//! the cuts follow from the source alone: two pipelines of one source cut alike, whenever they began. Borders lie at
//! `k * every + offset` of the Unix epoch. What it remembers is every batching stage's [`State`].

use crate::settings::Settings;
use stage_kit::batching::{ALIGNED, Cut, READABLE, Reason, Segment, State, long_enough_us};
use stage_kit::snapshot;

/// Playlists round durations and date-times: a border this near after a segment's end counts as reached by it.
const SLACK_US: i64 = 250_000;

/// A clock that goes back further than this was set anew; less is rounding.
const CLOCK_BACK_US: i64 = 1_000_000;

/// The open batch of one pipeline.
#[derive(Debug)]
pub struct Batcher {
    settings: Settings,
    state: State,
}

impl Batcher {
    /// Starts anew, or goes on from a snapshot: of this stage or of another that batches.
    ///
    /// # Errors
    /// A sentence if the snapshot cannot be read.
    pub fn new(settings: Settings, state: Option<&[u8]>) -> Result<Self, String> {
        let state: State = state.map(|bytes| snapshot::read(READABLE, bytes)).transpose()?.unwrap_or_default();
        let state = state.checked()?;
        Ok(Self { settings, state })
    }

    /// Takes the next segment; answers the batches that are complete now, oldest first.
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

    /// No segment will follow.
    pub fn flush(&mut self) -> Option<Cut> {
        self.state.close(Reason::Flush)
    }

    /// Everything that another instance needs to go on.
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
            // The clock jumped over a border between the two.
            Some(Reason::Aligned)
        } else if self.state.open_us().saturating_add(segment.duration_us) > self.settings.max_us {
            Some(Reason::Length)
        } else {
            None
        }
    }

    /// Why the open batch ends with the segment that was just added, if it does. `from`: where that segment began.
    fn border_after(&self, from: Option<i128>) -> Option<Reason> {
        let (open_us, settings) = (self.state.open_us(), &self.settings);
        match (from, self.period(self.state.clock_us)) {
            (Some(from), Some(to)) if to > from => Some(Reason::Aligned),
            (None, _) if open_us >= long_enough_us(settings.every_us) => Some(Reason::Length),
            _ if open_us >= settings.max_us => Some(Reason::Length),
            _ => None,
        }
    }

    /// The period that a segment begins in: the one that was reached before, unless the clock was set anew. So a date-time
    /// that is a little earlier than what the durations add up to passes no border twice.
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
