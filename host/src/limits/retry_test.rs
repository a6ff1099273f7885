//! Every retry schedule of the host and its delays.

use std::time::Duration;

use crate::backoff::Schedule;
use crate::limits as of;

/// Name, schedule, growing delays, last delay, jitter, healthy duration.
type Row = (&'static str, Schedule, &'static [u64], u64, (u32, u32), Option<u64>);

/// Each schedule: its growing delays and the repeated last one, in milliseconds; the range of the jitter in per cent;
/// the duration after which it starts from the beginning, in seconds.
const SCHEDULES: [Row; 11] = [
    ("processor", of::PROCESSOR_RECONNECT, &[250, 500, 1000, 2000, 4000, 8000, 16_000], 30_000, (50, 100), Some(10)),
    ("air", of::AIR_RECONNECT, &[100, 200, 400, 800, 1600, 3200, 6400, 12_800], 15_000, (75, 100), Some(5)),
    ("air, young", of::AIR_RECONNECT_YOUNG, &[100, 200, 400, 800, 1000], 1000, (75, 100), Some(5)),
    ("air, busy", of::AIR_BUSY, &[1200, 1200], 1200, (75, 100), None),
    ("request", of::REQUEST_RETRY, &[400, 800, 1600, 3200, 6400], 8000, (0, 100), None),
    ("reload", of::RELOAD_RETRY, &[400, 800, 1600, 3200, 6400, 12_800, 25_600], 30_000, (0, 100), None),
    ("source away", of::SOURCE_AGAIN, &[1000, 2000, 4000, 8000], 15_000, (100, 100), None),
    ("source ended", of::SOURCE_BACK, &[1000, 2000, 4000], 5000, (100, 100), None),
    ("pipeline", of::PIPELINE_AGAIN, &[1000, 2000, 4000, 8000, 16_000, 32_000], 60_000, (100, 100), Some(60)),
    ("stage", of::STAGE_RESTART_BACKOFF, &[1000, 2000, 4000, 8000, 16_000, 32_000], 60_000, (100, 100), Some(120)),
    (
        "webhook",
        of::WEBHOOK_RETRY,
        &[5000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000],
        28_800_000,
        (80, 120),
        None,
    ),
];

#[test]
fn schedules_keep_their_numbers() {
    for (name, schedule, first, last, jitter, healthy) in SCHEDULES {
        let without = Schedule { jitter: crate::backoff::Jitter::NONE, ..schedule };
        let waits = first.iter().chain([&last, &last]).zip(1..);
        for (wait, failures) in waits {
            assert_eq!(without.wait(failures, 0.5), Duration::from_millis(*wait), "{name} after {failures}");
        }
        assert_eq!(without.wait(u32::MAX, 0.5), Duration::from_millis(last), "{name}");
        assert_eq!((schedule.jitter.least, schedule.jitter.most), jitter, "{name}");
        assert_eq!(schedule.healthy_after, healthy.map(Duration::from_secs), "{name}");
        assert!(schedule.wait(u32::MAX, 1.0) <= schedule.longest, "{name}");
    }
}

#[test]
fn a_webhook_is_given_up_after_ten_attempts_in_16_hours() {
    let wait = |failures| of::WEBHOOK_RETRY.next_attempt(failures, 0.5);
    let waits: Vec<Duration> = (1..).map_while(wait).collect();
    let whole: Duration = waits.iter().sum();
    assert_eq!((waits.len(), whole), (9, Duration::from_secs(56_555)));
    assert_eq!(wait(u32::MAX), None);
    // The last delay with the largest jitter is not truncated.
    assert_eq!(of::WEBHOOK_RETRY.next_attempt(9, 1.0), Some(of::WEBHOOK_RETRY.longest));
}
