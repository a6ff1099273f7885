//! What always holds of deadlines, held against many made-up pipelines ([`made_up`]). A failure names the seed of its case.

use rand::RngExt as _;

use super::length::{aim, next_length, whole_seconds};
use super::*;
use crate::limits::{AIR_DRY_AFTER, CUSHION_RESERVE_PART, REMUX_MARGIN_MAX, REMUX_MARGIN_MIN};
use made_up::{Case, each_case};
use outboard_egress::clock::media_time::MediaTime;
use outboard_egress::limits::{AIR_RATE_MAX, AIR_RATE_MIN, AIR_STALL_MIN};
use outboard_stage::limits::BATCH_SECONDS_MAX;

mod made_up;
// when the source was away
mod outages;

const S: Duration = Duration::from_secs(1);

#[test]
fn a_decision_falls_the_margin_before_air_at_the_latest() {
    each_case(|case| {
        let (deadlines, batch, due, standing) = (case.deadlines(), case.batch(), case.due(), case.standing());
        let deadline = deadlines.of(&batch, due, standing);
        let margin = deadlines.margin.get();
        assert!((REMUX_MARGIN_MIN..=REMUX_MARGIN_MAX).contains(&margin), "{margin:?}");
        assert!(deadline.dry || standing < AIR_DRY_AFTER, "it ran dry");
        assert!(!deadline.dry || standing >= AIR_STALL_MIN, "it runs");
        match due {
            Some(due) if !deadline.dry => assert_eq!(deadline.at, due - margin),
            _ => {
                let latest = deadlines.start(&batch, false).latest(batch.complete);
                assert!(deadline.at >= latest - margin, "held, as the first batch");
                assert!(deadline.dry || deadline.at == latest - margin);
            }
        }
    });
}

#[test]
fn a_decision_is_never_forced_before_the_hold_ends_and_air_never_starts_before_it() {
    each_case(|case| {
        let (mut deadlines, batch, now) = (case.deadlines(), case.batch(), case.instant());
        let margin = deadlines.margin.get();
        let PaceSettings { batch: length, hold, cushion } = deadlines.settings;
        let deadline = deadlines.of(&batch, None, Duration::ZERO);
        let start = deadlines.air_start(&batch, false, now);
        assert!(start >= now, "air does not start in the past");
        let hold_ends = after(
            batch.complete,
            match hold {
                Hold::After(hold) => hold,
                Hold::Auto => length,
            },
        );
        assert!(deadline.at >= hold_ends - margin);
        assert!(deadline.at >= after(deadlines.started, cushion.min(length)) - margin, "after a restart");
        match hold {
            Hold::After(_) => assert!(start >= hold_ends),
            Hold::Auto => assert!(start >= after(now, cushion).min(hold_ends), "less than the cushion is in hand"),
        }
        // A decision that fell by its deadline leaves the margin, or the cushion where that is less.
        if now <= deadline.at {
            assert!(start >= after(now, margin.min(cushion)));
        }
    });
}

/// Sets one of the times that a deadline is made from.
type Change<'a> = &'a dyn Fn(&mut Deadlines, &mut BatchTimes, Duration);

#[test]
fn more_hold_more_cushion_and_a_later_batch_never_mean_less_time() {
    each_case(|case| {
        let (mut deadlines, mut batch, now) = (case.deadlines(), case.batch(), case.instant());
        let (less, more) = {
            let (one, other) = (case.span(), case.span());
            (one.min(other), one.max(other))
        };
        let mut times = |change: Change<'_>| {
            [less, more].map(|span| {
                change(&mut deadlines, &mut batch, span);
                (deadlines.of(&batch, None, Duration::ZERO).at, deadlines.air_start(&batch, false, now))
            })
        };
        let base = case.base;
        let changes: [Change<'_>; 4] = [
            &|deadlines, _, span| deadlines.settings.cushion = span,
            &|deadlines, _, span| deadlines.settings.hold = Hold::After(span),
            &|_, batch, span| batch.complete = after(base, span),
            &|deadlines, _, span| deadlines.started = after(base, span),
        ];
        for change in changes {
            let [(sooner, starts), (later, starts_later)] = times(change);
            assert!(sooner <= later && starts <= starts_later);
        }
    });
}

#[test]
fn a_missing_reply_counts_as_a_failure_only_where_the_last_replies_would_have_come() {
    each_case(|case| {
        let mut deadlines = Deadlines::new(case.settings_of(Case::span), case.instant());
        let mut longest = Duration::ZERO;
        for _ in 0..case.random.random_range(0..=5) {
            let took = case.span();
            longest = longest.max(took);
            deadlines.answered(took);
        }
        let batch = case.batch();
        let deadline = deadlines.of(&batch, case.due(), case.standing());
        assert_eq!(deadline.short, deadline.at.saturating_duration_since(batch.sent) < longest);
    });
}

#[test]
fn the_margin_is_three_times_the_newest_work_at_least_and_falls_slowly() {
    each_case(|case| {
        let mut deadlines = case.deadlines();
        let (was, took) = (deadlines.margin.get(), case.span());
        deadlines.remuxed(took);
        let now = deadlines.margin.get();
        assert!(now >= took.saturating_mul(3).min(REMUX_MARGIN_MAX));
        assert!(now >= was * 7 / 8 - Duration::from_nanos(1));
        assert!((REMUX_MARGIN_MIN..=REMUX_MARGIN_MAX).contains(&now));
    });
}

#[test]
fn the_rate_is_bounded_whatever_cushion_is_set_and_leans_the_right_way() {
    each_case(|case| {
        let mut deadlines = case.deadlines();
        for _ in 0..20 {
            let settings = case.settings_of(Case::span);
            deadlines.set(settings, case.random.random_range(0..=u32::MAX));
            let (batch, work) = (case.batch(), case.work());
            let mut with_more = deadlines.clone();
            let (scarce, ample) = (case.instant(), case.instant());
            let (scarce, ample) = (scarce.min(ample), scarce.max(ample));
            let reply = ReplyOutcome::Answered;
            let rate = deadlines.ready(&batch, batch.end_ms, &Work { due: scarce, reply, ..work }).rate;
            let more = with_more.ready(&batch, batch.end_ms, &Work { due: ample, reply, ..work }).rate;
            assert!((AIR_RATE_MIN..=AIR_RATE_MAX).contains(&rate), "{rate}");
            assert!(rate <= more, "more time in hand and slower: {rate} {more}");
            if work.recording {
                assert_eq!(rate, 1.0);
            }
        }
    });
}

/// A cushion that is changed by less than the dead band does not touch the clock.
#[test]
fn a_batch_that_has_its_cushion_leaves_the_clock_alone() {
    each_case(|case| {
        let settings = PaceSettings { hold: Hold::Auto, ..case.settings_of(|case| case.up_to(100)) };
        let mut deadlines = Deadlines::new(settings, case.base);
        deadlines.set(settings, whole_seconds(settings.batch).saturating_add(1));
        let mut batch = case.batch();
        batch.end_ms = batch.start_ms.saturating_add(6_000);
        for _ in 0..5 {
            let mut work = case.work();
            work.reply = ReplyOutcome::Answered;
            work.due = after(work.ready, settings.cushion);
            assert_eq!(deadlines.ready(&batch, batch.end_ms, &work).rate, 1.0);
        }
    });
}

#[test]
fn a_batch_grows_only_into_the_room_that_there_is() {
    each_case(|case| {
        let ordinary = case.one_in(2);
        let segment = if ordinary { case.up_to(12) } else { case.span() };
        let settings = case.settings_of(move |case| if ordinary { case.up_to(120) } else { case.span() });
        let now = case.random.random_range(0..=BATCH_SECONDS_MAX);
        let wanted = whole_seconds(settings.batch);
        let newest = case.newest();
        let due = case.due_after(newest.complete);
        let next = next_length(now, &settings, newest.room(due), segment);
        assert!(next <= BATCH_SECONDS_MAX && (now.min(wanted)..=now.max(wanted)).contains(&next));
        match newest.work {
            Some(work) if wanted > now => {
                // Cut at a whole segment and ready in the usual time, it is ready before it is due, with some of the cushion left.
                let ready = after(newest.complete, segment_end(next, segment).saturating_add(work));
                let reserve = settings.cushion / CUSHION_RESERVE_PART;
                assert!(next == now || due.is_some_and(|due| after(ready, reserve) <= due));
            }
            _ => assert_eq!(next, wanted, "at once"),
        }
        // No room that was asked for is forgotten: the clock aims at what is missing.
        let more = settings.batch.saturating_sub(Duration::from_secs(next.into()));
        assert!(aim(&settings, next) >= more);
    });
}

/// When the segment ends in which a batch of so many seconds is cut.
fn segment_end(seconds: u32, segment: Duration) -> Duration {
    let (wanted, mut end) = (Duration::from_secs(seconds.into()), segment);
    if segment < S / 10 {
        return wanted;
    }
    while end < wanted {
        end = end.saturating_add(segment);
    }
    end
}

/// A source in real time: a batch of that length or less is complete, and worked on, before the one before it has gone out.
#[test]
fn a_batch_within_the_live_delay_is_in_time() {
    each_case(|case| {
        let newest = case.newest();
        let Some(end_due) = case.due_after(newest.complete) else { return };
        let longest = newest.longest_in_time(end_due, 1.0);
        let length = longest.mul_f64(case.random.random_range(0.0..1.0));
        if longest > Duration::ZERO {
            let ready = after(newest.complete, length.saturating_add(newest.work_min));
            assert!(ready <= end_due + Duration::from_micros(1), "{longest:?}");
        }
        for speed in [0.0, f64::MIN_POSITIVE, 1e300, f64::INFINITY, f64::NAN] {
            newest.longest_in_time(end_due, speed);
        }
    });
}

#[test]
fn a_batch_is_never_due_before_what_the_clock_knows_and_never_kept_back_beyond_its_time() {
    each_case(|case| {
        let (deadlines, batch, known) = (case.deadlines(), case.batch(), case.instant());
        assert!(deadlines.known_ms(batch.start_ms) <= batch.start_ms);
        let due = deadlines.due(batch.start_ms, known);
        assert!(due >= known);
        for speed in [f64::MIN_POSITIVE, 0.5, 1.0, 8.0, 1e300] {
            if let Some(at) = deadlines.not_before(due, speed) {
                assert!(at <= due);
                if speed == 1.0 {
                    assert!(at <= due - AIR_AHEAD);
                }
            }
        }
    });
}

/// Whole runs over the air clock: sources that come unevenly or stay away, processors that answer, are slow or silent,
/// settings that change on air.
#[test]
fn in_a_whole_run_replies_in_time_are_used_and_no_decision_makes_a_batch_late() {
    each_case(|case| {
        let ordinary = |case: &mut Case| case.up_to(60);
        let mut settings = case.settings_of(ordinary);
        let (mut clock, mut now) = (MediaTime::new(1.0), case.base);
        let (mut deadlines, mut air_ms, mut complete) = (Deadlines::new(settings, now), 0, now);
        let mut media_ms = None;
        for _ in 0..25 {
            if case.one_in(8) {
                settings = case.settings_of(ordinary);
            }
            deadlines.set(settings, whole_seconds(settings.batch));
            let length = case.up_to(59) + S;
            let away = if case.one_in(10) { case.up_to(90) } else { Duration::ZERO };
            complete += length + away;
            let sent = complete.max(now) + case.up_to(1);
            let end_ms = air_ms + u64::try_from(length.as_millis()).unwrap();
            let open = if case.one_in(4) { case.up_to(12) } else { Duration::ZERO };
            let batch = BatchTimes { start_ms: air_ms, end_ms, complete, sent, asked: true, open };
            let arrived = now.max(sent);
            now = arrived;
            let known = clock.due(deadlines.known_ms(air_ms));
            let due = known.map(|known| deadlines.due(air_ms, known));
            let deadline = deadlines.of(&batch, due, clock.status(now).standing);
            // What the remux step does: whatever is in hand when it arrives, or comes by the deadline, is used.
            let reply = (!case.one_in(5)).then(|| sent + case.up_to(20));
            let used = reply.is_some_and(|reply| reply <= deadline.at.max(arrived));
            now = arrived.max(reply.filter(|_| used).unwrap_or(deadline.at));
            if used {
                deadlines.answered(now - sent);
            }
            let start = deadlines.air_start(&batch, deadline.dry, now);
            let held = if deadline.dry { clock.resume_at(start, now) } else { clock.start(air_ms, start) };
            let due = deadlines.due(air_ms, clock.due(deadlines.known_ms(air_ms)).unwrap());
            // Without a cushion the batch that starts the clock goes on air as soon as it can, which is late.
            let margin = deadlines.margin.get();
            let room = !held || settings.cushion >= margin || matches!(settings.hold, Hold::After(_));
            let began = now;
            let took = margin.mul_f64(case.random.random_range(0.0..=1.0));
            now += took;
            if arrived + took <= due && room {
                assert!(now <= due, "the wait for the reply made it late by {:?}", now - due);
            }
            if reply.is_some_and(|reply| reply <= deadline.at) {
                assert!(used);
            }
            deadlines.remuxed(took);
            let reply = if used { ReplyOutcome::Answered } else { ReplyOutcome::TimedOut };
            let work = Work { arrived, began, ready: now, due, reply, usual_reply: S, recording: false };
            let ready = deadlines.ready(&batch, end_ms, &work);
            assert_eq!(ready.slack_ms < 0, signed_ms(now, due) < 0);
            clock.extend(end_ms, now);
            clock.set_rate(ready.rate, now);
            let media = clock.media_ms(now);
            assert!(media >= media_ms, "media time went back");
            media_ms = media;
            air_ms = end_ms;
        }
    });
}

/// The unit is as pure as its head says: whoever wants to read a clock here has to change this test first.
#[test]
fn the_unit_reads_no_clock_and_waits_for_nothing() {
    let files = [
        include_str!("../deadline.rs"),
        include_str!("arithmetic.rs"),
        include_str!("start.rs"),
        include_str!("standstill.rs"),
        include_str!("margin.rs"),
        include_str!("clock_rate.rs"),
        include_str!("length.rs"),
        include_str!("work.rs"),
    ];
    for file in files {
        let code = file.split("#[cfg(test)]\nmod tests").next().unwrap();
        for impure in
            ["Instant::now", ".elapsed()", "async ", ".await", "Mutex", "mpsc", "watch::", "tracing::", "std::fs"]
        {
            assert!(!code.contains(impure), "{impure}");
        }
    }
}
