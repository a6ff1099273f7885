use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

const MS: Duration = Duration::from_millis(1);
const STEPS: [Duration; 4] = [MS, Duration::from_millis(7), Duration::from_secs(3), Duration::from_secs(3600)];

/// Numbers of failures where waits change or arithmetic could overflow.
fn counts(random: &mut StdRng) -> Vec<u32> {
    let mut counts: Vec<u32> = (1..70).chain([1 << 16, 1 << 31, u32::MAX - 1, u32::MAX]).collect();
    counts.extend((0..20).map(|_| random.random_range(1..u32::MAX)));
    counts.sort_unstable();
    counts
}

/// A schedule with anything in it, from nanoseconds to more than a century.
fn schedule(random: &mut StdRng) -> Schedule {
    let mut duration = || Duration::from_nanos(1_u64 << random.random_range(0..63)) + MS * random.random_range(0..9);
    let (one, other) = (duration(), duration());
    let schedule = match random.random_range(0..4) {
        0 => Schedule::steps(&STEPS, STEPS[3] * 2),
        1 => Schedule::constant(one),
        _ => Schedule::doubling(one.min(other), one.max(other)),
    };
    let least = random.random_range(0..=100);
    if random.random() { schedule } else { schedule.jitter(least, random.random_range(least..=200)) }
}

/// The first wait with the shortest jitter; a nanosecond less for the rounding.
fn shortest(schedule: &Schedule) -> Duration {
    (schedule.first.mul_f64(f64::from(schedule.jitter.least.min(100)) / 100.0)).saturating_sub(Duration::from_nanos(1))
}

#[test]
fn waits_stay_between_the_first_and_the_longest_whatever_the_schedule() {
    let mut random = StdRng::seed_from_u64(0xBAC0FF);
    for _ in 0..2000 {
        let schedule = schedule(&mut random);
        for failures in counts(&mut random) {
            for chance in [0.0, 1.0, random.random(), -3.0, 17.0, f64::NAN, f64::INFINITY] {
                let wait = schedule.wait(failures, chance);
                assert!(wait <= schedule.longest, "{wait:?} after {failures} failures of {schedule:?}");
                // A first wait of 10^9 s has a few nanoseconds less to choose from as a float.
                let exact = schedule.first < Duration::from_secs(1 << 20);
                assert!(!exact || wait >= shortest(&schedule), "{wait:?} after {failures} failures of {schedule:?}");
            }
        }
        assert_eq!(schedule.wait(0, 1.0), Duration::ZERO);
    }
}

#[test]
fn waits_without_jitter_never_shrink_and_begin_with_the_first() {
    let mut random = StdRng::seed_from_u64(0xBAC0FF + 1);
    for _ in 0..2000 {
        let schedule = Schedule { jitter: Jitter::NONE, ..schedule(&mut random) };
        let waits: Vec<Duration> = counts(&mut random).iter().map(|&n| schedule.wait(n, random.random())).collect();
        assert!(waits.is_sorted(), "{schedule:?}");
        assert_eq!(waits[0], schedule.first.min(schedule.longest), "{schedule:?}");
    }
}

#[test]
fn doubling_reaches_the_longest_and_stays_there() {
    let mut backoff = Backoff::new(Schedule::doubling(MS, Duration::from_secs(60)));
    let waits: Vec<Duration> = (0..200).map(|_| backoff.failed()).collect();
    assert_eq!(waits[..5], [1, 2, 4, 8, 16].map(|n| MS * n));
    assert_eq!((waits[15], waits[16]), (MS * 32768, Duration::from_secs(60)));
    assert!(waits[16..].iter().all(|&wait| wait == Duration::from_secs(60)));
    backoff.failures = u32::MAX;
    assert_eq!((backoff.failed(), backoff.failures()), (Duration::from_secs(60), u32::MAX));
}

#[test]
fn waits_use_the_whole_range_of_the_jitter() {
    let schedule = Schedule::constant(Duration::from_secs(100)).jitter(50, 100);
    let mut backoff = Backoff::new(schedule);
    let waits: Vec<f64> = (0..1000).map(|_| backoff.failed().as_secs_f64()).collect();
    assert!(waits.iter().all(|wait| (50.0..=100.0).contains(wait)));
    assert!(waits.iter().any(|&wait| wait < 60.0) && waits.iter().any(|&wait| wait > 90.0), "{waits:?}");
    assert_eq!((schedule.wait(1, 0.0), schedule.wait(1, 1.0)), (Duration::from_secs(50), Duration::from_secs(100)));
    let around = Schedule { longest: Duration::from_secs(110), ..schedule.jitter(80, 120) };
    assert_eq!(around.wait(1, 0.0), Duration::from_secs(80));
    assert_eq!(around.wait(1, 0.5), Duration::from_secs(100));
    assert_eq!(around.wait(1, 1.0), Duration::from_secs(110), "the longest holds after jitter");
}

#[test]
fn failures_are_forgotten_by_a_reset_or_a_healthy_life_only() {
    let healthy = Duration::from_secs(10);
    let mut backoff = Backoff::new(Schedule::doubling(MS, MS * 100).healthy_after(healthy));
    let tenth = |backoff: &mut Backoff| (0..10).map(|_| backoff.failed()).last();
    assert_eq!(tenth(&mut backoff), Some(MS * 100));
    backoff.lived(healthy - MS);
    assert_eq!((backoff.failed(), backoff.failures()), (MS * 100, 11));
    backoff.lived(healthy);
    assert_eq!((backoff.failed(), backoff.failures()), (MS, 1));
    tenth(&mut backoff);
    backoff.reset();
    assert_eq!((backoff.failed(), backoff.failed()), (MS, MS * 2));
    let mut never = Backoff::new(Schedule::doubling(MS, MS * 100));
    tenth(&mut never);
    never.lived(Duration::MAX);
    assert_eq!(never.failed(), MS * 100);
}

#[test]
fn listed_waits_end_with_the_last_attempt() {
    let schedule = Schedule::steps(&STEPS, STEPS[3]);
    let waits: Vec<Duration> = (1..).map_while(|failures| schedule.next_attempt(failures, 0.5)).collect();
    assert_eq!(waits, STEPS);
    assert_eq!(schedule.next_attempt(u32::MAX, 0.5), None);
    assert_eq!(schedule.wait(u32::MAX, 0.5), STEPS[3], "who goes on all the same waits as long as the last time");
    assert_eq!(Schedule::steps(&[], MS).next_attempt(1, 0.5), None);
    assert_eq!(Schedule::steps(&[], MS).wait(1, 0.5), Duration::ZERO);
    assert_eq!(Schedule::constant(MS).next_attempt(u32::MAX, 0.5), Some(MS));
}
