//! Cuts by length, at discontinuities, and at cues if configured.
//!
//! In: the facts of segments, in order. Out: cuts by segment index. Its state is the [`State`] of all batching stages, so that each
//! can resume from another's.

use crate::settings::Settings;
use stage_kit::batching::{Cut, DURATION, READABLE, Reason, Segment, State, long_enough_us};
use stage_kit::snapshot;

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
        self.state.add(&segment);
        if self.state.open_us() >= self.long_enough_us() {
            cuts.extend(self.state.close(Reason::Length));
        }
        cuts
    }

    /// Ends the input: returns the open batch, if it has any segment.
    pub fn flush(&mut self) -> Option<Cut> {
        self.state.close(Reason::Flush)
    }

    /// Serialises the state, from which another instance can resume.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(DURATION, &self.state)
    }

    /// Why the open batch must end before this segment, if it must.
    fn border_before(&self, segment: Segment) -> Option<Reason> {
        if segment.discontinuity {
            Some(Reason::Discontinuity)
        } else if segment.cue && self.settings.cut_at_cues {
            Some(Reason::Cue)
        } else if self.state.open_us() >= self.long_enough_us() {
            // The batch was opened by a stage that makes longer ones.
            Some(Reason::Length)
        } else if segment.duration_us >= self.long_enough_us() {
            Some(Reason::Other)
        } else {
            None
        }
    }

    fn long_enough_us(&self) -> u64 {
        long_enough_us(self.settings.batch_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batcher(seconds: u64) -> Batcher {
        Batcher::new(Settings { batch_us: seconds * 1_000_000, cut_at_cues: true }, None).unwrap()
    }

    fn seg(index: u64, ms: u64) -> Segment {
        Segment { index, duration_us: ms * 1000, ..Segment::default() }
    }

    fn cut(first: u64, last: u64, reason: Reason) -> Cut {
        Cut { first, last, reason }
    }

    /// Pushes all and answers (index after which it came, cut).
    fn run(batcher: &mut Batcher, segments: &[Segment]) -> Vec<(u64, Cut)> {
        segments.iter().flat_map(|s| batcher.push(*s).into_iter().map(|c| (s.index, c))).collect()
    }

    #[test]
    fn cuts_after_the_segment_that_makes_it_long_enough() {
        let cuts = run(&mut batcher(10), &(0..6).map(|i| seg(i, 4000)).collect::<Vec<_>>());
        assert_eq!(cuts, [(2, cut(0, 2, Reason::Length)), (5, cut(3, 5, Reason::Length))]);
    }

    #[test]
    fn rounded_durations_do_not_cost_another_segment() {
        let cuts = run(&mut batcher(30), &(0..5).map(|i| seg(i, 5_994)).collect::<Vec<_>>());
        assert_eq!(cuts, [(4, cut(0, 4, Reason::Length))]);
        // 29.3 s lacks more than 2 %: this is not rounding.
        assert_eq!(run(&mut batcher(30), &(0..5).map(|i| seg(i, 5_860)).collect::<Vec<_>>()), []);
    }

    #[test]
    fn a_discontinuity_ends_the_batch_before_it() {
        let mut segments = [seg(0, 4000), seg(1, 4000), seg(2, 4000)];
        segments[1].discontinuity = true;
        let mut batcher = batcher(30);
        assert_eq!(run(&mut batcher, &segments), [(1, cut(0, 0, Reason::Discontinuity))]);
        assert_eq!(batcher.flush(), Some(cut(1, 2, Reason::Flush)));
        assert_eq!(batcher.flush(), None);
    }

    #[test]
    fn a_discontinuity_at_the_very_start_cuts_nothing() {
        let first = Segment { discontinuity: true, ..seg(7, 1000) };
        assert_eq!(run(&mut batcher(30), &[first]), []);
    }

    #[test]
    fn cues_cut_only_where_wanted() {
        let segments = [seg(0, 4000), Segment { cue: true, ..seg(1, 4000) }];
        assert_eq!(run(&mut batcher(30), &segments), [(1, cut(0, 0, Reason::Cue))]);
        let mut deaf = Batcher::new(Settings { batch_us: 30_000_000, cut_at_cues: false }, None).unwrap();
        assert_eq!(run(&mut deaf, &segments), []);
    }

    #[test]
    fn a_segment_longer_than_a_batch_is_its_own_batch() {
        let cuts = run(&mut batcher(10), &[seg(0, 4000), seg(1, 60_000), seg(2, 10_000)]);
        assert_eq!(
            cuts,
            [(1, cut(0, 0, Reason::Other)), (1, cut(1, 1, Reason::Length)), (2, cut(2, 2, Reason::Length))]
        );
    }

    #[test]
    fn a_gap_or_a_repeat_in_the_index_starts_a_new_batch() {
        for next in [5, 2, 3] {
            let mut batcher = batcher(30);
            run(&mut batcher, &[seg(2, 4000), seg(3, 4000), seg(next, 4000)]);
            assert_eq!(batcher.flush(), Some(cut(next, next, Reason::Flush)), "after 3 came {next}");
        }
    }

    #[test]
    fn a_snapshot_goes_on_where_it_was() {
        let mut one = batcher(10);
        run(&mut one, &[seg(0, 4000), seg(1, 4000)]);
        let state = one.snapshot();
        assert!(state.len() < 200, "{} bytes", state.len());
        let mut two = Batcher::new(one.settings, Some(&state)).unwrap();
        assert_eq!(run(&mut two, &[seg(2, 4000)]), [(2, cut(0, 2, Reason::Length))]);
        assert!(Batcher::new(one.settings, Some(b"other")).is_err());
        // An open batch that no run of segments can have led to.
        for (pushed, first, last) in [("2", 3, 2), ("3", 1, 2), ("null", 1, 2)] {
            let state =
                format!(r#"{{"last_pushed":{pushed},"open":{{"first":{first},"last":{last},"duration_us":1}}}}"#);
            let state = format!(r#"{{"stage":"batching-duration","layout":1,"state":{state}}}"#);
            let refused = Batcher::new(one.settings, Some(state.as_bytes())).unwrap_err();
            assert!(refused.contains(&format!("{first}..={last}")), "{refused}");
        }
    }

    #[test]
    fn a_batch_that_another_stage_opened_is_gone_on_with() {
        let settings = batcher(10).settings;
        let open = |first: u64, seconds: u64| {
            let us = seconds * 1_000_000;
            format!(
                r#"{{"stage":"batching-aligned","layout":1,"state":{{"last_pushed":7,"open":{{"first":{first},"last":7,"duration_us":{us}}},"clock_us":5}}}}"#
            )
        };
        let mut short = Batcher::new(settings, Some(open(6, 8).as_bytes())).unwrap();
        assert_eq!(run(&mut short, &[seg(8, 4000)]), [(8, cut(6, 8, Reason::Length))]);
        let mut long = Batcher::new(settings, Some(open(2, 40).as_bytes())).unwrap();
        assert_eq!(run(&mut long, &[seg(8, 4000)]), [(8, cut(2, 7, Reason::Length))]);
        assert_eq!(long.flush(), Some(cut(8, 8, Reason::Flush)));
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let cuts = run(&mut batcher(120), &[seg(u64::MAX, 1), Segment { duration_us: u64::MAX, ..seg(0, 0) }]);
        assert_eq!(cuts, [(0, cut(0, 0, Reason::Length))]);
    }
}
