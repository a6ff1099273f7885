//! The segments of the batch that is open, and which of them are to be demuxed next.
//!
//! In: segments as they come, and where the batch is cut. Out: the next segment that is not demuxed yet. A batch may be cut
//! before its newest segments: these wait for the next batch.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::batch::Batch;
use outboard_media::segment::Segment;

/// The batch that is open.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Its number.
    pub(super) batch: u64,
    /// Its segments, oldest first.
    segments: Vec<Segment>,
    /// Those that somebody removed from the disk before they were demuxed, by index.
    removed: BTreeSet<u64>,
    /// Index of its last segment, once it is cut.
    end: Option<u64>,
    /// How long its segments were worked on up to now.
    pub(super) took: Duration,
}

impl Waiting {
    /// Takes the next segment of a batch that is open.
    pub(super) fn push(&mut self, batch: u64, segment: Segment) {
        if self.batch != batch {
            *self = Self { batch, ..Self::default() };
        }
        self.segments.push(segment);
    }

    /// Ends the batch with its last segment. Those of them that did not come by themselves come with it.
    pub(super) fn cut(&mut self, batch: &Batch) {
        if self.batch != batch.number {
            *self = Self { batch: batch.number, ..Self::default() };
        }
        let newest = self.segments.last().map(|segment| segment.index);
        let new = batch.segments.iter().filter(|segment| newest.is_none_or(|newest| segment.index > newest));
        self.segments.extend(new.cloned());
        self.end = batch.segments.last().map(|segment| segment.index);
    }

    /// The batch is done or lost; what came after it is the start of the next one.
    pub(super) fn after(&mut self, batch: &Batch) {
        if let Some(end) = self.end.take() {
            self.segments.retain(|segment| segment.index > end);
            self.removed.retain(|index| *index > end);
        }
        (self.batch, self.took) = (batch.number + 1, Duration::ZERO);
    }

    /// The next segment to be demuxed, after `newest`, which is.
    pub(super) fn next(&self, newest: Option<u64>) -> Option<Segment> {
        self.left().find(|segment| newest.is_none_or(|newest| segment.index > newest)).cloned()
    }

    /// A segment is not on disk any more.
    pub(super) fn remove(&mut self, segment: u64) {
        self.removed.insert(segment);
    }

    /// Removes the segments of which `there` is false. False: there are none.
    pub(super) fn remove_unless(&mut self, there: impl Fn(&Segment) -> bool) -> bool {
        let gone: Vec<u64> = self.left().filter(|segment| !there(segment)).map(|segment| segment.index).collect();
        self.removed.extend(&gone);
        !gone.is_empty()
    }

    /// How many segments of the batch were removed.
    pub(super) fn removed_count(&self) -> usize {
        self.of_batch().filter(|segment| self.removed.contains(&segment.index)).count()
    }

    /// The segments of the batch without those that were removed.
    pub(super) fn left(&self) -> impl Iterator<Item = &Segment> {
        self.of_batch().filter(|segment| !self.removed.contains(&segment.index))
    }

    /// Whether segments came after the last one of the batch.
    pub(super) fn has_more(&self) -> bool {
        self.of_batch().count() < self.segments.len()
    }

    fn of_batch(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().take_while(|segment| self.end.is_none_or(|end| segment.index <= end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::segment;
    use tokio::time::Instant;

    fn batch(number: u64, indices: std::ops::Range<u64>) -> Batch {
        let (complete, open) = (Instant::now(), Duration::ZERO);
        let segments = indices.map(segment).collect();
        Batch { number, segments, discontinuity: false, last: false, complete, complete_ms: 0, open }
    }

    fn left(waiting: &Waiting) -> Vec<u64> {
        waiting.left().map(|segment| segment.index).collect()
    }

    #[test]
    fn a_cut_takes_what_came_and_what_comes_with_it_and_leaves_the_rest() {
        let mut waiting = Waiting::default();
        (0..4).for_each(|index| waiting.push(0, segment(index)));
        let next = |waiting: &Waiting, newest| waiting.next(newest).map(|segment| segment.index);
        assert_eq!((next(&waiting, None), next(&waiting, Some(2)), next(&waiting, Some(3))), (Some(0), Some(3), None));
        waiting.cut(&batch(0, 0..3));
        assert_eq!((left(&waiting), waiting.has_more(), next(&waiting, Some(2))), (vec![0, 1, 2], true, None));
        waiting.after(&batch(0, 0..3));
        assert_eq!((waiting.batch, left(&waiting)), (1, vec![3]));
        waiting.cut(&batch(1, 3..6));
        assert_eq!((left(&waiting), waiting.has_more()), (vec![3, 4, 5], false));
    }

    #[test]
    fn segments_that_were_removed_are_not_tried_again() {
        let mut waiting = Waiting::default();
        waiting.cut(&batch(7, 10..14));
        waiting.remove(11);
        assert_eq!(waiting.next(Some(10)).map(|segment| segment.index), Some(12));
        assert!(waiting.remove_unless(|segment| segment.index != 13) && !waiting.remove_unless(|_| true));
        assert_eq!((left(&waiting), waiting.removed_count()), (vec![10, 12], 2));
        waiting.after(&batch(7, 10..14));
        assert_eq!((waiting.removed_count(), waiting.has_more()), (0, false));
    }
}
