//! Decides where a batch ends: with the segment that makes it long enough, and before a discontinuity.

use crate::contract::exports::outboard::stage::batching::{Cut, Reason, Segment};
use crate::settings::Settings;
use crate::snapshot;
use serde::{Deserialize, Serialize};

/// The batch that collects segments until it is cut.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {
    first: u64,
    last: u64,
    duration_us: u64,
}

/// The state that another instance needs to continue.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    last_pushed: Option<u64>,
    open: Option<Open>,
}

pub struct Batcher {
    settings: Settings,
    state: State,
}

impl Batcher {
    pub fn new(settings: Settings, state: Option<&[u8]>) -> Result<Self, String> {
        Ok(Self { settings, state: state.map(snapshot::read).transpose()?.unwrap_or_default() })
    }

    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.state)
    }

    pub fn push(&mut self, segment: &Segment) -> Vec<Cut> {
        let mut cuts = Vec::new();
        if self.state.last_pushed.and_then(|last| last.checked_add(1)) != Some(segment.index) {
            // The host has cut the open batch itself, or sends segments again: the open batch is dropped.
            self.state.open = None;
        }
        self.state.last_pushed = Some(segment.index);
        if segment.discontinuity {
            // A batch must not span a discontinuity, whatever its length.
            cuts.extend(self.close(Reason::Discontinuity));
        }
        let open = self.state.open.get_or_insert(Open { first: segment.index, last: segment.index, duration_us: 0 });
        open.last = segment.index;
        open.duration_us = open.duration_us.saturating_add(segment.duration_us);
        if open.duration_us >= self.settings.batch_seconds * 1_000_000 {
            cuts.extend(self.close(Reason::Length));
        }
        cuts
    }

    /// Cuts the open batch; no segment will follow.
    pub fn flush(&mut self) -> Option<Cut> {
        self.close(Reason::Flush)
    }

    fn close(&mut self, reason: Reason) -> Option<Cut> {
        self.state.open.take().map(|open| Cut { first: open.first, last: open.last, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(index: u64) -> Segment {
        Segment {
            index,
            media_sequence: index,
            duration_us: 4_000_000,
            size_bytes: 1,
            discontinuity: false,
            program_date_time_us: None,
            cues: vec![],
        }
    }

    fn batcher(state: Option<&[u8]>) -> Batcher {
        Batcher::new(Settings { batch_seconds: 10 }, state).unwrap()
    }

    fn cut(first: u64, last: u64, reason: Reason) -> Cut {
        Cut { first, last, reason }
    }

    #[test]
    fn cuts_with_the_segment_that_makes_it_long_enough() {
        let mut batcher = batcher(None);
        let cuts: Vec<Cut> = (0..7).flat_map(|index| batcher.push(&segment(index))).collect();
        assert_eq!(cuts, [cut(0, 2, Reason::Length), cut(3, 5, Reason::Length)]);
        assert_eq!(batcher.flush(), Some(cut(6, 6, Reason::Flush)));
        assert_eq!(batcher.flush(), None);
    }

    #[test]
    fn cuts_before_a_discontinuity() {
        let mut batcher = batcher(None);
        batcher.push(&segment(0));
        let cuts = batcher.push(&Segment { discontinuity: true, ..segment(1) });
        assert_eq!(cuts, [cut(0, 0, Reason::Discontinuity)]);
    }

    #[test]
    fn forgets_what_the_host_cut_by_itself() {
        let mut batcher = batcher(None);
        batcher.push(&segment(0));
        batcher.push(&segment(5));
        assert_eq!(batcher.flush(), Some(cut(5, 5, Reason::Flush)));
    }

    #[test]
    fn another_instance_goes_on_from_the_snapshot() {
        let mut first = batcher(None);
        first.push(&segment(0));
        first.push(&segment(1));
        let mut second = batcher(Some(&first.snapshot()));
        assert_eq!(second.push(&segment(2)), [cut(0, 2, Reason::Length)]);
    }
}
