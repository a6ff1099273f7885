//! When the source was away: replies are used again with the first batch after media ran out, and the gap is no longer than
//! the absence.

use std::cell::Cell;

use rand::RngExt as _;

use super::made_up::{Case, each_case};
use crate::deadline::*;
use outboard_egress::clock::media_time::MediaTime;
use outboard_egress::limits::AIR_STALL_MIN;

const S: Duration = Duration::from_secs(1);

/// Batches before the source is away, and after it is back.
const BEFORE: u32 = 4;
const AFTER: u32 = 8;

/// A source that is away once: nothing comes for some time, or segments are lost, which is the same to a batch.
struct Outage {
    segment: Duration,
    /// Segments of a whole batch.
    whole: u32,
    /// Segments before it.
    at: u32,
    away: Duration,
    /// The open batch is cut where it goes on.
    discontinuity: bool,
}

impl Outage {
    fn of(case: &mut Case) -> Self {
        let segment = [S, 2 * S, 4 * S, 6 * S][case.random.random_range(0..4)];
        let whole = case.random.random_range(2..=6).max(4_000u32.div_ceil(segment.as_millis() as u32));
        let at = BEFORE * whole + case.random.random_range(0..whole);
        let lost = segment * case.random.random_range(0..=12);
        let away = if case.one_in(2) { lost } else { case.up_to(60) };
        Self { segment, whole, at, away, discontinuity: !case.one_in(3) }
    }

    fn length(&self) -> Duration {
        self.segment * self.whole
    }

    /// The batches: when each is complete, its segments, and those of the next that are there.
    fn batches(&self, base: Instant) -> Vec<(Instant, u32, u32)> {
        let (mut batches, mut open) = (Vec::new(), 0);
        for segment in 0..(BEFORE + AFTER) * self.whole {
            let away = if segment < self.at { Duration::ZERO } else { self.away };
            let there = base + self.segment * (segment + 1) + away;
            if segment == self.at && self.discontinuity && open > 0 {
                batches.push((there, open, 1));
                open = 0;
            }
            open += 1;
            if open == self.whole {
                batches.push((there, open, 0));
                open = 0;
            }
        }
        batches
    }
}

/// What came of a batch.
struct Aired {
    complete: Instant,
    /// The clock stood still when it came.
    ran_out: bool,
    deadline: Deadline,
    used: bool,
    /// How long the clock has stood still in all.
    stalled: Duration,
}

/// A processor that takes this long for each fragment, and work that takes always the same.
fn aired(case: &mut Case, outage: &Outage, settings: PaceSettings, takes: Duration) -> Vec<Aired> {
    let (demux, work) = (case.up_to(1) / 10, case.up_to(1) / 10);
    let (mut clock, mut now) = (MediaTime::new(1.0), case.base);
    let (mut deadlines, mut air_ms) = (Deadlines::new(settings, now), 0);
    deadlines.set(settings, length::whole_seconds(settings.batch));
    let aired = outage.batches(case.base).into_iter().map(|(complete, segments, open)| {
        let end_ms = air_ms + u64::try_from((outage.segment * segments).as_millis()).unwrap();
        let (sent, open) = (complete + demux, outage.segment * open);
        let batch = BatchTimes { start_ms: air_ms, end_ms, complete, sent, asked: true, open };
        let arrived = now.max(sent);
        let due = clock.due(deadlines.known_ms(air_ms)).map(|known| deadlines.due(air_ms, known));
        let standing = clock.status(arrived).standing;
        let deadline = deadlines.of(&batch, due, standing);
        let used = sent + takes <= deadline.at.max(arrived);
        now = arrived.max(if used { sent + takes } else { deadline.at });
        if used {
            deadlines.answered(takes);
        }
        let at = deadlines.air_start(&batch, deadline.dry, now);
        if deadline.dry {
            assert!(clock.resume_at(at, now));
        } else {
            clock.start(air_ms, at);
        }
        let due = deadlines.due(air_ms, clock.due(deadlines.known_ms(air_ms)).unwrap());
        let (began, reply) = (now, if used { ReplyOutcome::Answered } else { ReplyOutcome::TimedOut });
        now += work;
        deadlines.remuxed(work);
        let work = Work { arrived, began, ready: now, due, reply, usual_reply: takes, recording: false };
        let ready = deadlines.ready(&batch, end_ms, &work);
        clock.extend(end_ms, now);
        clock.set_rate(ready.rate, now);
        air_ms = end_ms;
        let stalled = clock.status(now).stalled_for;
        Aired { complete, ran_out: standing >= AIR_STALL_MIN, deadline, used, stalled }
    });
    aired.collect()
}

#[test]
fn after_media_ran_out_replies_are_used_at_once_and_the_gap_is_no_longer_than_the_absence() {
    let (ran_out, short, missed) = (Cell::new(0), Cell::new(0), Cell::new(0));
    each_case(|case| {
        let outage = Outage::of(case);
        let length = outage.length();
        // A processor that is fast enough for these batches.
        let takes = case.up_to((length - 2 * S).as_secs());
        let cushion = (length / 10).max(5 * S / 2);
        let hold = if case.one_in(2) { Hold::Auto } else { Hold::After(takes + S + case.up_to(20)) };
        let aired = aired(case, &outage, PaceSettings { batch: length, hold, cushion }, takes);

        let gone = case.base + outage.segment * outage.at;
        assert!(aired.iter().filter(|batch| batch.complete <= gone).all(|batch| batch.used), "before it");
        for batch in aired.iter().filter(|batch| !batch.used) {
            assert!(batch.deadline.short, "a missing reply counts as the processor's failure");
        }
        let stalled = aired.last().unwrap().stalled;
        assert!(
            stalled <= outage.away + S / 20,
            "{stalled:?} without media, the source was away for {:?}",
            outage.away
        );
        missed.set(missed.get() + aired.iter().filter(|batch| !batch.used).count());
        if let Some(first) = aired.iter().position(|batch| batch.ran_out) {
            let late = aired.iter().skip(first).filter(|batch| !batch.used).count();
            assert_eq!(late, 0, "late replies after {:?} away, held: {}", outage.away, aired[first].deadline.dry);
            ran_out.set(ran_out.get() + 1);
            short.set(short.get() + usize::from(outage.discontinuity && !outage.at.is_multiple_of(outage.whole)));
        }
    });
    // The cases are of each kind: media ran out, also with a short batch before the hole; or an absence took only some time.
    let counts = (ran_out.get(), short.get(), missed.get());
    assert!(counts.0 > 500 && counts.1 > 200 && counts.2 > 100, "{counts:?}");
}
