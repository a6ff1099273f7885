//! Fuzz target `cuts`: whatever a stage answers, every segment is in exactly one batch, in order, and the batch keeps the rules.

use super::{BATCH_US_MAX, PendingSegments};
use crate::contract::batching::{Cut, Reason, Segment};
use crate::limits::BATCH_SEGMENTS_MAX;
use arbitrary::{Result, Unstructured};
use std::collections::VecDeque;

/// Segments of one run.
const SEGMENTS_MAX: u64 = 1500;

/// Runs the pending segments as `BatchingStage` does, with a stage that answers anything.
pub fn cuts(data: &[u8]) {
    // Input that ends early is a short run.
    let _ = run(&mut Unstructured::new(data));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let mut pending = PendingSegments::new(u.int_in_range(2..=120_u64)? * 1_000_000);
    // What was pushed and is in no batch yet.
    let mut open = VecDeque::new();
    let first = u.arbitrary::<u64>()? >> 1;
    for index in first..first + SEGMENTS_MAX {
        if u.is_empty() {
            break;
        }
        let segment = segment(u, index)?;
        pending.push(segment.clone());
        open.push_back(segment);
        if push_waiting(u, &mut pending, &mut open).is_err() {
            pending.cut_by_length().iter().for_each(|cut| settle(&mut open, cut));
        }
        assert!(open.len() <= BATCH_SEGMENTS_MAX, "{} segments are in no batch", open.len());
    }
    let choices = [None, whole(&open), Some(any(u, &open)?)];
    let last = *u.choose(&choices)?;
    let flushed = push_waiting(u, &mut pending, &mut open).and_then(|()| {
        let checked = pending.check_flush(last)?;
        last.iter().for_each(|cut| settle(&mut open, cut));
        pending.take(checked);
        Ok(())
    });
    if flushed.is_err() {
        pending.cut_all().iter().for_each(|cut| settle(&mut open, cut));
    }
    assert!(open.is_empty(), "in no batch at the end: {open:?}");
    Ok(())
}

/// The error is the reason why an answer is refused.
fn push_waiting(
    u: &mut Unstructured<'_>,
    pending: &mut PendingSegments,
    open: &mut VecDeque<Segment>,
) -> std::result::Result<(), String> {
    while pending.next_unpushed().is_some() {
        let answer = answer(u, open).unwrap_or_default();
        let checked = pending.check(&answer)?;
        pending.take(checked);
        answer.iter().for_each(|cut| settle(open, cut));
    }
    Ok(())
}

/// Takes a batch away from what is open, and holds it against the rules.
fn settle(open: &mut VecDeque<Segment>, cut: &Cut) {
    let (mut count, mut us) = (0, 0_u64);
    loop {
        let Some(segment) = open.pop_front() else { unreachable!("{cut:?} goes over the end") };
        assert!(count > 0 || segment.index == cut.first, "{cut:?}, but segment {} comes next", segment.index);
        assert!(count == 0 || !segment.discontinuity, "{cut:?} spans the discontinuity at {}", segment.index);
        assert!(count < BATCH_SEGMENTS_MAX && us <= BATCH_US_MAX, "{cut:?}: {count} segments, {us} us before its last");
        count += 1;
        us = us.saturating_add(segment.duration_us);
        if segment.index == cut.last {
            return;
        }
    }
}

fn segment(u: &mut Unstructured<'_>, index: u64) -> Result<Segment> {
    let duration_us = match u.int_in_range(0..=9)? {
        0 => 0,
        1 => u.arbitrary()?,
        2 => u.int_in_range(0..=200_000_000)?,
        _ => u.int_in_range(1..=10_u64)? * 1_000_000,
    };
    Ok(Segment {
        index,
        media_sequence: index,
        duration_us,
        size_bytes: 1,
        discontinuity: u.ratio(1, 12)?,
        program_date_time_us: None,
        cues: vec![],
    })
}

/// What the stage says: mostly nothing, sometimes well, sometimes not.
fn answer(u: &mut Unstructured<'_>, open: &VecDeque<Segment>) -> Result<Vec<Cut>> {
    Ok(match u.int_in_range(0..=15)? {
        0..=9 => vec![],
        10..=12 => whole(open).into_iter().collect(),
        13 => {
            // All of it, in two.
            let middle = u.choose_index(open.len().max(1))?;
            let (Some(first), Some(at), Some(last)) = (open.front(), open.get(middle), open.back()) else {
                return Ok(vec![]);
            };
            let second = Cut { first: at.index.wrapping_add(1), last: last.index, reason: Reason::Other };
            vec![Cut { first: first.index, last: at.index, reason: Reason::Length }, second]
        }
        14 => vec![any(u, open)?],
        _ => (0..u.int_in_range(0..=4)?).map(|_| any(u, open)).collect::<Result<_>>()?,
    })
}

fn whole(open: &VecDeque<Segment>) -> Option<Cut> {
    Some(Cut { first: open.front()?.index, last: open.back()?.index, reason: Reason::Other })
}

/// Numbers near what is open, or any.
fn any(u: &mut Unstructured<'_>, open: &VecDeque<Segment>) -> Result<Cut> {
    let mut number = || {
        let near = open.get(u.choose_index(open.len().max(1))?).map_or(0, |segment| segment.index);
        Ok(match u.int_in_range(0..=3)? {
            0 => u.arbitrary()?,
            1 => near.wrapping_add(1),
            2 => near.wrapping_sub(1),
            _ => near,
        })
    };
    Ok(Cut { first: number()?, last: number()?, reason: Reason::Other })
}
