//! The segments that wait to be cut, the contract's rules for cuts, and the host's own cuts.
//!
//! Pure: no input or output. At most one batch waits: its media time is limited by [`BATCH_SECONDS_MAX`] plus one segment, its
//! number of segments by [`BATCH_SEGMENTS_MAX`]. A stage that does not cut in time breaks the contract, and the host cuts.

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;

use crate::contract::batching::{Cut, Reason, Segment};
use crate::limits::{BATCH_SECONDS_MAX, BATCH_SEGMENTS_MAX};
use std::collections::VecDeque;

const BATCH_US_MAX: u64 = BATCH_SECONDS_MAX as u64 * 1_000_000;

/// A batch that is shorter than its length by no more than this, in per mille, counts as long enough (as in `batching-duration`):
/// playlists round durations.
const ROUNDING_PERMILLE: u64 = 20;

/// The number of segments, from the front, that checked cuts remove.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked(usize);

/// The segments that wait to be cut, oldest first.
#[derive(Debug)]
pub(crate) struct PendingSegments {
    /// Length of the batches that the host cuts, in microseconds.
    batch_us: u64,
    /// Segments that are in no batch yet, oldest first.
    waiting: VecDeque<Segment>,
    /// How many of them, from the front, were pushed to the stage.
    pushed: usize,
}

impl Default for PendingSegments {
    fn default() -> Self {
        Self::new(BATCH_US_MAX)
    }
}

impl PendingSegments {
    pub(super) fn new(batch_us: u64) -> Self {
        Self { batch_us, waiting: VecDeque::new(), pushed: 0 }
    }

    /// Sets the length of the batches that the host cuts, in microseconds.
    pub(super) fn set_length(&mut self, batch_us: u64) {
        self.batch_us = batch_us;
    }

    pub(super) fn push(&mut self, segment: Segment) {
        self.waiting.push_back(segment);
    }

    /// Returns the oldest segment that was not pushed to the stage, and counts it as pushed.
    pub(super) fn next_unpushed(&mut self) -> Option<Segment> {
        let segment = self.waiting.get(self.pushed).cloned()?;
        self.pushed += 1;
        Some(segment)
    }

    /// Checks the cuts that answer a push.
    ///
    /// # Errors
    /// A sentence that names the broken rule, with the numbers.
    pub(super) fn check(&self, cuts: &[Cut]) -> Result<Checked, String> {
        let mut taken = 0;
        for cut in cuts {
            taken += self.check_one(taken, cut)?;
        }
        let open = self.waiting.iter().take(self.pushed).skip(taken);
        if let Some(broken) = open.clone().skip(1).find(|segment| segment.discontinuity) {
            return Err(format!("no cut before segment {}, which starts a discontinuity", broken.index));
        }
        let (count, us) = (open.clone().count(), total_us(open));
        if us > BATCH_US_MAX {
            return Err(format!("no cut in {us} us of media; a batch has {BATCH_US_MAX} at most"));
        }
        if count >= BATCH_SEGMENTS_MAX {
            return Err(format!("no cut in {count} segments; a batch has fewer than {BATCH_SEGMENTS_MAX}"));
        }
        Ok(Checked(taken))
    }

    /// Checks the cut that answers a flush: it must cover every segment that waits.
    ///
    /// # Errors
    /// A sentence that names the broken rule.
    pub(super) fn check_flush(&self, cut: Option<Cut>) -> Result<Checked, String> {
        let checked = self.check(cut.as_slice())?;
        match self.waiting.get(checked.0) {
            None => Ok(checked),
            Some(left) => Err(format!("segment {} and later were left over", left.index)),
        }
    }

    /// Removes the segments of cuts that were checked.
    pub(super) fn take_cuts(&mut self, cuts: &[Cut]) {
        let Some(last) = cuts.last() else { return };
        let count = self.waiting.iter().position(|segment| segment.index == last.last).map_or(0, |at| at + 1);
        self.take(Checked(count));
    }

    /// Lengths of checked cuts, in microseconds of media.
    pub(super) fn lengths_us(&self, cuts: &[Cut]) -> Vec<u64> {
        let within =
            |cut: &Cut| total_us(self.waiting.iter().filter(|segment| (cut.first..=cut.last).contains(&segment.index)));
        cuts.iter().map(within).collect()
    }

    /// Media time of all segments that wait, in microseconds.
    pub(super) fn open_us(&self) -> u64 {
        total_us(self.waiting.iter())
    }

    /// Counts every segment as not pushed, so that all are pushed to another instance.
    pub(super) fn rewind(&mut self) {
        self.pushed = 0;
    }

    /// Removes the segments of a check.
    pub(super) fn take(&mut self, Checked(taken): Checked) {
        self.waiting.drain(..taken.min(self.waiting.len()));
        self.pushed = self.pushed.saturating_sub(taken);
    }

    /// Cuts by the host's own rule: by length, and before discontinuities. The rest counts as not pushed to the stage.
    pub(super) fn cut_by_length(&mut self) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let long_enough = self.batch_us - self.batch_us * ROUNDING_PERMILLE / 1000;
        let (mut count, mut us) = (0, 0_u64);
        let mut at = 0;
        while let Some(segment) = self.waiting.get(at) {
            if count > 0 && segment.discontinuity {
                cuts.extend(self.cut_front(count, Reason::Discontinuity));
                (at, count, us) = (0, 0, 0);
                continue;
            }
            count += 1;
            us = us.saturating_add(segment.duration_us);
            at += 1;
            if us >= long_enough || count >= BATCH_SEGMENTS_MAX {
                cuts.extend(self.cut_front(count, Reason::Length));
                (at, count, us) = (0, 0, 0);
            }
        }
        self.pushed = 0;
        cuts
    }

    /// Cuts all segments by the host's own rule.
    pub(super) fn cut_all(&mut self) -> Vec<Cut> {
        let mut cuts = self.cut_by_length();
        cuts.extend(self.cut_front(self.waiting.len(), Reason::Flush));
        cuts
    }

    fn cut_front(&mut self, count: usize, reason: Reason) -> Option<Cut> {
        let first = self.waiting.front()?.index;
        let last = self.waiting.get(count.checked_sub(1)?)?.index;
        self.take(Checked(count));
        Some(Cut { first, last, reason })
    }

    /// Checks a cut that begins after `taken` segments; returns its number of segments.
    fn check_one(&self, taken: usize, cut: &Cut) -> Result<usize, String> {
        let named = format!("cut {}..={}", cut.first, cut.last);
        let mut rest = self.waiting.iter().take(self.pushed).skip(taken).peekable();
        match rest.peek() {
            None => return Err(format!("{named}, but no segment waits")),
            Some(next) if next.index != cut.first => {
                return Err(format!("{named}, but the next segment to cut is {}", next.index));
            }
            Some(_) => {}
        }
        let (mut count, mut us) = (0, 0_u64);
        for segment in rest {
            if count > 0 && segment.discontinuity {
                return Err(format!("{named} spans the discontinuity at segment {}", segment.index));
            }
            if us > BATCH_US_MAX || count >= BATCH_SEGMENTS_MAX {
                return Err(format!("{named} is longer than {BATCH_US_MAX} us or {BATCH_SEGMENTS_MAX} segments"));
            }
            count += 1;
            us = us.saturating_add(segment.duration_us);
            if segment.index == cut.last {
                return Ok(count);
            }
        }
        Err(format!("{named}, but segment {} is not among those that wait", cut.last))
    }
}

/// Generates segments that continue these, with the same durations again and again, for two batches of the greatest length. They
/// have no cues and no discontinuities.
pub(super) fn continued(segments: &[Segment]) -> Vec<Segment> {
    let Some(last) = segments.last() else { return Vec::new() };
    let mut more: Vec<Segment> = Vec::new();
    let mut us = 0_u64;
    for like in segments.iter().cycle().take(2 * BATCH_SEGMENTS_MAX) {
        let before = more.last().unwrap_or(last);
        let began = before.program_date_time_us;
        let next = Segment {
            index: before.index.saturating_add(1),
            media_sequence: before.media_sequence.saturating_add(1),
            program_date_time_us: began.and_then(|at| at.checked_add_unsigned(before.duration_us)),
            discontinuity: false,
            cues: Vec::new(),
            ..like.clone()
        };
        us = us.saturating_add(next.duration_us);
        more.push(next);
        if us > 2 * BATCH_US_MAX {
            break;
        }
    }
    more
}

fn total_us<'a>(segments: impl Iterator<Item = &'a Segment>) -> u64 {
    segments.fold(0, |sum, segment| sum.saturating_add(segment.duration_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seg(index: u64, seconds: u64) -> Segment {
        Segment {
            index,
            media_sequence: index,
            duration_us: seconds * 1_000_000,
            size_bytes: 1,
            discontinuity: false,
            program_date_time_us: None,
            cues: vec![],
        }
    }

    fn broken(index: u64, seconds: u64) -> Segment {
        Segment { discontinuity: true, ..seg(index, seconds) }
    }

    fn cut(first: u64, last: u64) -> Cut {
        Cut { first, last, reason: Reason::Other }
    }

    /// Segments that were all pushed to the stage.
    fn pending(segments: impl IntoIterator<Item = Segment>) -> PendingSegments {
        let mut pending = PendingSegments::new(10_000_000);
        for segment in segments {
            pending.push(segment);
        }
        while pending.next_unpushed().is_some() {}
        pending
    }

    #[test]
    fn contiguous_cuts_of_what_waits_are_taken() {
        let mut pending = pending((3..8).map(|index| seg(index, 4)));
        let checked = pending.check(&[cut(3, 4), cut(5, 5)]).unwrap();
        assert_eq!(checked, Checked(3));
        pending.take(checked);
        assert_eq!(pending.check(&[cut(6, 7)]), Ok(Checked(2)));
        assert_eq!(pending.check(&[]), Ok(Checked(0)));
    }

    #[test]
    fn cuts_that_break_a_rule_are_refused_with_the_reason() {
        let cases: [(Vec<Segment>, Vec<Cut>, &str); 9] = [
            (vec![], vec![cut(0, 0)], "no segment waits"),
            (vec![seg(3, 4), seg(4, 4)], vec![cut(4, 4)], "the next segment to cut is 3"),
            (vec![seg(3, 4), seg(4, 4)], vec![cut(3, 3), cut(3, 4)], "the next segment to cut is 4"),
            (vec![seg(3, 4), seg(4, 4)], vec![cut(3, 5)], "segment 5 is not among"),
            (vec![seg(3, 4), seg(4, 4)], vec![cut(3, 2)], "segment 2 is not among"),
            (vec![seg(3, 4), broken(4, 4)], vec![cut(3, 4)], "spans the discontinuity at segment 4"),
            (vec![seg(3, 4), broken(4, 4)], vec![], "no cut before segment 4"),
            (vec![seg(3, 100), seg(4, 21)], vec![], "no cut in 121000000 us"),
            (vec![seg(3, 100), seg(4, 21), seg(5, 1)], vec![cut(3, 5)], "is longer than"),
        ];
        for (segments, cuts, says) in cases {
            let reason = pending(segments).check(&cuts).unwrap_err();
            assert!(reason.contains(says), "{cuts:?}: {reason}");
        }
    }

    #[test]
    fn segments_without_length_are_bounded_by_number() {
        let most = pending((0..BATCH_SEGMENTS_MAX as u64 - 1).map(|index| seg(index, 0)));
        assert!(most.check(&[]).is_ok());
        let over = pending((0..BATCH_SEGMENTS_MAX as u64).map(|index| seg(index, 0)));
        assert!(over.check(&[]).unwrap_err().contains("512 segments"));
    }

    #[test]
    fn segments_that_were_not_pushed_cannot_be_cut() {
        let mut pending = PendingSegments::new(1);
        pending.push(seg(0, 1));
        pending.push(seg(1, 1));
        assert_eq!(pending.next_unpushed().unwrap().index, 0);
        assert!(pending.check(&[cut(0, 1)]).is_err());
        assert_eq!(pending.check(&[cut(0, 0)]), Ok(Checked(1)));
    }

    #[test]
    fn a_flush_leaves_nothing_over() {
        let two = || pending([seg(0, 1), seg(1, 1)]);
        assert_eq!(two().check_flush(Some(cut(0, 1))), Ok(Checked(2)));
        assert!(two().check_flush(Some(cut(0, 0))).unwrap_err().contains("segment 1"));
        assert!(two().check_flush(None).is_err());
        assert_eq!(pending([]).check_flush(None), Ok(Checked(0)));
        assert!(pending([]).check_flush(Some(cut(0, 0))).is_err());
    }

    #[test]
    fn the_hosts_own_cuts_go_by_length_and_discontinuity() {
        let mut pending = pending([seg(0, 4), seg(1, 4), seg(2, 4), seg(3, 4), broken(4, 4), seg(5, 30), seg(6, 1)]);
        let cuts: Vec<_> = pending.cut_by_length().iter().map(|cut| (cut.first, cut.last, cut.reason)).collect();
        assert_eq!(cuts, [(0, 2, Reason::Length), (3, 3, Reason::Discontinuity), (4, 5, Reason::Length)]);
        assert_eq!(pending.next_unpushed().unwrap().index, 6, "the rest is pushed to the stage again");
        assert_eq!(pending.cut_all(), [Cut { first: 6, last: 6, reason: Reason::Flush }]);
        assert_eq!(pending.cut_all(), []);
    }

    #[test]
    fn the_hosts_own_cuts_keep_the_rules() {
        let segments: Vec<_> = (0..400).map(|n| Segment { discontinuity: n % 7 == 0, ..seg(n, n % 5) }).collect();
        let mut by_host = pending(segments.clone());
        let cuts = by_host.cut_all();
        assert_eq!(pending(segments).check_flush_all(&cuts), Ok(Checked(400)));
    }

    impl PendingSegments {
        fn check_flush_all(&self, cuts: &[Cut]) -> Result<Checked, String> {
            self.check(cuts)
        }
    }
}
